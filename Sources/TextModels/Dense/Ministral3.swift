import Foundation
import Layers
import Tensors

/// Ministral 3 (arXiv 2601.08584): Mistral with YaRN, whose queries grow with the logarithm of their position beyond the
/// original context, as Llama 4's do.
struct Ministral3: DecoderArchitecture {
    static let modelType = "ministral3"
    static let className = "Ministral3ForCausalLM"
    /// Of Mistral's older language models too, whose checkpoints hold pictures: without a scaling of queries.
    static let gguf: GGUFLayout? = {
        var layout = GGUFLayout(name: "mistral3", interleavesRotaryRows: true)
        layout.keys = [temperature, logMultiplier]
        return layout
    }()
    private static let temperature = "attention.temperature_scale"
    private static let logMultiplier = "rope.scaling.yarn_log_multiplier"

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
        scaleQueries(beta, original)
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        let shape = try DecoderShape(file), all = try file.number(Self.logMultiplier) ?? 0
        guard all >= 0, all.isFinite else {
            throw file.refusal(Self.logMultiplier, "is \(all); it must not be negative")
        }
        configuration = try Decoder.Configuration(
            file, shape: shape, rotary: try RotaryFrequencies(file, shape: shape, scaleOfAll: all))
        let window = try file.window() ?? 0
        configuration.attention.windows = Array(repeating: window, count: shape.layers)
        let beta = Float(try file.number(Self.temperature) ?? 0)
        if beta != 0 {
            scaleQueries(
                beta, Float(try file.extent("rope.scaling.original_context_length", in: 1...1_048_576)))
        }
    }

    private mutating func scaleQueries(_ beta: Float, _ original: Float) {
        guard beta != 0 else { return }
        configuration.queryScale = { 1 + beta * Float(log(Double(1 + (Float($0) / original).rounded(.down)))) }
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
