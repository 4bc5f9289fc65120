import Layers
import Tensors

/// Qwen 3 with experts (arXiv 2505.09388): Qwen 3 with many small experts in the place of the feed-forward, in all layers or
/// in some.
struct Qwen3MoE: DecoderArchitecture {
    static let modelType = "qwen3_moe"
    static let className = "Qwen3MoeForCausalLM"
    static let gguf: GGUFLayout? = GGUFLayout(name: "qwen3moe").withExperts()

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        let shape = try DecoderShape(file, context: 32_768, kvHeads: 4)
        configuration = try Decoder.Configuration(file, shape: shape, context: 32_768)
        configuration.attention.normEpsilon = configuration.epsilon
        try configuration.readAttentionBias(file)
        let window = try file.bool("use_sliding_window") == true ? file.window(absent: 4_096) : nil
        configuration.attention.windows = Array(repeating: window ?? 0, count: shape.layers)
        var experts = try configuration.experts(
            file, absent: 128, chosen: 8,
            width: try file.extent("moe_intermediate_size", in: DecoderShape.Limits.feedForward, absent: 768),
            layout: .apart(router: "gate", experts: "experts", gate: "gate_proj", up: "up_proj", down: "down_proj"))
        experts.routing.normalizes = try file.bool("norm_topk_prob") ?? false
        configuration.experts = (experts, "mlp.")
        let step = try file.extent("decoder_sparse_step", in: 1...1_024, absent: 1)
        let dense = try file.numbers("mlp_only_layers") ?? []
        configuration.denseLayers = Set(
            (0..<shape.layers).filter { dense.contains(Double($0)) || ($0 + 1) % step != 0 })
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(file)
        configuration.attention.normEpsilon = configuration.epsilon
        try configuration.readExperts(file)
    }
}
