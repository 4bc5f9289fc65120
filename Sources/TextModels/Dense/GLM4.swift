import Layers
import Tensors

/// GLM 4 of 2025 (arXiv 2406.12793), dense: Llama with norms before and after each block, of whose heads the first half is
/// turned, in pairs that stand side by side.
struct GLM4: DecoderArchitecture {
    static let modelType = "glm4"
    static let className = "Glm4ForCausalLM"
    static let gguf: GGUFLayout? = {
        var layout = GGUFLayout(name: "glm4")
        layout.layers["post_self_attn_layernorm"] = "post_attention_norm"
        layout.layers["post_mlp_layernorm"] = "post_ffw_norm"
        return layout
    }()

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        let shape = try DecoderShape(file, headDim: 128, context: 131_072)
        configuration = try Decoder.Configuration(
            file, shape: shape, context: 131_072, epsilon: 1.5625e-7,
            rotary: try RotaryFrequencies(file, shape: shape, partial: 0.5))
        configuration.attention.inputBias = try file.bool("attention_bias") ?? true
        becomeGLM()
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(
            file, rotary: try RotaryFrequencies(file, shape: try DecoderShape(file), partial: true))
        becomeGLM()
    }

    private mutating func becomeGLM() {
        configuration.norms = .init(
            attention: .init(before: "input_layernorm", after: "post_self_attn_layernorm"),
            feedForward: .init(before: "post_attention_layernorm", after: "post_mlp_layernorm"))
        configuration.isRotaryInterleaved = true
        configuration.feedForward.isJoint = true
    }
}
