import Foundation
import Testing

private let checkout = testsFolder.deletingLastPathComponent().path

/// A program that tests run, and what it says.
enum Program {
    /// A Python that has the package, nil where there is none.
    static func python(with package: String) -> String? {
        let given = ProcessInfo.processInfo.environment["NEPHELE_PYTHON"]
        return [given, checkout + "/.build/python/bin/python", "/usr/bin/python3"].compactMap { $0 }.first { path in
            let process = Process()
            process.executableURL = URL(fileURLWithPath: path)
            // Looking for it is enough: some take seconds to be imported.
            let look = "import importlib.util as u, sys; sys.exit(u.find_spec('\(package)') is None)"
            process.arguments = ["-c", look]
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { return false }
            process.waitUntilExit()
            return process.terminationStatus == 0
        }
    }

    /// Runs it to its end, and fails the test where that is not 0.
    static func run(
        _ path: String, _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> String {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString)
        try Data().write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let output = try FileHandle(forWritingTo: file)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        (process.standardOutput, process.standardError) = (output, output)
        let (ended, continuation) = AsyncStream<Int32>.makeStream()
        process.terminationHandler = { process in
            continuation.yield(process.terminationStatus)
            continuation.finish()
        }
        try process.run()
        var status: Int32 = -1
        for await end in ended { status = end }
        let said = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        #expect(status == 0, "\(said.suffix(8_000))")
        return said
    }

    /// Runs a script beside this file with the gateway's address.
    static func script(_ name: String, package: String, _ client: WholeGatewayClient) async throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(name).path
        let said = try await run(
            try #require(python(with: package)), [path, "http://127.0.0.1:\(client.port)/v1"])
        #expect(said.hasSuffix("ok\n"))
    }
}

/// Others' clients, as their own packages are.
@Suite(.timeLimit(.minutes(5)), .serialized) struct ClientTests {
    @Test(.enabled(if: Program.python(with: "openai") != nil, "needs a Python with the openai package"))
    func `OpenAI's own client reads every answer and every error`() async throws {
        try await withWholeGateway { try await Program.script("openai_client.py", package: "openai", $0) }
    }

    @Test(.enabled(if: Program.python(with: "anthropic") != nil, "needs a Python with the anthropic package"))
    func `Anthropic's own client chats, streams, calls tools and reads every error`() async throws {
        try await withWholeGateway { try await Program.script("anthropic_client.py", package: "anthropic", $0) }
    }

    /// Clients that bring long descriptions of their tools along, for a model with room for them.
    @Test(
        arguments: [
            ("langchain_client.py", "langchain_openai"), ("litellm_client.py", "litellm"),
            ("pydantic_ai_client.py", "pydantic_ai"), ("openai_agents_client.py", "agents"),
            ("instructor_client.py", "instructor"),
        ].filter { Program.python(with: $0.1) != nil })
    func `others' clients chat, stream, get objects of their schemas, and have their tools called`(
        script: String, package: String
    ) async throws {
        try await withWholeGateway(contextLength: 4_096) { try await Program.script(script, package: package, $0) }
    }

    /// The lines of the README and of the pages on models and labels that run curl: whole commands, of which a line may be
    /// a part.
    private static func examples() throws -> [String] {
        let pages = [
            "README.md", "Sources/ServiceRuntime/ServiceRuntime.docc/Models.md",
            "Sources/ContentLabels/ContentLabels.docc/Labels.md",
        ]
        let text = try pages.map { try String(contentsOfFile: checkout + "/" + $0, encoding: .utf8) }.joined()
        var commands: [String] = []
        for block in text.components(separatedBy: "```sh\n").dropFirst() {
            var command = ""
            for line in (block.components(separatedBy: "```").first ?? "").split(separator: "\n") {
                if command.isEmpty, !line.hasPrefix("curl ") { continue }
                command += (command.isEmpty ? "" : "\n") + line
                guard command.count(where: { $0 == "'" }) % 2 == 0, !command.hasSuffix("\\") else { continue }
                commands.append(command)
                command = ""
            }
        }
        return commands
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/curl"), "needs curl"))
    func `the documentation's curl examples are answered as they stand there`() async throws {
        let examples = try Self.examples()
        #expect(examples.count >= 10)
        let routes = "aliases: {nephele-verse: llama, nephele-pixel: tiny, verses: llama}"
        try await withWholeGateway(routes: routes) { client in
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("curl-" + UUID().uuidString)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            // The gateway of the test stands where the documentation's does; an error status is an error.
            let settings = "connect-to = \"localhost:8080:127.0.0.1:\(client.port)\"\nfail-with-body\nsilent\n"
            try settings.write(to: folder.appendingPathComponent(".curlrc"), atomically: true, encoding: .utf8)
            // This gateway has no folder of adapters and no watermark's keys: other tests do.
            let others = ["/v1/load_lora_adapter", "/v1/watermark/detect"]
            for example in examples where !others.contains(where: example.contains) {
                let said = try await Program.run("/bin/sh", ["-c", example], environment: ["CURL_HOME": folder.path])
                #expect(!said.isEmpty && !said.contains("\"error\":{"), "\(example)\n\(said.prefix(500))")
            }
        }
    }
}
