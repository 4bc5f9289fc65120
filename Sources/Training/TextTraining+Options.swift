import Foundation
import JSON
import Layers
import Tensors
import TextModels
import Tokenizers

extension TextTraining {
    /// What the model is made of, which must fit the tokenizer.
    static func blueprint(
        _ options: Options, _ tokenizer: Tokenizer, endToken: Int32
    ) throws -> DecoderBlueprint {
        let tokens = tokenizer.vocabulary.count, file: ConfigurationFile
        switch options.source {
        case .configuration(let path): file = try ConfigurationFile(path: path)
        case .checkpoint(let directory):
            file = try ConfigurationFile(path: directory + "/" + CheckpointFolder.configuration)
        case .new(let form, let extents):
            file = DecoderBlueprint.configuration(form, extents, vocabulary: tokens, endToken: endToken)
        }
        let blueprint = try DecoderBlueprint(file)
        guard blueprint.shape.vocabulary >= tokens else {
            throw file.refusal("vocab_size", "is \(blueprint.shape.vocabulary); the tokenizer has \(tokens) tokens")
        }
        if let ends = try file.tokens("eos_token_id"), !ends.contains(endToken) {
            throw file.refusal(
                "eos_token_id",
                "is \(ends.map(String.init).joined(separator: ", ")); the tokenizer ends texts with token \(endToken)")
        }
        return blueprint
    }

    /// Tokens of a sequence.
    static func length(_ options: Options, _ blueprint: DecoderBlueprint) throws(TrainingError) -> Int {
        let context = blueprint.shape.context, length = options.sequenceLength ?? context
        guard (1...context).contains(length) else {
            throw TrainingError(
                .invalidOption, "--sequence-length is \(length); the model's context has \(context) positions")
        }
        return length
    }

    /// Parts whose gradients are added as a tree.
    static func parts(_ options: Options, processes: Int) throws(TrainingError) -> Int {
        let batch = options.batch
        let parts = options.parts ?? [4, 2, 1].first { batch % $0 == 0 } ?? 1
        guard parts >= 1, parts.nonzeroBitCount == 1, batch % parts == 0 else {
            throw TrainingError(
                .invalidOption, "--parts is \(parts): it must be a power of two that divides --batch \(batch)")
        }
        guard processes.nonzeroBitCount == 1, parts % processes == 0 else {
            throw TrainingError(
                .invalidOption,
                "\(processes) processes cannot share \(parts) parts of a batch evenly: run 1, 2, 4 … of them, at most as many as "
                    + "--parts, which must divide --batch \(batch)")
        }
        return parts
    }

    /// Sees to it that the processes of a group make the same run from the same step: those that do not share a file system
    /// would not.
    ///
    /// - Throws: `TrainingError.invalidOption` where they do not.
    static func check(_ group: (any TrainingGroup)?, _ identity: RunIdentity, firstStep: Int) throws {
        guard let group else { return }
        var digest = NumericsDigest("run")
        for (name, value) in identity.parts.sorted(by: { $0.key < $1.key }) {
            digest.add("\(name)=\(value)", try Tensor([], shape: [0]))
        }
        let number = digest.finish().utf8.prefix(12).reduce(0.0) { 16 * $0 + Double($1 % 16) }
        var stride = 1
        while stride < group.count {
            let partner = group.rank ^ stride
            let others = (
                try group.exchange(number, with: partner), try group.exchange(Double(firstStep), with: partner)
            )
            guard others == (number, Double(firstStep)) else {
                throw TrainingError(
                    .invalidOption,
                    "processes \(group.rank) and \(partner) do not make the same run: they begin behind step \(firstStep) and "
                        + "\(Int(others.1)), or differ in data or options; all need the same files, --output too")
            }
            stride *= 2
        }
    }

    static func identity(
        _ options: Options, _ blueprint: DecoderBlueprint, tokens: String, steps: Int, parts: Int, heldOut: Int
    ) throws -> RunIdentity {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let configuration = String(decoding: try encoder.encode(JSONValue.object(blueprint.json)), as: UTF8.self)
        var start = "drawn by the seed"
        if case .checkpoint(let path) = options.source {
            start = try NumericsID.compute(directory: path, tokenizerHash: "")
        }
        let optimizer = options.optimizer
        return RunIdentity([
            "the configuration": configuration, "the weights it began with": start, "the data": tokens,
            "--held-out": "\(heldOut) sequences", "--learning-rate": "\(optimizer.learningRate)",
            "--weight-decay": "\(optimizer.weightDecay)",
            "--beta1, --beta2, --epsilon": "\(optimizer.beta1), \(optimizer.beta2), \(optimizer.epsilon)",
            "--clip": "\(optimizer.clip)", "--schedule": options.shape.rawValue, "--warm-up": "\(options.warmUp)",
            "--final-rate": "\(options.floor)", "--steps": "\(steps)", "--batch": "\(options.batch)",
            "--parts": "\(parts)", "--ema": options.averageDecay.map { "\($0)" } ?? "none", "--seed": "\(options.seed)",
            "--no-shuffle": "\(!options.isShuffled)",
        ])
    }
}
