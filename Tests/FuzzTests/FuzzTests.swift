import Foundation
import Testing

/// The fuzzer's short form: a few thousand cases of each target. `Tests/Fuzz/run` is the long one.
@Suite(.serialized, .timeLimit(.minutes(20))) struct FuzzTests {
    private func fuzz(_ arguments: String...) async throws -> (status: Int32, output: String) {
        let bundle = try #require(CommandLine.arguments.first { $0.contains(".xctest") }, "no test bundle in arguments")
        var folder = URL(fileURLWithPath: bundle)
        repeat {
            folder.deleteLastPathComponent()
        } while folder.pathComponents.count > 1
            && !FileManager.default.isExecutableFile(atPath: folder.appendingPathComponent("fuzz").path)
        let process = Process()
        process.executableURL = folder.appendingPathComponent("fuzz")
        process.arguments = arguments
        let output = FileManager.default.temporaryDirectory.appendingPathComponent("fuzz-" + UUID().uuidString)
        try Data().write(to: output)
        defer { try? FileManager.default.removeItem(at: output) }
        process.standardOutput = try FileHandle(forWritingTo: output)
        // The pool's threads are for other tests meanwhile.
        let (ended, end) = AsyncStream<Void>.makeStream()
        process.terminationHandler = { _ in end.finish() }
        try process.run()
        for await _ in ended {}
        return (process.terminationStatus, try String(contentsOf: output, encoding: .utf8))
    }

    @Test(arguments: [
        ("messages", 4_000), ("frames", 2_000), ("safetensors", 2_000), ("gguf", 600), ("gguf-parts", 300),
        ("gguf-encoders", 300),
        ("config", 500),
        ("adapter", 300), ("quantized", 100), ("encoder-config", 300), ("sentences", 500),
        ("packed-cache", 500), ("pictures", 4_000), ("tokenizer-json", 150), ("tokenizer-config", 50),
        ("vocabulary", 100),
        ("merges", 100), ("sentencepiece", 100), ("unigram", 100), ("family", 100), ("tekken", 60), ("tiktoken", 60),
        ("vocab-txt", 500),
        ("template", 2_000), ("credentials", 2_000), ("routes", 300), ("http", 300),
    ]) func `nearly valid bytes are refused or read, and nothing else happens`(_ target: String, _ cases: Int)
        async throws
    {
        let (status, output) = try await fuzz("--target", target, "--cases", "\(cases)", "--patience", "60")
        #expect(status == 0 && output.contains("\(cases) cases, 0 findings"), "\(output)")
    }

    @Test(arguments: [
        ("planted-crash", "Fatal error"), ("planted-finding", "planted"), ("planted-hang", "no progress in 1 s"),
        ("planted-growth", "memory grew"),
    ]) func `a fault is found, and named so that it can be had again`(_ target: String, _ what: String) async throws {
        let cases = target == "planted-growth" ? "1000" : "100"
        // A crash takes a while to be written down.
        let patience = target == "planted-hang" ? "1" : "60"
        let (status, output) = try await fuzz(
            "--target", target, "--cases", cases, "--patience", patience, "--seed", "7")
        #expect(status == 1 && output.contains(what), "\(output)")
        if target != "planted-growth" {
            #expect(output.contains("--target \(target) --seed 7 --first 40 --cases 1"), "\(output)")
            #expect(output.contains("100 cases, 1 findings"), "\(output)")
        }
    }
}
