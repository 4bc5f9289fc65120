import Layers
import Tensors

/// gpt-oss (arXiv 2508.10925): experts with biases and a limited gate, attention with sinks, a window in every second
/// layer, YaRN. Its weights are published in MXFP4.
struct GPTOSS: DecoderArchitecture {
    static let modelType = "gpt_oss"
    static let className = "GptOssForCausalLM"
    static let gguf: GGUFLayout? = {
        var layout = GGUFLayout(name: "gpt-oss").withExperts()
        layout.layers["post_attention_layernorm"] = "post_attention_norm"
        layout.layers["self_attn.sinks"] = "attn_sinks"
        return layout
    }()

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        let shape = try DecoderShape(file, headDim: 64, context: 131_072, kvHeads: 8)
        // Without parameters the architecture's own are YaRN's, by a factor of 32.
        let rotary =
            file.has("rope_parameters") || file.has("rope_scaling")
            ? try RotaryFrequencies(file, shape: shape, standardBase: 150_000)
            : RotaryFrequencies(
                base: try file.positive("rope_theta", absent: 150_000), width: shape.headDim,
                scaling: .yarn(
                    factor: 32, attention: Float(RotaryFrequencies.yarnAttention(32)), fast: 32, slow: 1,
                    originalContext: 4_096, truncates: false))
        configuration = try Decoder.Configuration(file, shape: shape, context: 131_072, epsilon: 1e-5, rotary: rotary)
        try configuration.readAttentionBias(file, absent: true)
        let alpha = try file.number("swiglu_alpha") ?? 1.702
        guard alpha == 1.702 else {
            throw file.refusal("swiglu_alpha", "is \(alpha); only 1.702 is supported", .unsupported)
        }
        var experts = try configuration.experts(
            file, absent: 128, chosen: 4, width: configuration.feedForward.width,
            layout: .alternating(router: "router", experts: "experts"))
        experts.limit = Float(try file.positive("swiglu_limit", absent: 7))
        becomeGPTOSS(
            experts,
            windows: try file.windows(try file.window(absent: 128), layers: shape.layers) { $0 % 2 == 0 })
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        let shape = try DecoderShape(file)
        // llama.cpp's files cannot say that YaRN's bounds are no whole pairs.
        configuration = try Decoder.Configuration(
            file, epsilon: 1e-5, rotary: try RotaryFrequencies(file, shape: shape, truncates: false))
        try configuration.readExperts(file)
        guard var experts = configuration.experts?.0 else { return }
        experts.limit = 7
        let window = try file.window(absent: 128) ?? 0
        becomeGPTOSS(experts, windows: (0..<shape.layers).map { $0 % 2 == 0 ? window : 0 })
    }

    private mutating func becomeGPTOSS(_ experts: MixtureOfExperts.Configuration, windows: [Int]) {
        var experts = experts
        experts.activation = .geluQuick
        experts.bias = true
        configuration.experts = (experts, "mlp.")
        configuration.attention.hasSinks = true
        configuration.attention.windows = windows
    }
}
