import Foundation
import Layers
import Tensors

/// Ministral 3 (arXiv 2601.08584): Mistral with YaRN, whose queries grow with the logarithm of their position beyond the
/// original context, as Llama 4's do.
struct Ministral3: DecoderArchitecture {
    static let modelType = "ministral3"
    static let className = "Ministral3ForCausalLM"
    static let gguf: GGUFLayout? = nil

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        guard let rope = try file.fields("rope_parameters") else {
            throw file.refusal("rope_parameters", "is missing; it says how far queries grow")
        }
        configuration = try Decoder.Configuration(file, headDim: 128, context: 262_144, epsilon: 1e-5)
        configuration.attention.windows = try file.windows(
            try file.window(absent: nil), layers: configuration.shape.layers
        ) { _ in true }
        let beta = Float(try rope.number("llama_4_scaling_beta") ?? 0)
        let original = Float(
            try rope.extent("original_max_position_embeddings", in: 1...1_048_576, absent: configuration.shape.context))
        if beta != 0 {
            configuration.queryScale = { 1 + beta * Float(log(Double(1 + (Float($0) / original).rounded(.down)))) }
        }
    }
}

/// The language model within Mistral's checkpoints of text and pictures. Pictures are not taken in.
struct Mistral3Conditional: Architecture {
    static let modelType = "mistral3"
    static let className = "Mistral3ForConditionalGeneration"
    static let gguf: GGUFLayout? = nil

    private let text: any Architecture

    init(_ file: ConfigurationFile) throws(TextModelError) {
        let fields = try file.textConfiguration()
        switch try fields.text("model_type") {
        case "mistral", nil: text = try Mistral(fields)
        case "ministral3": text = try Ministral3(fields)
        case let other?:
            throw fields.refusal("model_type", "is \"\(other)\"; mistral and ministral3 are known", .unsupported)
        }
    }

    var extents: ModelExtents { text.extents }

    func model(_ loader: WeightLoader) throws(TensorError) -> any TextModel { try text.model(loader) }
}
