import Layers
import Tensors

/// Gemma 2 (arXiv 2408.00118): RMSNorm before and after each block, a GELU-gated feed-forward, soft-capped attention
/// scores and logits, and a window in every second layer.
struct Gemma2: Architecture {
    static let modelType = "gemma2"
    static let className = "Gemma2ForCausalLM"
    static let gguf: GGUFLayout? = .gemma(modelType, keys: ["attn_logit_softcapping", "final_logit_softcapping"])

    private var configuration: GemmaModel.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        try file.refuse("use_bidirectional_attention")
        let shape = try DecoderShape(file, headDim: 256, context: 8_192)
        var attention = PagedAttention.Configuration(shape, rotary: try RotaryFrequencies(file, shape: shape))
        attention.scale = 1 / Float(try file.positive("query_pre_attn_scalar", absent: 256)).squareRoot()
        attention.softCap = try file.positiveOrNone("attn_logit_softcapping", absent: 50) ?? 0
        let isBiased = try file.bool("attention_bias") ?? false
        attention.inputBias = isBiased
        attention.outputBias = isBiased
        attention.windows = try file.windows(try file.window(absent: 4_096), layers: shape.layers) { $0 % 2 == 0 }
        configuration = GemmaModel.Configuration(
            shape: shape, attention: attention,
            feedForward: GatedFeedForward.Configuration(
                width: try file.extent("intermediate_size", in: DecoderShape.Limits.feedForward),
                activation: try file.activation("hidden_activation", absent: "gelu_pytorch_tanh")),
            epsilon: Float(try file.number("rms_norm_eps") ?? 1e-6),
            isTied: try file.bool("tie_word_embeddings") ?? true,
            logitCap: try file.positiveOrNone("final_logit_softcapping", absent: 30))
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        let shape = try DecoderShape(file)
        var attention = PagedAttention.Configuration(shape, rotary: try RotaryFrequencies(file, shape: shape))
        // The file does not say what scores are divided by; only the 27B model, of 46 layers, differs.
        let scalar = shape.layers == 46 ? shape.hidden / shape.heads : shape.headDim
        attention.scale = 1 / Float(scalar).squareRoot()
        attention.softCap = Float(try file.positive("attn_logit_softcapping", absent: 50))
        attention.inputBias = file.hasTensor("blk.0.attn_q.bias")
        attention.outputBias = file.hasTensor("blk.0.attn_output.bias")
        let window = try file.window(absent: 4_096) ?? 0
        attention.windows = (0..<shape.layers).map { $0 % 2 == 0 ? window : 0 }
        configuration = GemmaModel.Configuration(
            shape: shape, attention: attention,
            feedForward: GatedFeedForward.Configuration(
                width: try file.extent("feed_forward_length", in: DecoderShape.Limits.feedForward),
                activation: .geluTanh),
            epsilon: Float(try file.number("attention.layer_norm_rms_epsilon") ?? 1e-6), isTied: file.isTied,
            logitCap: Float(try file.positive("final_logit_softcapping", absent: 30)))
    }

    func model(_ loader: WeightLoader) throws(TensorError) -> any TextModel { try GemmaModel(configuration, loader) }
}

extension GGUFLayout {
    /// Llama's names, with those of the norms after each block.
    static func gemma(_ name: String, keys: Set<String>) -> GGUFLayout {
        var layout = GGUFLayout(name: name, keys: keys)
        layout.layers["post_attention_layernorm"] = "post_attention_norm"
        layout.layers["pre_feedforward_layernorm"] = "ffn_norm"
        layout.layers["post_feedforward_layernorm"] = "post_ffw_norm"
        return layout
    }
}
