import Foundation
import Tensors
import Testing
import TextModels
import Training

@testable import nephele

/// `nephele train text --sweep`.
struct TrainingSweepTests {
    private static let goldens = #filePath.replacing(
        "NepheleTests/TrainingSweepTests.swift", with: "TrainingTests/Goldens/")

    private func options(_ output: String) -> TextTraining.Options {
        var extents = DecoderBlueprint.Extents()
        (extents.layers, extents.width, extents.heads, extents.context) = (4, 32, 4, 32)
        var options = TextTraining.Options(
            source: .new(.llama, extents), tokenizer: Self.goldens + "chat", data: [Self.goldens + "texts.jsonl"],
            output: output)
        (options.batch, options.heldOutShare, options.optimizer.learningRate) = (4, 0.1, 3e-3)
        return options
    }

    @Test("nine runs make a law; what is done is not done again, and what is missing comes out the same")
    func resumes() throws {
        let output = FileManager.default.temporaryDirectory.path + "/nephele-sweep-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: output) }
        var options = options(output)
        let device = Device(threadCount: 1)
        func run() throws {
            try TrainingSweep(options, steps: 16, SweepOptions.parse(["--sweep"]), isJSON: true).run(on: device)
        }
        func file(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: output + "/" + name)) }
        try run()
        let page = try file("scaling.html")
        #expect(String(decoding: page, as: UTF8.self).contains("α_N"))
        let folders = try FileManager.default.contentsOfDirectory(atPath: output).filter { $0.hasPrefix("size-") }
        #expect(folders.count == 9)
        #expect(throws: TrainingError.self) { try run() }
        let (lost, kept) = ("size-0.5-steps-8", "size-1.0-steps-16/model.safetensors")
        let weights = try file(lost + "/model.safetensors")
        try FileManager.default.removeItem(atPath: output + "/" + lost)
        // A run that is made again would write its model, which is gone.
        try FileManager.default.removeItem(atPath: output + "/" + kept)
        options.resumes = true
        try run()
        #expect(try file("scaling.html") == page)
        #expect(try file(lost + "/model.safetensors") == weights)
        #expect(!FileManager.default.fileExists(atPath: output + "/" + kept))
        // Other options are not the run's.
        options.optimizer.learningRate = 1e-3
        #expect(throws: TrainingError.self) { try run() }
    }

    @Test("a part of a model has as wide heads, and heads of keys that divide them")
    func sizes() {
        var extents = DecoderBlueprint.Extents()
        (extents.layers, extents.width, extents.heads, extents.kvHeads) = (12, 768, 12, 4)
        extents.feedForward = 2_048
        let half = TrainingSweep.scaled(extents, by: 0.5)
        #expect(half.layers == 6 && half.heads == 6 && half.width == 384)
        #expect(half.kvHeads == 2 && half.feedForward == 1_024)
        let fifth = TrainingSweep.scaled(extents, by: 0.4)
        #expect(fifth.heads == 5 && fifth.width == 320 && fifth.kvHeads == 1)
    }

    @Test(
        "what a sweep cannot do is refused",
        arguments: [
            ["--sweep"], ["--sweep", "--steps", "40", "--ema", "0.9"], ["--sweep-sizes", "0.5,1"],
            ["--sweep", "--steps", "40", "--sweep-sizes", "0.5,2"],
            ["--sweep", "--steps", "40", "--sweep-steps", "1,x"],
            ["--sweep", "--steps", "40", "--tensorboard", "/tmp/x"],
            ["--sweep", "--steps", "40", "--held-out", "0"],
            ["--sweep", "--steps", "40", "--sweep-report", "/nowhere/page.html"],
        ])
    func refused(_ more: [String]) {
        let common = ["--architecture", "llama", "--tokenizer", "t", "--data", "d", "--output", "o"]
        #expect(throws: (any Error).self) { try TrainTextCommand.parse(common + more) }
        #expect(throws: Never.self) { try TrainTextCommand.parse(common + ["--sweep", "--steps", "40"]) }
    }

    @Test("a sweep whose runs would be the same is refused")
    func tooFewSteps() {
        #expect(throws: CommandError.self) {
            try TrainingSweep(options("o"), steps: 2, SweepOptions.parse(["--sweep"]), isJSON: true)
        }
    }
}
