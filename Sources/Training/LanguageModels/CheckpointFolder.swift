import Autograd
import Foundation
import JSON
import Layers
import Tensors
import TextModels
import Tokenizers

/// A model as Hugging Face lays it out, written while it is trained: `config.json`, the tokenizer's files, and
/// `model.safetensors`, which is replaced whole.
struct CheckpointFolder {
    /// What tokenizers are made of, and what says how text is generated.
    private static let companions = [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
        "merges.txt", "vocab.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "tekken.json",
        "chat_template.jinja", "chat_template.json", "generation_config.json",
    ]
    static let weights = "model.safetensors", configuration = "config.json"

    private let directory: String
    private let model: TrainedDecoder

    /// Writes all but the weights.
    ///
    /// - Parameters:
    ///   - tokenizer: the directory whose tokenizer's files are copied.
    ///   - endToken: that which ends a text.
    /// - Throws: `TrainingError` where the directory has no such files, or a file cannot be written.
    init(_ directory: String, _ model: TrainedDecoder, tokenizer: String, endToken: Int32) throws(TrainingError) {
        (self.directory, self.model) = (directory, model)
        do { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true) } catch {
            throw TrainingError(.unwritable, "cannot make \(directory): \(error.localizedDescription)")
        }
        let names =
            Self.companions
            + ((try? FileManager.default.contentsOfDirectory(atPath: tokenizer)) ?? [])
            .filter { $0.hasSuffix(".tiktoken") }
        var copied = 0
        for name in names {
            guard let data = FileManager.default.contents(atPath: tokenizer + "/" + name) else { continue }
            try DurableFile.write(data, to: directory + "/" + name)
            copied += 1
        }
        guard copied > 0 else {
            throw TrainingError(
                .unsupported,
                "\(tokenizer) has none of a tokenizer's files (tokenizer.json, tokenizer.model, vocab.json …) to copy")
        }
        try DurableFile.write(
            try Self.encoded(model.blueprint.json, endToken), to: directory + "/" + Self.configuration)
    }

    private static func encoded(_ given: JSONObject, _ endToken: Int32) throws(TrainingError) -> Data {
        var members = given.members.filter { !["dtype", "torch_dtype"].contains($0.key) }
        if given["eos_token_id"]?.isNull != false {
            members.removeAll { $0.key == "eos_token_id" }
            members.append(("eos_token_id", .number(JSONNumber("\(endToken)"))))
        }
        members.append(("dtype", .string("float32")))
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return try encoder.encode(JSONValue.object(JSONObject(members)))
        } catch { throw TrainingError(.internalError, "cannot write a configuration as JSON: \(error)") }
    }

    /// Writes the weights.
    ///
    /// - Parameter value: what stands for a parameter: itself, or its average.
    /// - Throws: `TrainingError.unwritable`; the weights before are then untouched.
    func write(_ value: (Parameter) -> Tensor = \.value) throws(TrainingError) {
        let tensors = Dictionary(uniqueKeysWithValues: model.tensors.map { ($0.name, $0) })
        try DurableFile.write(tensors.mapValues { (.f32, $0.shape) }, to: directory + "/" + Self.weights) {
            name throws(TensorError) in
            guard let tensor = tensors[name] else { throw TensorError(.missing, "no tensor \"\(name)\" was planned") }
            return try tensor.value(value)
        }
    }
}

/// Weights in memory, as a checkpoint would have them.
struct WeightSnapshot: WeightSource {
    private let tensors: [String: Tensor]

    /// Of the weights as they are now.
    init(_ model: TrainedDecoder) throws(TensorError) {
        var tensors: [String: Tensor] = [:]
        for tensor in model.tensors {
            let value = try tensor.value(), copy = try Tensor(uninitialized: value.shape)
            copy.copy(from: value)
            tensors[tensor.name] = copy
        }
        self.tensors = tensors
    }

    var layout: WeightLayout { .huggingFace }

    func contains(_ name: String) -> Bool { tensors[name] != nil }

    func shape(of name: String) -> [Int]? { tensors[name]?.shape }

    func tensor(_ name: String, shape: [Int]?, rows: Range<Int>?) throws(TensorError) -> Tensor {
        guard let tensor = tensors[name], shape == nil || shape == tensor.shape else {
            throw TensorError(.missing, "the model has no tensor \"\(name)\" of \(shape ?? [])")
        }
        return rows.map { tensor.rows($0) } ?? tensor
    }

    func blocks(_ name: String, shape: [Int], rows: Range<Int>?) -> BlockMatrix? { nil }
}
