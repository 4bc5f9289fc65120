import Layers
import Tensors

/// OLMoE (arXiv 2409.02060): Llama with an RMSNorm over all heads' queries and keys, and experts in the place of the
/// feed-forward.
struct OLMoE: DecoderArchitecture {
    static let modelType = "olmoe"
    static let className = "OlmoeForCausalLM"
    static let gguf: GGUFLayout? = GGUFLayout(name: "olmoe").withExperts()

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        if let limit = try file.number("clip_qkv") {
            throw file.refusal("clip_qkv", "is \(limit); queries, keys and values are not clipped here", .unsupported)
        }
        configuration = try Decoder.Configuration(file, context: 4_096, epsilon: 1e-5)
        try configuration.readAttentionBias(file)
        var experts = try configuration.experts(
            file, absent: 64, chosen: 8, width: configuration.feedForward.width,
            layout: .apart(router: "gate", experts: "experts", gate: "gate_proj", up: "up_proj", down: "down_proj"))
        experts.routing.normalizes = try file.bool("norm_topk_prob") ?? false
        becomeOLMoE(experts)
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(file)
        try configuration.readExperts(file, normalizes: false)
        becomeOLMoE(nil)
    }

    private mutating func becomeOLMoE(_ experts: MixtureOfExperts.Configuration?) {
        if let experts { configuration.experts = (experts, "mlp.") }
        configuration.attention.normEpsilon = configuration.epsilon
        configuration.attention.isNormJoint = true
    }
}
