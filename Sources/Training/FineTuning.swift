import Autograd
import Foundation
package import Layers
package import Tensors
import TextModels
import Tokenizers

/// Trains an adapter of a model, or all of its weights, on the samples of a file.
///
/// A run is a function of the model, the data, the options and the seed: neither the number of threads nor the instruction
/// set changes a bit of it, nor does being killed and resumed.
package struct FineTuning {
    package struct Options: Sendable {
        /// A checkpoint as Hugging Face lays it out, or a GGUF file.
        package var model: String
        package var data: String
        package var output: String
        /// Samples that are not learned, whose loss is told with each checkpoint.
        package var heldOut: String?
        /// An adapter to begin with, whose rank, α and targets it then has.
        package var startingAdapter: String?
        /// Whether all weights are trained, in the place of an adapter; on answers alone.
        package var isFull = false
        package var objective = TrainingObjective.Configuration()
        package var adapter = AdapterParameters.Configuration()
        package var optimizer = AdamW.Configuration()
        package var shape = LearningRateSchedule.Shape.linear
        package var warmUp = 0
        /// Steps of the optimizer; nil for as many as `epochs` take.
        package var steps: Int?
        package var epochs = 1.0
        /// Samples of a step.
        package var batch = 8
        package var maxLength: Int?
        package var longSamples = SampleFile.LongSamples.refuse
        package var seed: UInt64 = 0
        package var isShuffled = true
        package var precision = Precision.auto
        /// Whether layers are computed again on the way back; no bit depends on it.
        package var recomputesLayers = false
        /// Steps from one checkpoint to the next.
        package var checkpointEvery = 50
        /// Whether the adapter of each epoch's end is kept, in a directory `step-N` of the output.
        package var keepsEpochs = false
        package var resumes = false

        package init(model: String, data: String, output: String) {
            (self.model, self.data, self.output) = (model, data, output)
        }
    }

    /// What a run is about, before its first step.
    package struct Plan: Sendable, Encodable {
        package var samples: Int
        package var dropped: Int
        package var tokens: Int
        package var answerTokens: Int
        package var parameters: Int
        package var steps: Int
        package var firstStep: Int
    }

    /// A step that was made.
    package struct Step: Sendable, Codable {
        /// From 1.
        package var step: Int
        package var loss: Double
        package var gradientNorm: Double
        package var learningRate: Double
        /// All tokens of the step, prompts too.
        package var tokens: Int
        package var tokensPerSecond: Double
        package var secondsLeft: Double
        /// Of DPO and KTO: β · log(policy / reference) of preferred completions and of others.
        package var chosenReward: Double?
        package var rejectedReward: Double?
        /// Of samples that are not learned, where a checkpoint was written.
        package var heldOutLoss: Double?
        /// The directory within the output that has the adapter of this step, where an epoch's is kept.
        package var kept: String?
    }

    package let plan: Plan
    private let options: Options
    private let directory: RunDirectory
    private let samples: [TrainingSample]
    private let heldOut: [TrainingSample]
    private let learner: any Learner
    private let loop: RunLoop

    /// Reads model and data, and the checkpoint of a run that is resumed.
    ///
    /// - Throws: `TrainingError`, `TextModelError`, `TokenizerError` or `TensorError` that names what is at fault.
    package init(_ options: Options, on device: Device) throws {
        self.options = options
        directory = try RunDirectory(options.output)
        try directory.checkIsFree(resumes: options.resumes)
        let tokenizer = try Tokenizer(directory: options.model)
        let made = try Self.learner(options, tokenizer, on: device), context = made.shape.context
        learner = made.learner
        let maxLength = min(options.maxLength ?? context, context)
        if let asked = options.maxLength, asked > context {
            throw TrainingError(
                .invalidOption, "--max-length is \(asked); the model's context has \(context) positions")
        }
        let encoder = try SampleEncoder(tokenizer, vocabulary: made.shape.vocabulary)
        func read(_ path: String) throws(TrainingError) -> SampleFile {
            try SampleFile(
                path: path, for: options.objective.method, encoder, maxLength: maxLength, long: options.longSamples)
        }
        let file = try read(options.data)
        samples = file.samples
        heldOut = try options.heldOut.map { try read($0).samples } ?? []
        if options.objective.method == .kto, samples.count < 2 || options.batch < 2 {
            throw TrainingError(
                .invalidOption, "kto compares samples of a batch: --batch must be 2 or more, and so must the samples")
        }
        let perEpoch = Double(samples.count) / Double(options.batch)
        let steps = options.steps ?? Int((perEpoch * options.epochs).rounded(.up))
        loop = try RunLoop(
            learner.parameters, options.optimizer,
            LearningRateSchedule(options.shape, warmUp: options.warmUp, total: steps),
            checkpointEvery: options.checkpointEvery, resumes: options.resumes,
            try Self.identity(options, samples, learner, steps: steps, maxLength: maxLength), in: directory, on: device)
        let texts = samples.flatMap(\.texts)
        plan = Plan(
            samples: samples.count, dropped: file.dropped, tokens: texts.reduce(0) { $0 + $1.ids.count },
            answerTokens: texts.reduce(0) { $0 + $1.answerCount },
            parameters: learner.parameters.reduce(0) { $0 + $1.value.count }, steps: steps,
            firstStep: loop.optimizer.steps)
    }

    /// Makes the steps that are left, and writes the adapter.
    ///
    /// - Parameters:
    ///   - report: is told of each step.
    ///   - isStopped: is asked after each; the run is left then, with a checkpoint to go on from.
    /// - Returns: whether all steps are made.
    /// - Throws: `TrainingError.diverged` where a loss or gradient is not a number: nothing is written then.
    @discardableResult
    package mutating func run(
        until isStopped: () -> Bool = { false }, _ report: (Step) throws -> Void
    ) throws -> Bool {
        var order = SampleOrder(count: samples.count, seed: options.seed, isShuffled: options.isShuffled)
        var result = TrainingObjective.Result(loss: 0)
        return try loop.run(until: isStopped) { index in
            let batch = order.step(index, batch: options.batch).map { samples[$0] }
            result = try learner.addGradients(batch)
            let tokens = batch.flatMap(\.texts).reduce(0) { $0 + $1.ids.count }
            return RunLoop.Batch(loss: result.loss, tokens: tokens) { [path = options.data] in
                "lines \(batch.map { "\($0.line)" }.joined(separator: ", ")) of \(path)"
            }
        } report: { made in
            let kept = try keepEpoch(made.step), isDue = made.isDue || kept != nil
            let heldOutLoss =
                isDue && !heldOut.isEmpty ? try learner.loss(heldOut, batch: options.batch) : nil
            try report(
                Step(
                    step: made.step, loss: made.loss, gradientNorm: made.gradientNorm, learningRate: made.learningRate,
                    tokens: made.tokens, tokensPerSecond: made.tokensPerSecond, secondsLeft: made.secondsLeft,
                    chosenReward: result.chosenReward, rejectedReward: result.rejectedReward,
                    heldOutLoss: heldOutLoss, kept: kept))
            return kept != nil
        } save: {
            try learner.write(to: directory.path)
        }
    }

    /// Keeps what is served where the step that was made ends an epoch, before the checkpoint that goes on behind it.
    private func keepEpoch(_ step: Int) throws -> String? {
        let seen = step * options.batch
        guard options.keepsEpochs, seen / samples.count > (seen - options.batch) / samples.count || step == plan.steps
        else { return nil }
        let name = "step-\(step)", path = "\(directory.path)/\(name)"
        do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch {
            throw TrainingError(.unwritable, "cannot make \(path): \(error.localizedDescription)")
        }
        try learner.write(to: path)
        return name
    }

    /// What is trained, and the extents of its model.
    private static func learner(
        _ options: Options, _ tokenizer: Tokenizer, on device: Device
    ) throws -> (learner: any Learner, shape: DecoderShape) {
        guard !options.isFull else {
            guard options.objective.method == .sft else {
                throw TrainingError(
                    .unsupported,
                    "all weights are trained on answers (sft) only; \(options.objective.method.rawValue) trains an adapter"
                )
            }
            let file = try ConfigurationFile(path: options.model + "/" + CheckpointFolder.configuration)
            let model = try TrainedDecoder(
                try DecoderBlueprint(file), recomputesLayers: options.recomputesLayers, on: device)
            try model.load(directory: options.model)
            return (
                try WholeLearner(model, base: options.model, tokenizer: tokenizer, on: device), model.blueprint.shape
            )
        }
        let loaded = try TextModelLoader.load(directory: options.model, precision: options.precision, on: device)
        let model = try TrainableDecoder(loaded, recomputesLayers: options.recomputesLayers, on: device)
        let shape = model.parts.shape, context = shape.context
        var own = options.objective
        own.maxLength = min(options.maxLength ?? context, context)
        let starting = options.startingAdapter
        let adapter =
            if let starting {
                try AdapterFile.read(starting, for: model.parts)
            } else {
                try AdapterParameters(options.adapter, for: model.parts, seed: options.seed, on: device)
            }
        let reference = try starting.map { try AdapterFile.read($0, for: model.parts) }
        let objective = TrainingObjective(own, model, reference: reference, on: device)
        return (AdapterLearner(adapter: adapter, objective: objective, base: options.model), shape)
    }

    private static func identity(
        _ options: Options, _ samples: [TrainingSample], _ learner: any Learner, steps: Int, maxLength: Int
    ) throws -> RunIdentity {
        let model = try NumericsID.compute(
            directory: options.model, tokenizerHash: "", precision: options.precision)
        var data = NumericsDigest("samples")
        for sample in samples {
            for text in sample.texts {
                let ids = text.ids.map { Float(bitPattern: UInt32(bitPattern: $0)) }
                data.add("\(sample.line) \(text.answers)", try Tensor(ids, shape: [ids.count]))
            }
            if case .judgement(_, let isDesirable) = sample.content {
                data.add("\(isDesirable)", try Tensor([], shape: [0]))
            }
        }
        var start = NumericsDigest("adapter")
        // A whole model is known by its files.
        if !options.isFull { for parameter in learner.parameters { start.add(parameter.name, parameter.value) } }
        let optimizer = options.optimizer
        let own = (learner as? AdapterLearner)?.adapter.configuration ?? AdapterParameters.Configuration()
        return RunIdentity([
            "the model": model, "the data": data.finish(), "the adapter it began with": start.finish(),
            "--method": options.objective.method.rawValue, "--beta": "\(options.objective.beta)",
            "--desirable-weight": "\(options.objective.desirableWeight)",
            "--undesirable-weight": "\(options.objective.undesirableWeight)", "--rank": "\(own.rank)",
            "--alpha": "\(own.alpha)", "--rslora": "\(own.usesRootScale)", "--dora": "\(own.hasMagnitudes)",
            "--full": "\(options.isFull)",
            "--targets": own.targets.joined(separator: ","), "--learning-rate": "\(optimizer.learningRate)",
            "--weight-decay": "\(optimizer.weightDecay)",
            "the moments' decay": "\(optimizer.beta1), \(optimizer.beta2), \(optimizer.epsilon)",
            "--clip": "\(optimizer.clip)", "--schedule": options.shape.rawValue, "--warm-up": "\(options.warmUp)",
            "--steps": "\(steps)", "--batch": "\(options.batch)", "--seed": "\(options.seed)",
            "--no-shuffle": "\(!options.isShuffled)", "--max-length": "\(maxLength)",
        ])
    }
}
