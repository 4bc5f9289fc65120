import Layers
import Tensors

/// ModernBERT (arXiv 2412.13663): norms before each block, gated feed-forwards, and rotary positions. Most layers see only
/// what is near, with another rotation than the others.
struct ModernBert: EncoderArchitecture {
    static let modelTypes = ["modernbert"]
    static let classPrefixes = ["ModernBert"]

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
