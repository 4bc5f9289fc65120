import Foundation
import Testing

/// The gateway's page as somebody sees it, a killed worker included.
@Suite(.timeLimit(.minutes(10))) struct PageTests {
    private static let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// A Python with Playwright; nil where it or Chromium is missing.
    private static var python: String? {
        func succeeds(_ command: [String]) -> Bool {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = command
            (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
            guard (try? process.run()) != nil else { return false }
            process.waitUntilExit()
            return process.terminationStatus == 0
        }
        guard succeeds(["chromium", "--version"]) else { return nil }
        let given = ProcessInfo.processInfo.environment["NEPHELE_PYTHON"]
        return [given, checkout + "/.build/python/bin/python", "python3"].compactMap { $0 }.first {
            succeeds([$0, "-c", "import playwright"])
        }
    }

    @Test(.enabled(if: python != nil, "needs Chromium, and a Python with the playwright package"))
    func `chat, drawings, the keyboard, the fleet and a worker's death are seen in a browser`() async throws {
        let python = try #require(Self.python)
        var options = LocalFleet.Options()
        options.hasAdapter = false
        try await LocalFleet.run(options) { fleet in
            let process = Process(), output = Pipe()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = [
                python, Self.checkout + "/Tests/Page/page.py", try fleet.address() + "/", "--kill",
            ]
            (process.standardOutput, process.standardError) = (output, output)
            let (ends, ended) = AsyncStream<Int32>.makeStream()
            process.terminationHandler = { ended.yield($0.terminationStatus) }
            try process.run()
            let said = Task.detached { output.fileHandleForReading.readDataToEndOfFile() }
            for await status in ends {
                let text = String(decoding: await said.value, as: UTF8.self)
                #expect(status == 0, "\(text.suffix(4_000))")
                break
            }
        }
    }
}
