import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import TextModels

@testable import Training

/// Whole runs on the tiny checkpoint `Goldens/chat`, against TRL 1.16 (`make_training_goldens.py`).
struct FineTuningTests {
    private struct Golden: Decodable {
        var losses: [Double]
        var norms: [Double]
        var rewardsChosen: [Double?]?
        var rewardsRejected: [Double?]?

        enum CodingKeys: String, CodingKey {
            case losses, norms
            case rewardsChosen = "rewards/chosen"
            case rewardsRejected = "rewards/rejected"
        }
    }

    private static func path(_ name: String) throws -> String {
        try #require(Bundle.module.url(forResource: "Goldens/\(name)", withExtension: nil)).path
    }

    /// As TRL was run.
    private static func options(_ method: SampleFile.Method, output: String) throws -> FineTuning.Options {
        var options = FineTuning.Options(
            model: try path("chat"), data: try path("\(method.rawValue).jsonl"), output: output)
        options.startingAdapter = try path("start")
        options.objective.method = method
        options.objective.beta = 0.2
        (options.objective.desirableWeight, options.objective.undesirableWeight) = (1.2, 0.8)
        options.optimizer.learningRate = 5e-3
        options.optimizer.weightDecay = method == .sft ? 0.01 : 0
        (options.shape, options.warmUp, options.batch) = (.cosine, 5, 4)
        options.steps = method == .sft ? 200 : 60
        options.isShuffled = false
        return options
    }

    private static func bytes(_ directory: TemporaryDirectory, _ name: String = "adapter_model.safetensors") throws
        -> Data
    {
        try Data(contentsOf: URL(fileURLWithPath: directory.path + "/" + name))
    }

    @Test("Losses, norms and rewards are TRL's over a whole run", arguments: SampleFile.Method.allCases)
    func losses(method: SampleFile.Method) throws {
        let golden = try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: URL(fileURLWithPath: try Self.path("\(method.rawValue).json"))))
        let directory = try TemporaryDirectory()
        var training = try FineTuning(
            try Self.options(method, output: directory.path), on: Device(threadCount: 2))
        var steps: [FineTuning.Step] = []
        try training.run { steps.append($0) }
        #expect(steps.count == golden.losses.count)
        for (index, (own, loss)) in zip(steps, golden.losses).enumerated() {
            #expect(abs(own.loss - loss) < 1e-3, "step \(index + 1): \(own.loss), TRL has \(loss)")
            #expect(abs(own.gradientNorm - golden.norms[index]) < 2e-2 * golden.norms[index], "step \(index + 1)")
            for (reward, expected) in [
                (own.chosenReward, golden.rewardsChosen), (own.rejectedReward, golden.rewardsRejected),
            ] {
                guard let expected = expected?[index] else { continue }
                #expect(abs(try #require(reward) - expected) < 5e-3, "step \(index + 1)")
            }
        }
        let first = golden.losses.prefix(6).reduce(0, +), last = golden.losses.suffix(6).reduce(0, +)
        #expect(last < first)
    }

    @Test("A run has the same bits with every number of threads and instruction set, and others with another seed")
    func bits() throws {
        func adapter(_ device: Device, seed: UInt64) throws -> Data {
            let directory = try TemporaryDirectory()
            var options = try Self.options(.sft, output: directory.path)
            options.startingAdapter = nil
            (options.adapter.rank, options.steps, options.seed, options.isShuffled) = (3, 4, seed, true)
            var training = try FineTuning(options, on: device)
            try training.run { _ in }
            return try Self.bytes(directory)
        }
        let reference = try adapter(Device(threadCount: 1), seed: 5)
        for set in Device.InstructionSet.available {
            #expect(try adapter(Device(threadCount: 2, instructionSet: set), seed: 5) == reference, "\(set)")
        }
        #expect(try adapter(Device(threadCount: 1), seed: 6) != reference)
    }

    @Test("Layers that are computed again on the way back change no bit", arguments: SampleFile.Method.allCases)
    func recomputing(method: SampleFile.Method) throws {
        let adapters = try [false, true].map { recomputes in
            let directory = try TemporaryDirectory()
            var options = try Self.options(method, output: directory.path)
            (options.steps, options.recomputesLayers) = (5, recomputes)
            var training = try FineTuning(options, on: Device(threadCount: 2))
            try training.run { _ in }
            return try Self.bytes(directory)
        }
        #expect(adapters[0] == adapters[1])
    }

    private struct Killed: Error {}

    @Test("A run that ends between checkpoints is resumed to the bit", arguments: SampleFile.Method.allCases)
    func resume(method: SampleFile.Method) throws {
        let device = Device(threadCount: 2), whole = try TemporaryDirectory(), cut = try TemporaryDirectory()
        func options(_ directory: TemporaryDirectory, resumes: Bool) throws -> FineTuning.Options {
            var options = try Self.options(method, output: directory.path)
            (options.steps, options.checkpointEvery, options.resumes, options.isShuffled) = (9, 3, resumes, true)
            return options
        }
        var losses: [Double] = []
        var training = try FineTuning(try options(whole, resumes: false), on: device)
        try training.run { losses.append($0.loss) }
        for end in [1, 5, 7] {
            // What a process leaves that is killed after this step.
            var part = try FineTuning(try options(cut, resumes: end > 1), on: device)
            #expect(throws: Killed.self) { try part.run { if $0.step == end { throw Killed() } } }
        }
        var rest: [Double] = []
        var last = try FineTuning(try options(cut, resumes: true), on: device)
        #expect(last.plan.firstStep == 6)
        try last.run { rest.append($0.loss) }
        #expect(rest == Array(losses.suffix(3)))
        for name in ["adapter_model.safetensors", "adapter_config.json", "checkpoint.safetensors"] {
            #expect(try Self.bytes(cut, name) == Self.bytes(whole, name), "\(name)")
        }
    }

    @Test("Samples that are not learned have the loss that training has of them", arguments: SampleFile.Method.allCases)
    func heldOut(method: SampleFile.Method) throws {
        let directory = try TemporaryDirectory(), again = try TemporaryDirectory(), device = Device(threadCount: 2)
        var options = try Self.options(method, output: directory.path)
        (options.steps, options.checkpointEvery, options.heldOut) = (3, 2, options.data)
        var steps: [FineTuning.Step] = []
        var training = try FineTuning(options, on: device)
        try training.run { steps.append($0) }
        #expect(steps.map { $0.heldOutLoss != nil } == [false, true, true])
        // The first step of a run with all samples that begins with this adapter has the same loss; KTO measures how far it
        // has gone by the samples of a step, and DPO against where it began.
        guard method == .sft else { return }
        options.output = again.path
        (options.startingAdapter, options.heldOut) = (directory.path, nil)
        (options.batch, options.steps) = (training.plan.samples, 1)
        var whole = try FineTuning(options, on: device)
        try whole.run { #expect(abs($0.loss - (steps[2].heldOutLoss ?? 0)) < 1e-6) }
    }

    @Test("A run is not resumed with other options, and a directory with a run is not overwritten")
    func otherRuns() throws {
        let directory = try TemporaryDirectory(), device = Device(threadCount: 1)
        var options = try Self.options(.sft, output: directory.path)
        options.steps = 2
        var training = try FineTuning(options, on: device)
        try training.run { _ in }
        #expect(throws: TrainingError.self) { try FineTuning(options, on: device) }
    }

    @Test(
        "Another run's checkpoint is refused with what is different",
        arguments: ["--learning-rate", "--batch", "--seed", "--steps", "the data", "the adapter it began with"])
    func differences(what: String) throws {
        let directory = try TemporaryDirectory(), device = Device(threadCount: 1)
        var options = try Self.options(.sft, output: directory.path)
        options.steps = 2
        do {
            var training = try FineTuning(options, on: device)
            try training.run { _ in }
        }
        options.resumes = true
        switch what {
        case "--learning-rate": options.optimizer.learningRate *= 2
        case "--batch": options.batch = 3
        case "--seed": options.seed = 9
        case "--steps": options.steps = 3
        case "the data":
            let text = try String(contentsOfFile: options.data, encoding: .utf8)
            try directory.write("other.jsonl", Data(text.replacingOccurrences(of: "sea", with: "lea").utf8))
            options.data = directory.path + "/other.jsonl"
        default:
            options.startingAdapter = nil
            (options.adapter.rank, options.adapter.alpha) = (4, 8)
            options.adapter.targets = ["down_proj", "q_proj", "v_proj"]
        }
        let error = #expect(throws: TrainingError.self) { try FineTuning(options, on: device) }
        #expect(error?.message.contains(what) == true, "\(error?.message ?? "")")
    }

    @Test("Two runs do not write to one directory")
    func lock() throws {
        let directory = try TemporaryDirectory(), device = Device(threadCount: 1)
        let first = try FineTuning(try Self.options(.sft, output: directory.path), on: device)
        let error = #expect(throws: TrainingError.self) {
            try FineTuning(try Self.options(.sft, output: directory.path), on: device)
        }
        #expect(error?.code == .inUse && error?.message.contains("another run") == true)
        withExtendedLifetime(first) {}
    }

    @Test("A loss that is not a number stops the run, names the lines, and keeps the checkpoint before")
    func divergence() throws {
        let directory = try TemporaryDirectory(), device = Device(threadCount: 1)
        var options = try Self.options(.sft, output: directory.path)
        (options.optimizer.learningRate, options.optimizer.clip, options.warmUp) = (1e30, 0, 0)
        (options.checkpointEvery, options.shape) = (1, .constant)
        var training = try FineTuning(options, on: device)
        var done = 0
        let error = #expect(throws: TrainingError.self) { try training.run { done = $0.step } }
        #expect(error?.code == .diverged && error?.message.contains("lines") == true, "\(error?.message ?? "")")
        #expect(done >= 1)
        let kept = try SafetensorsFile(path: directory.path + "/checkpoint.safetensors")
        #expect(kept.entries.count > 1)
    }

    @Test("What was trained, served, says what the training saw: the loss of the answers is the same")
    func served() throws {
        let directory = try TemporaryDirectory(), device = Device(threadCount: 2)
        var options = try Self.options(.sft, output: directory.path)
        options.steps = 60
        var training = try FineTuning(options, on: device)
        try training.run { _ in }
        let model = try TextModelLoader.load(directory: options.model, on: device)
        let adapter = try LowRankAdapter(directory: directory.path, for: model, on: device)
        let trainable = try TrainableDecoder(model, on: device)
        let parameters = try AdapterFile.read(directory.path, for: trainable.parts)
        let pass = ModelPass(model: trainable, memory: .init(), device: device)
        let ids: [Int32] = [257, 40, 41, 90, 256, 258, 77, 61, 200, 5, 256]
        let text = TrainingText(ids: ids, answers: [6..<11])
        let trained = try pass.logProbabilities([text], parameters)[0]
        let hidden = try model.read(ids, adapter: adapter, on: device)
        let logits = try model.logits(hidden, on: device)
        let served = (6..<11).reduce(0.0) { sum, place in
            let row = logits.rows(place - 1..<place)
            return sum + Double(row[Int(ids[place])] - device.logSumExp(row))
        }
        let plain = try pass.logProbabilities([text], nil)[0]
        #expect(abs(served - trained) < 1e-4 * abs(trained))
        #expect(abs(plain - trained) > 0.05 * abs(trained))
    }

    /// As TRL was run without an adapter.
    private static func full(output: String) throws -> FineTuning.Options {
        var options = try options(.sft, output: output)
        (options.isFull, options.startingAdapter, options.steps) = (true, nil, 60)
        (options.optimizer.learningRate, options.optimizer.weightDecay) = (3e-3, 0.1)
        return options
    }

    @Test("With all weights trained, losses and norms are TRL's over a whole run")
    func fullLosses() throws {
        let golden = try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: URL(fileURLWithPath: try Self.path("full.json"))))
        let directory = try TemporaryDirectory(), device = Device(threadCount: 2)
        var options = try Self.full(output: directory.path)
        options.heldOut = options.data
        var training = try FineTuning(options, on: device), steps: [FineTuning.Step] = []
        try training.run { steps.append($0) }
        #expect(steps.count == 60 && golden.losses.count == 60)
        for (index, (own, loss)) in zip(steps, golden.losses).enumerated() {
            #expect(abs(own.loss - loss) < 1e-3, "step \(index + 1): \(own.loss), TRL has \(loss)")
            #expect(abs(own.gradientNorm - golden.norms[index]) < 2e-2 * golden.norms[index], "step \(index + 1)")
        }
        // The output is a model that serves, and that an adapter can be trained on: its loss is what the run told.
        let again = try TemporaryDirectory()
        options = try Self.options(.sft, output: again.path)
        (options.model, options.startingAdapter) = (directory.path, nil)
        (options.batch, options.steps) = (training.plan.samples, 1)
        var next = try FineTuning(options, on: device)
        try next.run { #expect(abs($0.loss - (steps[59].heldOutLoss ?? 0)) < 1e-5) }
    }

    @Test(
        "A run of all weights or of DoRA that ends between checkpoints is resumed to the bit", arguments: [true, false])
    func otherResumes(isFull: Bool) throws {
        let device = Device(threadCount: 2), whole = try TemporaryDirectory(), cut = try TemporaryDirectory()
        func options(_ directory: TemporaryDirectory, resumes: Bool) throws -> FineTuning.Options {
            var options = try Self.full(output: directory.path)
            (options.steps, options.checkpointEvery, options.resumes, options.isShuffled) = (7, 3, resumes, true)
            (options.isFull, options.adapter.hasMagnitudes) = (isFull, true)
            return options
        }
        var training = try FineTuning(try options(whole, resumes: false), on: device)
        try training.run { _ in }
        for end in [2, 5] {
            var part = try FineTuning(try options(cut, resumes: end > 2), on: device)
            #expect(throws: Killed.self) { try part.run { if $0.step == end { throw Killed() } } }
        }
        var last = try FineTuning(try options(cut, resumes: true), on: device)
        #expect(last.plan.firstStep == 3)
        try last.run { _ in }
        for name in [isFull ? "model.safetensors" : "adapter_model.safetensors", "checkpoint.safetensors"] {
            #expect(try Self.bytes(cut, name) == Self.bytes(whole, name), "\(name)")
        }
    }

    @Test("DoRA begins as the model is, and served says what the training saw")
    func servedMagnitudes() throws {
        let directory = try TemporaryDirectory(), device = Device(threadCount: 2)
        var options = try Self.options(.sft, output: directory.path)
        (options.steps, options.startingAdapter, options.adapter.hasMagnitudes) = (40, nil, true)
        (options.adapter.rank, options.adapter.alpha) = (4, 8)
        let model = try TextModelLoader.load(directory: options.model, on: device)
        let trainable = try TrainableDecoder(model, on: device)
        let pass = ModelPass(model: trainable, memory: .init(), device: device)
        let ids: [Int32] = [257, 40, 41, 90, 256, 258, 77, 61, 200, 5, 256]
        let text = TrainingText(ids: ids, answers: [6..<11])
        let plain = try pass.logProbabilities([text], nil)[0]
        let begun = try AdapterParameters(options.adapter, for: trainable.parts, seed: 3, on: device)
        #expect(abs(try pass.logProbabilities([text], begun)[0] - plain) < 1e-4)
        var training = try FineTuning(options, on: device)
        try training.run { _ in }
        let parameters = try AdapterFile.read(directory.path, for: trainable.parts)
        #expect(parameters.configuration.hasMagnitudes)
        let trained = try pass.logProbabilities([text], parameters)[0]
        let adapter = try LowRankAdapter(directory: directory.path, for: model, on: device)
        let logits = try model.logits(try model.read(ids, adapter: adapter, on: device), on: device)
        let served = (6..<11).reduce(0.0) { sum, place in
            let row = logits.rows(place - 1..<place)
            return sum + Double(row[Int(ids[place])] - device.logSumExp(row))
        }
        #expect(abs(served - trained) < 1e-4 * abs(trained) && abs(plain - trained) > 0.05 * abs(trained))
        let lengths = zip(parameters.modules, begun.modules).map {
            ($0.magnitude?.value.floats, $1.magnitude?.value.floats)
        }
        #expect(lengths.allSatisfy { $0.0 != nil && $0.0 != $0.1 })
    }

    @Test("What cannot be trained whole is refused by name")
    func fullRefusals() throws {
        let directory = try TemporaryDirectory(), device = Device(threadCount: 1)
        var options = try Self.full(output: directory.path)
        options.model = goldens + "qwen2"
        #expect(throws: (any Error).self) { try FineTuning(options, on: device) }
        options = try Self.options(.dpo, output: directory.path)
        (options.isFull, options.startingAdapter) = (true, nil)
        let error = #expect(throws: TrainingError.self) { try FineTuning(options, on: device) }
        #expect(error?.code == .unsupported && error?.message.contains("dpo") == true)
    }
}
