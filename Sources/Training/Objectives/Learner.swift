import Autograd
import Foundation
import Tensors
import Tokenizers

/// What a run of fine-tuning changes: an adapter, or the whole model.
protocol Learner {
    /// All that is trained, in a fixed order.
    var parameters: [Parameter] { get }

    /// Adds the gradient of the batch's loss to the parameters'.
    func addGradients(_ samples: [TrainingSample]) throws -> TrainingObjective.Result

    /// The loss of samples that are not learned, as it is of batches of that size.
    func loss(_ samples: [TrainingSample], batch: Int) throws -> Double

    /// Writes what is served to a directory that exists.
    func write(to directory: String) throws
}

/// An adapter of a model whose weights are frozen.
struct AdapterLearner: Learner {
    let adapter: AdapterParameters
    let objective: TrainingObjective
    /// What the adapter is said to belong to.
    let base: String

    var parameters: [Parameter] { adapter.parameters }

    func addGradients(_ samples: [TrainingSample]) throws -> TrainingObjective.Result {
        try objective.addGradients(samples, adapter)
    }

    func loss(_ samples: [TrainingSample], batch: Int) throws -> Double {
        try objective.loss(samples, adapter, batch: batch)
    }

    func write(to directory: String) throws { try AdapterFile.write(adapter, base: base, to: directory) }
}

/// All weights of a model, on answers alone: preferences would need a second model to compare with.
struct WholeLearner: Learner {
    private let pass: DecoderPass
    /// The directory of the checkpoint that it began as, whose tokenizer it has.
    private let base: String
    private let endToken: Int32
    let parameters: [Parameter]

    /// - Throws: `TrainingError.unsupported` for a model that drops what it computes in training.
    init(_ model: TrainedDecoder, base: String, tokenizer: Tokenizer, on device: Device) throws(TrainingError) {
        guard model.blueprint.embeddingDropout == 0, model.blueprint.blockDropout == 0 else {
            throw TrainingError(
                .unsupported,
                "\(base): \"embd_pdrop\" or \"resid_pdrop\" is above 0; nothing is dropped in fine-tuning: set them to 0"
            )
        }
        (pass, self.base, parameters) = (DecoderPass(model, on: device), base, model.parameters)
        endToken = tokenizer.endOfText ?? tokenizer.endOfTurnTokens.min() ?? 0
    }

    /// The mean over all answer tokens of the batch, as transformers' trainer has it.
    func addGradients(_ samples: [TrainingSample]) throws -> TrainingObjective.Result {
        let texts = samples.flatMap(\.texts).map { PassText($0) }, weight = weight(of: texts)
        return TrainingObjective.Result(loss: try pass.addGradients(texts, weight: weight, dropout: nil) * weight)
    }

    func loss(_ samples: [TrainingSample], batch: Int) throws -> Double {
        let texts = samples.flatMap(\.texts).map { PassText($0) }
        return try pass.loss(texts) * weight(of: texts)
    }

    private func weight(of texts: [PassText]) -> Double {
        1 / Double(max(1, texts.reduce(0) { $0 + $1.targets.count }))
    }

    func write(to directory: String) throws {
        let folder = try CheckpointFolder(directory, pass.model, tokenizer: base, endToken: endToken)
        try folder.write()
    }
}
