import Layers
import Tensors

/// Llama 1, 2 and 3 (arXiv 2302.13971, 2307.09288, 2407.21783).
struct Llama: Architecture {
    static let modelType = "llama"
    static let className = "LlamaForCausalLM"
    static let gguf: GGUFLayout? = GGUFLayout(name: "llama", interleavesRotaryRows: true)

    private var configuration: LlamaModel.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try LlamaModel.Configuration(file, context: 2_048)
        let isBiased = try file.bool("attention_bias") ?? false
        configuration.attention.inputBias = isBiased
        configuration.attention.outputBias = isBiased
        configuration.feedForward.bias = try file.bool("mlp_bias") ?? false
    }

    /// llama.cpp writes Mistral's files as Llama's, with a window where there is one.
    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try LlamaModel.Configuration(file)
        configuration.attention.inputBias = file.hasTensor("blk.0.attn_q.bias")
        configuration.attention.outputBias = file.hasTensor("blk.0.attn_output.bias")
        configuration.feedForward.bias = file.hasTensor("blk.0.ffn_gate.bias")
        let window = try file.window() ?? 0
        configuration.attention.windows = Array(repeating: window, count: configuration.shape.layers)
    }

    func model(_ loader: WeightLoader) throws(TensorError) -> any TextModel { try LlamaModel(configuration, loader) }
}
