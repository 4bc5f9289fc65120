import Autograd
import Foundation
package import Tensors
package import TextModels
package import Tokenizers

/// Trains all weights of a language model on texts: from first weights that a seed draws, or from a checkpoint's.
///
/// A run is a function of the configuration, the data, the options and the seed: neither the number of threads or processes
/// nor the instruction set changes a bit of it, nor does being killed and resumed.
package struct TextTraining {
    package struct Options: Sendable {
        /// What the model is.
        package enum Source: Sendable, Hashable {
            /// A new one, as a `config.json` says it.
            case configuration(String)
            case new(DecoderBlueprint.Form, DecoderBlueprint.Extents)
            /// One that goes on being trained, in a directory.
            case checkpoint(String)
        }

        package var source: Source
        package var tokenizer: String
        package var data: [String]
        package var output: String
        /// Tokens of a sequence; nil for the model's context.
        package var sequenceLength: Int?
        package var separatesDocuments = false
        /// The share of the sequences, the last ones, that are not learned.
        package var heldOutShare = 0.01
        package var optimizer = AdamW.Configuration()
        package var shape = LearningRateSchedule.Shape.cosine
        package var warmUp = 0
        /// What the learning rate ends at, as a part of its highest.
        package var floor = 0.0
        package var steps: Int?
        package var epochs = 1.0
        /// Sequences of a step.
        package var batch = 8
        /// Into how many parts a batch's gradient is added, a power of two; nil for 4, or as many as the batch allows.
        package var parts: Int?
        package var averageDecay: Double?
        package var seed: UInt64 = 0
        package var isShuffled = true
        package var recomputesLayers = false
        package var checkpointEvery = 100
        package var resumes = false

        package init(source: Source, tokenizer: String, data: [String], output: String) {
            (self.source, self.tokenizer, self.data, self.output) = (source, tokenizer, data, output)
            optimizer.learningRate = 6e-4
            optimizer.weightDecay = 0.1
            optimizer.beta2 = 0.95
        }
    }

    /// What a run is about, before its first step.
    package struct Plan: Sendable, Encodable {
        package var architecture: String
        package var parameters: Int
        /// Without embeddings, positions and head, as scaling laws count them.
        package var innerParameters: Int
        package var documents: Int
        package var tokens: Int
        /// Of a sequence.
        package var context: Int
        /// Sequences that are learned, and those that are not.
        package var sequences: Int
        package var heldOutSequences: Int
        /// Tokens behind the last whole sequence.
        package var unusedTokens: Int
        package var batch: Int
        package var parts: Int
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
        package var tokens: Int
        package var tokensPerSecond: Double
        package var secondsLeft: Double
        /// Of sequences that are not learned, where a checkpoint was written.
        package var heldOutLoss: Double?
    }

    package let plan: Plan
    package let tokenizer: Tokenizer
    private let options: Options
    private let device: Device
    private let stream: TokenStream
    private let model: TrainedDecoder
    private let pass: DecoderPass
    private let tree: GradientTree
    private let loop: RunLoop
    private let folder: CheckpointFolder?
    private let averageFolder: CheckpointFolder?

    /// Reads configuration and data, and the checkpoint of a run that is resumed.
    ///
    /// - Parameter group: the processes that make the run together; nil for this one alone.
    /// - Throws: `TrainingError`, `TextModelError`, `TokenizerError` or `TensorError` that names what is at fault.
    package init(_ options: Options, group: (any TrainingGroup)? = nil, on device: Device) throws {
        (self.options, self.device) = (options, device)
        let writes = (group?.rank ?? 0) == 0
        let directory = try RunDirectory(options.output, locks: writes)
        try directory.checkIsFree(resumes: options.resumes)
        tokenizer = try Tokenizer(directory: options.tokenizer)
        guard let endToken = tokenizer.endOfText ?? tokenizer.endOfTurnTokens.min() else {
            throw TrainingError(
                .unsupported, "the tokenizer names no token that ends a text (\"eos_token\"), which joins texts")
        }
        let blueprint = try Self.blueprint(options, tokenizer, endToken: endToken)
        let length = try Self.length(options, blueprint)
        stream = try TokenStream(
            options.data, tokenizer, vocabulary: blueprint.shape.vocabulary, context: length,
            separatesDocuments: options.separatesDocuments)
        let heldOut = options.heldOutShare > 0 ? max(1, Int(Double(stream.count) * options.heldOutShare)) : 0
        let learned = stream.count - heldOut
        guard learned > 0 else {
            throw TrainingError(
                .invalidData,
                "the data makes \(stream.count) sequences of \(length) tokens, of which \(heldOut) are held out: none is left"
            )
        }
        let parts = try Self.parts(options, processes: group?.count ?? 1)
        model = try TrainedDecoder(blueprint, recomputesLayers: options.recomputesLayers, on: device)
        let steps = options.steps ?? Int((Double(learned) / Double(options.batch) * options.epochs).rounded(.up))
        let identity = try Self.identity(
            options, blueprint, tokens: try stream.identity(), steps: steps, parts: parts, heldOut: heldOut)
        if !(options.resumes && RunCheckpoint.exists(in: directory)) {
            if case .checkpoint(let path) = options.source {
                try model.load(directory: path)
            } else {
                model.initialize(seed: options.seed)
            }
        }
        loop = try RunLoop(
            model.parameters, options.optimizer,
            LearningRateSchedule(options.shape, warmUp: options.warmUp, total: steps, floor: options.floor),
            averageDecay: options.averageDecay, checkpointEvery: options.checkpointEvery, resumes: options.resumes,
            identity, in: directory, writes: writes, on: device)
        try Self.check(group, identity, firstStep: loop.optimizer.steps)
        tree = try GradientTree(model.parameters, parts: parts, group, on: device)
        pass = DecoderPass(model, on: device)
        let model = model
        func folder(_ path: String) throws(TrainingError) -> CheckpointFolder {
            try CheckpointFolder(path, model, tokenizer: options.tokenizer, endToken: endToken)
        }
        self.folder = writes ? try folder(options.output) : nil
        averageFolder = writes && options.averageDecay != nil ? try folder(options.output + "/ema") : nil
        plan = Plan(
            architecture: blueprint.form.rawValue, parameters: model.count,
            innerParameters: model.innerCount, documents: stream.documentCount,
            tokens: stream.tokenCount, context: length, sequences: learned, heldOutSequences: heldOut,
            unusedTokens: stream.tokenCount - 1 - stream.count * length, batch: options.batch, parts: parts,
            steps: steps, firstStep: loop.optimizer.steps)
    }

    /// Makes the steps that are left, and writes the model with each checkpoint.
    ///
    /// - Parameters:
    ///   - isStopped: is asked after each step; the run is left then, with a checkpoint to go on from.
    ///   - report: is told of each step.
    /// - Returns: whether all steps are made.
    /// - Throws: `TrainingError.diverged` where a loss or gradient is not a number: nothing is written then.
    @discardableResult
    package func run(until isStopped: () -> Bool = { false }, _ report: (Step) throws -> Void) throws -> Bool {
        var order = SampleOrder(count: plan.sequences, seed: options.seed, isShuffled: options.isShuffled)
        return try loop.run(until: isStopped) { index in
            try gradients(of: order.step(index, batch: options.batch), step: index)
        } report: { made in
            try report(
                Step(
                    step: made.step, loss: made.loss, gradientNorm: made.gradientNorm, learningRate: made.learningRate,
                    tokens: made.tokens, tokensPerSecond: made.tokensPerSecond, secondsLeft: made.secondsLeft,
                    heldOutLoss: made.isDue ? try heldOutLoss() : nil))
            return false
        } save: {
            try folder?.write()
            if let averages = loop.averages {
                let values = Dictionary(
                    uniqueKeysWithValues: zip(model.parameters.map(\.name), averages.values))
                try averageFolder?.write { values[$0.name] ?? $0.value }
            }
        }
    }

    private func gradients(of sequences: [Int], step: Int) throws -> RunLoop.Batch {
        let texts = sequences.map { stream.texts(of: $0) }
        let targets = texts.joined().reduce(0) { $0 + $1.targets.count }
        let weight = 1 / Double(max(1, targets)), size = sequences.count / plan.parts
        let sum = try tree.sum { part in
            try pass.addGradients(
                texts[part * size..<(part + 1) * size].flatMap { $0 }, weight: weight,
                dropout: DropoutStream(seed: options.seed, step: UInt32(step), pass: UInt32(part) << 16))
        }
        return RunLoop.Batch(loss: sum * weight, tokens: sequences.count * stream.context) {
            let named = sequences.prefix(8).map { stream.place(of: $0) }
            return named.joined(separator: ", ") + (sequences.count > 8 ? " and \(sequences.count - 8) more" : "")
        }
    }

    /// The mean loss, in nats a token, over what is not learned; nil where all is, and in a process that writes nothing.
    package func heldOutLoss() throws -> Double? {
        guard folder != nil, plan.heldOutSequences > 0 else { return nil }
        var (sum, count) = (0.0, 0)
        for sequence in plan.sequences..<plan.sequences + plan.heldOutSequences {
            let texts = stream.texts(of: sequence)
            sum += try pass.loss(texts)
            count += texts.reduce(0) { $0 + $1.targets.count }
        }
        return sum / Double(max(1, count))
    }

    /// The weights as they are now.
    var weights: WeightSnapshot {
        get throws(TensorError) { try WeightSnapshot(model) }
    }

    /// The model that serves, with those.
    package func servingModel() throws(TensorError) -> any TextModel {
        try model.blueprint.model(of: try weights, on: device)
    }
}
