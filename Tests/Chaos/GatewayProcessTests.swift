import Foundation
import FoundationNetworking
import Testing

@Suite(.timeLimit(.minutes(10))) struct GatewayProcessTests {
    @Test func `a gateway that only draws starts, answers, and stops when it is asked to`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("gateway-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let portFile = folder.appendingPathComponent("port")
        let process = Process()
        process.executableURL = try LocalFleet.executable("nephele-gateway")
        process.arguments = [
            "--diffusion", "ipc://\(folder.path)/diffusion-*.sock", "--port", "0", "--port-file", portFile.path,
        ]
        process.standardError = FileHandle.nullDevice
        let (ends, ended) = AsyncStream<Int32>.makeStream()
        process.terminationHandler = { ended.yield($0.terminationStatus) }
        try process.run()
        defer { if process.isRunning { process.terminate() } }
        var port = ""
        while port.isEmpty, process.isRunning {
            try await Task.sleep(for: .milliseconds(20))
            port = ((try? String(contentsOf: portFile, encoding: .utf8)) ?? "").trimmingCharacters(in: .newlines)
        }
        let url = try #require(URL(string: "http://127.0.0.1:\(port)/healthz"), "it ended before it listened")
        let (_, response) = try await URLSession.shared.data(from: url)
        #expect((response as? HTTPURLResponse)?.statusCode == 200)
        process.terminate()
        for await status in ends {
            #expect(status == 0)
            break
        }
    }
}
