import Foundation
import Logging
import ServiceRuntime
import Testing

@Suite struct ServiceLogTests {
    @Test func `a line of the log is one JSON object with the metadata's fields`() throws {
        var handler = JSONLogHandler(label: "nephele-gateway", logLevel: .info)
        handler[metadataKey: "x-request-id"] = "req_1"
        let line = handler.line(.warning, "two\n\"lines\"", ["method": "Draw"], at: Date(timeIntervalSince1970: 0))
        #expect(!line.contains("\n"))
        let fields = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        #expect(fields["message"] == "two\n\"lines\"" && fields["method"] == "Draw")
        #expect(fields["x-request-id"] == "req_1" && fields["level"] == "warning")
        #expect(fields["time"]?.hasPrefix("1970-01-01T00:00:00") == true)
    }
}
