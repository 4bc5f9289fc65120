import Layers
import Tensors

/// Llama 1, 2 and 3 (arXiv 2302.13971, 2307.09288, 2407.21783).
struct Llama: DecoderArchitecture {
    static let modelType = "llama"
    static let className = "LlamaForCausalLM"
    static let gguf: GGUFLayout? = GGUFLayout(name: "llama", interleavesRotaryRows: true).withExperts()

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try Decoder.Configuration(file, context: 2_048)
        try configuration.readAttentionBias(file)
        configuration.feedForward.bias = try file.bool("mlp_bias") ?? false
    }

    /// llama.cpp writes Mistral's files as Llama's, with a window where there is one, and Mixtral's with experts.
    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(file)
        configuration.feedForward.bias = file.hasTensor("blk.0.ffn_gate.bias")
        if try file.integer("expert_count") ?? 0 > 0 { try configuration.readExperts(file) }
        let window = try file.window() ?? 0
        configuration.attention.windows = Array(repeating: window, count: configuration.shape.layers)
    }
}
