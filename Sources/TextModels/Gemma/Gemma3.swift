import Layers
import Tensors

/// Gemma 3 (arXiv 2503.19786), text: Gemma 2 without soft caps, with an RMSNorm over each head's queries and keys, a
/// window in five of six layers, and another rotation in those.
struct Gemma3: DecoderArchitecture {
    static let modelType = "gemma3_text"
    static let className = "Gemma3ForCausalLM"
    static let gguf: GGUFLayout? = .gemma(
        "gemma3", keys: ["final_logit_softcapping", "rope.freq_base_swa", "attention.sliding_window_pattern"])

    private(set) var configuration: Decoder.Configuration
    private static let (fullBase, windowedBase) = (1_000_000.0, 10_000.0)
    /// Of so many layers the last is full.
    private static let pattern = 6

    init(_ file: ConfigurationFile) throws(TextModelError) {
        try file.refuse("use_bidirectional_attention")
        let shape = try DecoderShape(file, headDim: 256, context: 131_072, heads: 8, kvHeads: 4, vocabulary: 262_208)
        configuration = try Decoder.Configuration(
            file, shape: shape, context: 131_072,
            rotary: try RotaryFrequencies(file, shape: shape, type: "full_attention", standardBase: Self.fullBase),
            activation: "hidden_activation", standardActivation: "gelu_pytorch_tanh", isTied: true)
        configuration.windowedRotary = try RotaryFrequencies(
            file, shape: shape, type: "sliding_attention", localBase: "rope_local_base_freq",
            standardBase: Self.windowedBase)
        configuration.becomeGemma(dividing: try file.positive("query_pre_attn_scalar", absent: 256))
        configuration.attention.softCap = try file.positiveOrNone("attn_logit_softcapping", absent: nil) ?? 0
        configuration.scales.logitCap = try file.positiveOrNone("final_logit_softcapping", absent: nil)
        try configuration.readAttentionBias(file)
        let pattern = try file.extent("sliding_window_pattern", in: 1...1_024, absent: Self.pattern)
        configuration.attention.windows = try file.windows(try file.window(absent: 4_096), layers: shape.layers) {
            ($0 + 1) % pattern != 0
        }
        configuration.attention.normEpsilon = configuration.epsilon
        configuration.attention.isNormOffset = true
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        let shape = try DecoderShape(file)
        configuration = try Decoder.Configuration(
            file, rotary: try RotaryFrequencies(file, shape: shape, standardBase: Self.fullBase),
            activation: .geluTanh)
        configuration.windowedRotary = RotaryFrequencies(
            base: try file.positive("rope.freq_base_swa", absent: Self.windowedBase), width: shape.headDim)
        // The file does not say what scores are divided by; only the 27B model, of 62 layers, differs.
        configuration.becomeGemma(dividing: Double(shape.layers == 62 ? shape.hidden / shape.heads : shape.headDim))
        let window = try file.window(absent: 1_024) ?? 0
        let pattern = try file.extent("attention.sliding_window_pattern", in: 1...1_024, absent: Self.pattern)
        configuration.attention.windows = (0..<shape.layers).map { ($0 + 1) % pattern != 0 ? window : 0 }
        configuration.attention.normEpsilon = configuration.epsilon
        configuration.attention.isNormOffset = true
        let cap = try file.number("final_logit_softcapping") ?? 0
        configuration.scales.logitCap = cap > 0 ? Float(cap) : nil
    }
}

/// The language model within Gemma 3's checkpoints of text and pictures. Pictures are not taken in.
struct Gemma3Conditional: LanguageModelWithin {
    static let modelType = "gemma3"
    static let className = "Gemma3ForConditionalGeneration"

    let text: Gemma3
}
