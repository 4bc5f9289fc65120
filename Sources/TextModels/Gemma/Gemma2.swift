import Layers
import Tensors

/// Gemma 2 (arXiv 2408.00118): RMSNorm before and after each block, a GELU-gated feed-forward, soft-capped attention
/// scores and logits, and a window in every second layer.
struct Gemma2: DecoderArchitecture {
    static let modelType = "gemma2"
    static let className = "Gemma2ForCausalLM"
    static let gguf: GGUFLayout? = .gemma(modelType, keys: ["attn_logit_softcapping", "final_logit_softcapping"])

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        try file.refuse("use_bidirectional_attention")
        configuration = try Decoder.Configuration(
            file, headDim: 256, context: 8_192, activation: "hidden_activation",
            standardActivation: "gelu_pytorch_tanh", isTied: true)
        configuration.becomeGemma(dividing: try file.positive("query_pre_attn_scalar", absent: 256))
        configuration.attention.softCap = try file.positiveOrNone("attn_logit_softcapping", absent: 50) ?? 0
        configuration.scales.logitCap = try file.positiveOrNone("final_logit_softcapping", absent: 30)
        try configuration.readAttentionBias(file)
        configuration.attention.windows = try file.windows(
            try file.window(absent: 4_096), layers: configuration.shape.layers
        ) { $0 % 2 == 0 }
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(file, activation: .geluTanh)
        let shape = configuration.shape
        // The file does not say what scores are divided by; only the 27B model, of 46 layers, differs.
        configuration.becomeGemma(dividing: Double(shape.layers == 46 ? shape.hidden / shape.heads : shape.headDim))
        configuration.attention.softCap = Float(try file.positive("attn_logit_softcapping", absent: 50))
        configuration.scales.logitCap = Float(try file.positive("final_logit_softcapping", absent: 30))
        let window = try file.window(absent: 4_096) ?? 0
        configuration.attention.windows = (0..<shape.layers).map { $0 % 2 == 0 ? window : 0 }
    }
}

extension Decoder.Configuration {
    /// What Gemma 2 and 3 have in common: norms around each block with weights less one, embeddings times √C.
    ///
    /// - Parameter scalar: scores are divided by its square root.
    mutating func becomeGemma(dividing scalar: Double) {
        norms = .around
        isNormOffset = true
        // Rounded once, as transformers does where it computes in f32.
        scales.embedding = Float(Double(shape.hidden).squareRoot())
        attention.scale = 1 / Float(scalar).squareRoot()
    }
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
