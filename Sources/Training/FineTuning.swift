import Autograd
import Foundation
package import Layers
package import Tensors
import TextModels
import Tokenizers

/// Trains an adapter of a model on the samples of a file.
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
    private let device: Device
    private let directory: RunDirectory
    private let identity: RunIdentity
    private let samples: [TrainingSample]
    private let heldOut: [TrainingSample]
    private let adapter: AdapterParameters
    private let objective: TrainingObjective
    private let schedule: LearningRateSchedule
    private var optimizer: AdamW

    /// Reads model and data, and the checkpoint of a run that is resumed.
    ///
    /// - Throws: `TrainingError`, `TextModelError`, `TokenizerError` or `TensorError` that names what is at fault.
    package init(_ options: Options, on device: Device) throws {
        (self.options, self.device) = (options, device)
        directory = try RunDirectory(options.output)
        guard options.resumes || !RunCheckpoint.exists(in: directory) else {
            throw TrainingError(
                .invalidOption,
                "\(options.output) holds a run already; --resume goes on with it, another --output begins a new one")
        }
        let tokenizer = try Tokenizer(directory: options.model)
        let loaded = try TextModelLoader.load(directory: options.model, precision: options.precision, on: device)
        let model = try TrainableDecoder(loaded, recomputesLayers: options.recomputesLayers, on: device)
        let context = model.parts.shape.context
        let maxLength = min(options.maxLength ?? context, context)
        if let asked = options.maxLength, asked > context {
            throw TrainingError(
                .invalidOption, "--max-length is \(asked); the model's context has \(context) positions")
        }
        let encoder = try SampleEncoder(tokenizer, vocabulary: model.parts.shape.vocabulary)
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
        var reference: AdapterParameters?
        if let starting = options.startingAdapter {
            adapter = try AdapterFile.read(starting, for: model.parts)
            reference = try AdapterFile.read(starting, for: model.parts)
        } else {
            adapter = try AdapterParameters(options.adapter, for: model.parts, seed: options.seed)
        }
        var own = options.objective
        own.maxLength = maxLength
        objective = TrainingObjective(own, model, reference: reference, on: device)
        let perEpoch = Double(samples.count) / Double(options.batch)
        let steps = options.steps ?? Int((perEpoch * options.epochs).rounded(.up))
        schedule = LearningRateSchedule(options.shape, warmUp: options.warmUp, total: steps)
        identity = try Self.identity(options, samples, adapter, steps: steps, maxLength: maxLength)
        optimizer =
            options.resumes && RunCheckpoint.exists(in: directory)
            ? try RunCheckpoint.restore(adapter.parameters, options.optimizer, identity, from: directory)
            : try AdamW(options.optimizer, adapter.parameters)
        let texts = samples.flatMap(\.texts)
        plan = Plan(
            samples: samples.count, dropped: file.dropped, tokens: texts.reduce(0) { $0 + $1.ids.count },
            answerTokens: texts.reduce(0) { $0 + $1.answerCount }, parameters: adapter.count, steps: steps,
            firstStep: optimizer.steps)
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
        let clock = ContinuousClock(), first = optimizer.steps, start = clock.now
        while optimizer.steps < plan.steps {
            let index = optimizer.steps, begun = clock.now
            let batch = order.step(index, batch: options.batch).map { samples[$0] }
            let result = try objective.addGradients(batch, adapter)
            let norm = AdamW.gradientNorm(adapter.parameters, on: device)
            guard result.loss.isFinite, norm.isFinite else { throw divergence(batch, step: index + 1, result, norm) }
            let factor = schedule.factor(step: index)
            optimizer.step(adapter.parameters, norm: norm, factor: factor, on: device)
            let tokens = batch.flatMap(\.texts).reduce(0) { $0 + $1.ids.count }
            let kept = try keepEpoch()
            let isDue = optimizer.steps == plan.steps || optimizer.steps % options.checkpointEvery == 0 || kept != nil
            let heldOutLoss =
                isDue && !heldOut.isEmpty ? try objective.loss(heldOut, adapter, batch: options.batch) : nil
            let average = (clock.now - start) / (optimizer.steps - first)
            try report(
                Step(
                    step: optimizer.steps, loss: result.loss, gradientNorm: norm,
                    learningRate: options.optimizer.learningRate * factor, tokens: tokens,
                    tokensPerSecond: Double(tokens) / ((clock.now - begun) / .seconds(1)),
                    secondsLeft: (average / .seconds(1)) * Double(plan.steps - optimizer.steps),
                    chosenReward: result.chosenReward, rejectedReward: result.rejectedReward,
                    heldOutLoss: heldOutLoss, kept: kept))
            // A step is told before it is kept: what whoever goes on behind a checkpoint was not told of is made again.
            let isLeft = optimizer.steps < plan.steps && isStopped()
            if isDue || isLeft { try save() }
            if isLeft { return false }
        }
        if plan.firstStep == plan.steps { try save() }
        return true
    }

    /// Keeps the adapter where the step that was made ends an epoch, before the checkpoint that goes on behind it.
    private func keepEpoch() throws -> String? {
        let (seen, step) = (optimizer.steps * options.batch, optimizer.steps)
        guard options.keepsEpochs, seen / samples.count > (seen - options.batch) / samples.count || step == plan.steps
        else { return nil }
        let name = "step-\(step)", path = "\(directory.path)/\(name)"
        do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch {
            throw TrainingError(.unwritable, "cannot make \(path): \(error.localizedDescription)")
        }
        try AdapterFile.write(adapter, base: options.model, to: path)
        return name
    }

    /// The checkpoint first: what is kept of the adapter alone follows it.
    private func save() throws {
        try RunCheckpoint.write(adapter.parameters, optimizer, identity, to: directory)
        try AdapterFile.write(adapter, base: options.model, to: directory.path)
    }

    private func divergence(
        _ batch: [TrainingSample], step: Int, _ result: TrainingObjective.Result, _ norm: Double
    ) -> TrainingError {
        let lines = batch.map { "\($0.line)" }.joined(separator: ", ")
        return TrainingError(
            .diverged,
            "step \(step): the loss is \(result.loss) and the gradient's norm \(norm), on lines \(lines) of \(options.data); "
                + "the checkpoint before is kept. A lower --learning-rate, or other data, may help")
    }

    private static func identity(
        _ options: Options, _ samples: [TrainingSample], _ adapter: AdapterParameters, steps: Int, maxLength: Int
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
        for parameter in adapter.parameters { start.add(parameter.name, parameter.value) }
        let optimizer = options.optimizer, own = adapter.configuration
        return RunIdentity([
            "the model": model, "the data": data.finish(), "the adapter it began with": start.finish(),
            "--method": options.objective.method.rawValue, "--beta": "\(options.objective.beta)",
            "--desirable-weight": "\(options.objective.desirableWeight)",
            "--undesirable-weight": "\(options.objective.undesirableWeight)", "--rank": "\(own.rank)",
            "--alpha": "\(own.alpha)", "--rslora": "\(own.usesRootScale)",
            "--targets": own.targets.joined(separator: ","), "--learning-rate": "\(optimizer.learningRate)",
            "--weight-decay": "\(optimizer.weightDecay)",
            "the moments' decay": "\(optimizer.beta1), \(optimizer.beta2), \(optimizer.epsilon)",
            "--clip": "\(optimizer.clip)", "--schedule": options.shape.rawValue, "--warm-up": "\(options.warmUp)",
            "--steps": "\(steps)", "--batch": "\(options.batch)", "--seed": "\(options.seed)",
            "--no-shuffle": "\(!options.isShuffled)", "--max-length": "\(maxLength)",
        ])
    }
}
