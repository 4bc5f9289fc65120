import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import TextModels

@testable import Training

/// Whole runs on tiny models, against PyTorch (`make_text_goldens.py`).
struct TextTrainingTests {
    /// As PyTorch was run.
    static func options(_ name: String, output: String) throws -> TextTraining.Options {
        var options = TextTraining.Options(
            source: .checkpoint(try TrainedDecoderTests.path(name + "-whole")),
            tokenizer: try TrainedDecoderTests.path("chat"), data: [try TrainedDecoderTests.path("texts.jsonl")],
            output: output)
        options.optimizer.learningRate = 3e-3
        (options.heldOutShare, options.batch, options.steps, options.warmUp) = (0, 4, 200, 10)
        options.isShuffled = false
        return options
    }

    /// A run of few steps from first weights.
    private static func short(_ name: String, output: String) throws -> TextTraining.Options {
        var options = try options(name, output: output)
        options.source = .configuration(try TrainedDecoderTests.path(name + "-whole/config.json"))
        (options.steps, options.warmUp, options.isShuffled, options.heldOutShare) = (9, 2, true, 0.1)
        options.averageDecay = 0.9
        return options
    }

    private static let files = ["checkpoint.safetensors", "model.safetensors", "config.json", "ema/model.safetensors"]

    private static func bytes(_ directory: TemporaryDirectory) throws -> [Data] {
        try files.map { try Data(contentsOf: URL(fileURLWithPath: directory.path + "/" + $0)) }
    }

    @Test("Losses and norms are PyTorch's over a whole run", arguments: TrainedDecoderTests.names)
    func losses(name: String) throws {
        let golden = try TrainedDecoderTests.Golden(name), directory = try TemporaryDirectory()
        let training = try TextTraining(
            try Self.options(name, output: directory.path), on: Device(threadCount: 2))
        var steps: [TextTraining.Step] = []
        try training.run { steps.append($0) }
        #expect(steps.count == 200 && golden.losses.count == 200)
        for (index, (own, loss)) in zip(steps, golden.losses).enumerated() {
            #expect(abs(own.loss - loss) < 1e-3, "step \(index + 1): \(own.loss), PyTorch has \(loss)")
            #expect(abs(own.gradientNorm - golden.norms[index]) < 1e-2 * golden.norms[index], "step \(index + 1)")
        }
        #expect(golden.losses[199] < 0.5 * golden.losses[0])
    }

    @Test("A run has the same bits with every number of threads and instruction set, and others with another seed")
    func bits() throws {
        func model(_ device: Device, seed: UInt64) throws -> [Data] {
            let directory = try TemporaryDirectory()
            var options = try Self.short("llama", output: directory.path)
            options.seed = seed
            let training = try TextTraining(options, on: device)
            try training.run { _ in }
            return try Self.bytes(directory)
        }
        let reference = try model(Device(threadCount: 1), seed: 5)
        for set in Device.InstructionSet.available {
            #expect(try model(Device(threadCount: 2, instructionSet: set), seed: 5) == reference, "\(set)")
        }
        #expect(try model(Device(threadCount: 1), seed: 6) != reference)
    }

    private struct Killed: Error {}

    @Test("A run that ends between checkpoints is resumed to the bit", arguments: TrainedDecoderTests.names)
    func resume(name: String) throws {
        let device = Device(threadCount: 2), whole = try TemporaryDirectory(), cut = try TemporaryDirectory()
        func options(_ directory: TemporaryDirectory, resumes: Bool) throws -> TextTraining.Options {
            var options = try Self.short(name, output: directory.path)
            (options.checkpointEvery, options.resumes) = (3, resumes)
            return options
        }
        var steps: [TextTraining.Step] = []
        let training = try TextTraining(try options(whole, resumes: false), on: device)
        try training.run { steps.append($0) }
        #expect(steps.map { $0.heldOutLoss != nil } == [false, false, true, false, false, true, false, false, true])
        for end in [1, 5, 7] {
            let part = try TextTraining(try options(cut, resumes: end > 1), on: device)
            #expect(throws: Killed.self) { try part.run { if $0.step == end { throw Killed() } } }
        }
        var rest: [TextTraining.Step] = []
        let last = try TextTraining(try options(cut, resumes: true), on: device)
        #expect(last.plan.firstStep == 6)
        try last.run { rest.append($0) }
        #expect(rest.map(\.loss) == steps.suffix(3).map(\.loss))
        #expect(rest.map(\.heldOutLoss) == steps.suffix(3).map(\.heldOutLoss))
        #expect(try Self.bytes(cut) == Self.bytes(whole))
    }

    @Test(
        "What was trained, served, gives the loss that the run told of what it did not learn",
        arguments: ["gpt2", "llama"])
    func served(name: String) throws {
        let directory = try TemporaryDirectory(), device = Device(threadCount: 2)
        var options = try Self.short(name, output: directory.path)
        options.steps = 40
        let training = try TextTraining(options, on: device)
        var heldOut: Double?
        try training.run { heldOut = $0.heldOutLoss }
        for model in [try TextModelLoader.load(directory: directory.path, on: device), try training.servingModel()] {
            let stream = try TokenStream(
                options.data, training.tokenizer, vocabulary: 261, context: 32, separatesDocuments: false)
            var (sum, count) = (0.0, 0)
            for sequence in training.plan.sequences..<stream.count {
                for text in stream.texts(of: sequence) {
                    let logits = try model.logits(try model.read(text.ids, on: device), on: device)
                    for (row, token) in text.targets {
                        let own = logits.rows(row..<row + 1)
                        sum += Double(device.logSumExp(own) - own[Int(token)])
                        count += 1
                    }
                }
            }
            #expect(count == 32 * training.plan.heldOutSequences)
            #expect(abs(sum / Double(count) - (try #require(heldOut))) < 1e-4)
        }
    }

    @Test("Averages of the weights follow them, and are a model of their own")
    func averages() throws {
        let directory = try TemporaryDirectory(), again = try TemporaryDirectory(), device = Device(threadCount: 2)
        var options = try Self.short("gpt2", output: directory.path)
        (options.steps, options.shape) = (2, .constant)
        let training = try TextTraining(options, on: device)
        try training.run { _ in }
        (options.steps, options.output) = (1, again.path)
        let first = try TextTraining(options, on: device)
        let name = "transformer.wte.weight"
        let begun = try #require(try WeightSnapshotReader.tensor(first, name)).floats
        try first.run { _ in }
        func weights(_ path: String) throws -> [Float] {
            try SafetensorsFile(path: path + "/model.safetensors").tensor(name).floats
        }
        let (one, two) = (try weights(again.path), try weights(directory.path))
        for (index, value) in try weights(directory.path + "/ema").enumerated() {
            let expected = 0.9 * (0.9 * begun[index] + 0.1 * one[index]) + 0.1 * two[index]
            #expect(abs(value - expected) < 1e-6)
        }
    }

    @Test("Gradients are added as the number of parts says")
    func parts() throws {
        let device = Device(threadCount: 2)
        func loss(_ parts: Int) throws -> [Double] {
            let directory = try TemporaryDirectory()
            var options = try Self.short("llama", output: directory.path)
            (options.batch, options.parts) = (8, parts)
            var losses: [Double] = []
            try TextTraining(options, on: device).run { losses.append($0.loss) }
            return losses
        }
        let one = try loss(1)
        for parts in [2, 4, 8] {
            for (a, b) in zip(one, try loss(parts)) { #expect(abs(a - b) < 1e-4, "\(parts) parts") }
        }
    }

    @Test("A loss that is not a number stops the run, names the lines, and keeps the checkpoint before")
    func divergence() throws {
        let directory = try TemporaryDirectory(), device = Device(threadCount: 1)
        var options = try Self.options("gpt2", output: directory.path)
        (options.optimizer.learningRate, options.optimizer.clip, options.warmUp) = (1e30, 0, 0)
        (options.checkpointEvery, options.shape) = (1, .constant)
        let training = try TextTraining(options, on: device)
        var done = 0
        let error = #expect(throws: TrainingError.self) { try training.run { done = $0.step } }
        #expect(
            error?.code == .diverged && error?.message.contains("texts.jsonl line") == true
                && error?.message.contains("sequence 5") == true, "\(error?.message ?? "")")
        #expect(done == 1)
        let kept = try SafetensorsFile(path: directory.path + "/checkpoint.safetensors")
        #expect(kept.entries.count > 1)
    }

    @Test("Two runs do not write to one directory, and a run is not written over")
    func lock() throws {
        let directory = try TemporaryDirectory(), device = Device(threadCount: 1)
        let options = try Self.short("llama", output: directory.path)
        let first = try TextTraining(options, on: device)
        let error = #expect(throws: TrainingError.self) { try TextTraining(options, on: device) }
        #expect(error?.code == .inUse)
        try first.run { _ in }
    }

    @Test(
        "Another run's checkpoint is refused with what is different",
        arguments: [
            "--learning-rate", "--batch", "--seed", "--steps", "--ema", "--parts", "the data", "the configuration",
        ])
    func differences(what: String) throws {
        let directory = try TemporaryDirectory(), device = Device(threadCount: 1)
        var options = try Self.short("gpt2", output: directory.path)
        options.steps = 1
        _ = try { try TextTraining(options, on: device).run { _ in } }()
        let again = #expect(throws: TrainingError.self) { try TextTraining(options, on: device) }
        #expect(again?.message.contains("holds a run already") == true)
        options.resumes = true
        switch what {
        case "--learning-rate": options.optimizer.learningRate *= 2
        case "--batch": options.batch = 8
        case "--seed": options.seed = 9
        case "--steps": options.steps = 3
        case "--ema": options.averageDecay = nil
        case "--parts": options.parts = 2
        case "the data": options.sequenceLength = 31
        default: options.source = .configuration(try TrainedDecoderTests.path("llama-whole/config.json"))
        }
        let error = #expect(throws: TrainingError.self) { try TextTraining(options, on: device) }
        #expect(error?.message.contains(what) == true, "\(error?.message ?? "")")
    }

    @Test(
        "Data that cannot be used is named",
        arguments: [
            (
                "a.jsonl", "{\"text\": 3}\n{\"text\": \"\"}\n{\"other\": 1}\nno\n",
                [
                    "line 1: \"text\" must be a text",
                    "line 2: \"text\" is empty", "line 3: has no \"text\"", "line 4: is no JSON",
                ]
            ),
            ("a.txt", "", ["is empty"]), ("a.txt", "short", ["6 tokens"]), ("b.txt", "\u{FFFF}", ["not UTF-8"]),
            ("a.jsonl", "\n\n", ["0 tokens"]),
        ])
    func data(name: String, content: String, said: [String]) throws {
        let directory = try TemporaryDirectory(), device = Device(threadCount: 1)
        var bytes = Data(content.utf8)
        if content == "\u{FFFF}" { bytes = Data([0x61, 0xFF, 0x62]) }
        try directory.write(name, bytes)
        var options = try Self.short("gpt2", output: directory.path + "/out")
        options.data = [directory.path + "/" + name]
        let error = #expect(throws: TrainingError.self) { try TextTraining(options, on: device) }
        for part in said { #expect(error?.message.contains(part) == true, "\(error?.message ?? "")") }
        #expect(error?.code == .invalidData)
    }

    @Test(
        "A new model is made as its extents say, and goes where transformers' names are",
        arguments: DecoderBlueprint.Form.allCases)
    func new(form: DecoderBlueprint.Form) throws {
        let directory = try TemporaryDirectory(), device = Device(threadCount: 2)
        var extents = DecoderBlueprint.Extents()
        (extents.layers, extents.width, extents.heads, extents.context) = (2, 16, 4, 24)
        if form == .llama { (extents.kvHeads, extents.isTied) = (2, false) }
        var options = try Self.short("gpt2", output: directory.path)
        (options.source, options.steps) = (.new(form, extents), 2)
        let training = try TextTraining(options, on: device)
        try training.run { _ in }
        let model = try TextModelLoader.load(directory: directory.path, on: device)
        #expect(model.shape.vocabulary == 261 && model.shape.context == 24 && model.shape.hidden == 16)
        #expect(model.tokenEmbedding?.isTied == (form == .gpt2))
    }
}

/// A weight of a run as it stands.
enum WeightSnapshotReader {
    static func tensor(_ training: TextTraining, _ name: String) throws -> Tensor? {
        try training.weights.tensor(name, shape: nil, rows: nil)
    }
}
