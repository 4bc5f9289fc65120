import ConfigurationFiles
import Foundation
import Gateway
import Testing

@Suite(.timeLimit(.minutes(1))) struct RoutingSourceTests {
    @Test func `a file that changes is read again, and one with an error changes nothing`() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString + ".yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        func write(_ text: String) throws { try Data(text.utf8).write(to: file, options: .atomic) }
        try write("aliases: {a: one}")
        let source = try RoutingSource(file: file.path)
        let watching = Task { await source.watch() }
        defer { watching.cancel() }
        try write("aliases: {a: two}")
        while source.current.aliases["a"] != "two" { try await Task.sleep(for: .milliseconds(20)) }
        try write("aliases: [")
        source.reload()
        #expect(source.current.aliases["a"] == "two")
        #expect(source.fault?.contains(":1:") == true)
        try write("aliases: {a: three}")
        while source.current.aliases["a"] != "three" { try await Task.sleep(for: .milliseconds(20)) }
        #expect(source.fault == nil)
    }

    @Test func `a file that is not there is said at once`() {
        #expect(throws: ConfigurationError.self) { _ = try RoutingSource(file: "/nowhere/routes.yaml") }
    }
}
