import Layers
import Tensors

/// ModernBERT (arXiv 2412.13663): norms before each block, gated feed-forwards, and rotary positions. Most layers see only
/// what is near, with another rotation than the others.
struct ModernBert: EncoderArchitecture {
    static let modelTypes = ["modernbert"]
    static let classPrefixes = ["ModernBert"]

    static let gguf: GGUFLayout? = .encoder(
        "modern-bert", layers: "layers.",
        globals: [
            "embeddings.tok_embeddings": "token_embd", "embeddings.norm": "token_embd_norm",
            "final_norm": "output_norm",
            "head.dense": "cls", "head.norm": "cls.norm", "classifier": "cls.output",
        ],
        layers: [
            "attn_norm": "attn_norm", "attn.Wqkv": "attn_qkv", "attn.Wo": "attn_output", "mlp_norm": "ffn_norm",
            "mlp.Wi": "ffn_up", "mlp.Wo": "ffn_down",
        ],
        keys: ["attention.sliding_window_pattern", "rope.freq_base_swa"])

    private let configuration: ModernBertModel.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        let context = try file.extent("max_position_embeddings", in: DecoderShape.Limits.context, absent: 8_192)
        let shape = try DecoderShape(encoder: file, context: context)
        let every = try file.extent("global_attn_every_n_layers", in: 1...1_024, absent: 3)
        let local = try file.extent("local_attention", in: 2...Int(Int32.max), absent: 128)
        let pooling = try file.text("classifier_pooling") ?? "cls"
        guard ["cls", "mean"].contains(pooling) else {
            throw file.refusal("classifier_pooling", "is \"\(pooling)\"; known: cls, mean", .unsupported)
        }
        configuration = ModernBertModel.Configuration(
            shape: shape, feedForward: try file.extent("intermediate_size", in: DecoderShape.Limits.feedForward),
            activation: try file.activation("hidden_activation", absent: "gelu"),
            epsilon: Float(try file.positive("norm_eps", absent: 1e-5)),
            windows: try file.windows(local / 2, layers: shape.layers) { $0 % every != 0 },
            rotary: try Self.rotary(file, shape, "full_attention", base: "global_rope_theta", 160_000),
            localRotary: try Self.rotary(file, shape, "sliding_attention", base: "local_rope_theta", 10_000),
            hasAttentionBias: try file.bool("attention_bias") ?? false,
            hasFeedForwardBias: try file.bool("mlp_bias") ?? false, hasNormBias: try file.bool("norm_bias") ?? false,
            classifierPooling: pooling == "cls" ? .first : .mean,
            hasClassifierBias: try file.bool("classifier_bias") ?? false,
            classifierActivation: try file.activation("classifier_activation", absent: "gelu"))
    }

    /// A classifier takes the mean of the states unless the file says otherwise, as in llama.cpp.
    init(_ file: GGUFMetadata) throws(TextModelError) {
        let shape = try DecoderShape(encoder: file)
        let window = try file.window() ?? 0
        let local = RotaryFrequencies(
            base: try file.positive("rope.freq_base_swa", absent: 10_000), width: shape.headDim)
        configuration = ModernBertModel.Configuration(
            shape: shape, feedForward: try file.extent("feed_forward_length", in: DecoderShape.Limits.feedForward),
            activation: try file.activation(absent: .geluErf),
            epsilon: Float(try file.positive("attention.layer_norm_epsilon")),
            windows: try file.windows(window / 2, layers: shape.layers, pattern: 3, isFullFirst: true),
            rotary: try RotaryFrequencies(file, shape: shape, standardBase: 160_000), localRotary: local,
            hasAttentionBias: file.hasTensor("blk.0.attn_qkv.bias"),
            hasFeedForwardBias: file.hasTensor("blk.0.ffn_up.bias"),
            hasNormBias: file.hasTensor("token_embd_norm.bias"),
            classifierPooling: try file.classifierPooling() ?? .mean, hasClassifierBias: file.hasTensor("cls.bias"),
            classifierActivation: .geluErf)
    }

    private static func rotary(
        _ file: ConfigurationFile, _ shape: DecoderShape, _ type: String, base field: String, _ base: Double
    ) throws(TextModelError) -> RotaryFrequencies {
        let base = try file.positive(field, absent: base)
        return try RotaryFrequencies(file, shape: shape, type: type, standardBase: base)
    }

    func encoder(_ loader: WeightLoader, hasClassifier: Bool) throws(TensorError) -> any TextEncoder {
        try ModernBertModel(configuration, loader, hasClassifier: hasClassifier)
    }
}
