import Foundation
import Tensors
import Testing

/// What programs say to arguments, an environment and a file that they cannot use.
@Suite struct ProgramTests {
    private struct Outcome {
        var status: Int32
        var said: String
    }

    /// Runs a program that ends by itself, and gives back what it said.
    private func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> Outcome {
        let process = Process(), output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appendingPathComponent(program)
        process.arguments = arguments
        process.environment = environment
        (process.standardOutput, process.standardError) = (output, output)
        try process.run()
        let data = await Task.detached { output.fileHandleForReading.readDataToEndOfFile() }.value
        process.waitUntilExit()
        return Outcome(status: process.terminationStatus, said: String(decoding: data, as: UTF8.self))
    }

    private func withFile(_ text: String, _ body: (String) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.path + "/nephele-\(UUID().uuidString).yaml"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await body(path)
    }

    @Test(arguments: [
        ("nephele-gateway", "gateway"), ("nephele-tokenizer", "tokenizer"), ("nephele-text-model", "text-model"),
        ("nephele-diffusion", "diffusion"), ("nephele-trainer", "trainer"),
    ]) func `a service refuses a key that it does not know by line and nearest name`(
        program: String, section: String
    ) async throws {
        try await withFile("\(section):\n  bus-kyes: /keys\n") { path in
            for (arguments, environment) in [
                (["--configuration", path], [:]), ([], ["NEPHELE_CONFIGURATION": path]),
            ] {
                let outcome = try await run(program, arguments, environment: environment)
                #expect(outcome.status != 0)
                #expect(outcome.said.contains("\(path):2:3: 'bus-kyes' is not known here; did you mean 'bus-keys'?"))
            }
        }
    }

    @Test func `a value that does not fit is told with the place where it is set`() async throws {
        try await withFile("diffusion:\n  drawings: many\n  model: nephele-pixel\n  bind: ipc:///tmp/x.sock\n") {
            path in
            let outcome = try await run("nephele-diffusion", ["--configuration", path])
            #expect(outcome.status == 64 && outcome.said.contains("\(path):2:13: --drawings is set here"))
            #expect(outcome.said.contains("The value 'many' is invalid for '--drawings <drawings>'"))
        }
        let side = try await run(
            "nephele-diffusion", ["--model", "nephele-pixel", "--bind", "ipc:///tmp/x.sock"],
            environment: ["NEPHELE_LARGEST_SIDE": "wide"])
        #expect(side.status == 64 && side.said.contains("NEPHELE_LARGEST_SIDE: --largest-side is set here"))
    }

    @Test func `nephele up reads its own section, and tells of faults of the others' files before it starts`()
        async throws
    {
        try await withFile("up:\n  replicsa: [text-model=2]\n") { path in
            let outcome = try await run("nephele", ["up", "--configuration", path])
            #expect(outcome.status != 0 && outcome.said.contains("did you mean 'replicas'?"))
        }
        try await withFile("gateway:\n  filter: /nonexistent/policy.yaml\n") { path in
            let outcome = try await run("nephele", ["up", "--configuration", path])
            #expect(outcome.status != 0 && outcome.said.contains("/nonexistent/policy.yaml"))
        }
    }

    @Test func `every program and command has help`() async throws {
        for program in ["nephele-gateway", "nephele-tokenizer", "nephele-text-model", "nephele-diffusion"] {
            let outcome = try await run(program, ["--help"])
            #expect(
                outcome.status == 0 && outcome.said.contains("--configuration") && outcome.said.contains("--bus-keys"))
        }
        let commands = [
            "up", "pull", "demo", "chat", "draw", "status", "top", "models", "route", "reload", "health", "keys",
            "bench", "finetune", "train",
        ]
        for command in commands {
            let outcome = try await run("nephele", [command, "--help"])
            #expect(outcome.status == 0 && outcome.said.contains("USAGE: nephele \(command)"), "\(command)")
        }
        #expect(try await run("nephele", ["up", "--help"]).said.contains("--cache-precision"))
    }

    @Test(arguments: [
        (["draw"], "say what is to be drawn"), (["draw", "x", "-n", "11"], "-n is 11"),
        (["draw", "x", "--latents", "a"], "need a directory as --model"), (["unheard-of"], "unheard-of"),
        (["route", "hello", "--routes", "/nonexistent.yaml"], "/nonexistent.yaml"),
        (["models", "--gateway", "http://127.0.0.1:1"], "127.0.0.1:1"),
    ]) func `a command says what is wrong with its arguments`(arguments: [String], message: String) async throws {
        let outcome = try await run("nephele", arguments)
        #expect(outcome.status != 0 && outcome.said.contains(message), "\(outcome.said)")
    }

    /// The first sequences decode while the last prompts are read: they must not have ended by then.
    @Test(.timeLimit(.minutes(10)), arguments: [("512", "64"), ("8", "70")])
    func `many sequences are measured together, though their prompts are read one behind the other`(
        prompt: String, batch: String
    ) async throws {
        let outcome = try await run(
            "nephele",
            [
                "bench", "text", "--model", "nephele-verse", "--prompt", prompt, "--prefill", "16", "--batch", batch,
                "--generate", "2", "--rounds", "1",
            ])
        #expect(outcome.status == 0 && outcome.said.contains("decode"), "\(outcome.said)")
    }

    @Test func `a model without a chat template is told of in the log`() async throws {
        let model = #filePath.replacing("NepheleTests/ProgramTests.swift", with: "TextModelsTests/Goldens/gpt2")
        let outcome = try await run(
            "nephele-tokenizer", ["--model", "plain=\(model)", "--bind", "ipc:///nonexistent/tokenizer.sock"])
        #expect(outcome.status != 0)
        #expect(
            outcome.said.contains(
                "\"plain\" has no chat template: where it generates text, chats reach it as plain lines"))
    }

    @Test func `instructions that the processor lacks are refused by name`() async throws {
        let missing = try #require(["neon", "avx512-vnni"].first { !available.contains($0) })
        let outcome = try await run("nephele", ["bench", "machine", "--instruction-set", missing])
        #expect(outcome.status == 64 && outcome.said.contains("'\(missing)'"), "\(outcome.said)")
    }

    private var available: [String] { Device.InstructionSet.available.map(\.rawValue) }
}
