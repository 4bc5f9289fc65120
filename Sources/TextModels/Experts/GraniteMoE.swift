import Layers
import Tensors

/// Granite 3 with experts (arXiv 2408.13359): Granite's multipliers, and experts in the place of the feed-forward.
struct GraniteMoE: DecoderArchitecture {
    static let modelType = "granitemoe"
    static let className = "GraniteMoeForCausalLM"
    static let gguf: GGUFLayout? = GGUFLayout(
        name: "granitemoe", keys: Decoder.Configuration.multiplierKeys, interleavesRotaryRows: true
    ).withExperts()

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try Decoder.Configuration(file, context: 2_048)
        try configuration.readAttentionBias(file)
        try configuration.readMultipliers(file)
        let experts = try configuration.experts(
            file, absent: 8, chosen: 2, width: configuration.feedForward.width,
            layout: .joint(router: "router.layer", input: "input_linear.weight", output: "output_linear.weight"))
        configuration.experts = (experts, "block_sparse_moe.")
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(file)
        try configuration.readMultipliers(file)
        try configuration.readExperts(file)
    }
}
