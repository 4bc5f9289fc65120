import Layers
import Tensors

/// Qwen 3 (arXiv 2505.09388), dense: Llama with an RMSNorm over each head's queries and keys in place of Qwen 2's
/// biases, heads as wide as `head_dim` says, and Qwen 2's windows.
struct Qwen3: Architecture {
    static let modelType = "qwen3"
    static let className = "Qwen3ForCausalLM"
    static let gguf: GGUFLayout? = GGUFLayout(name: "qwen3")

    private var configuration: LlamaModel.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try LlamaModel.Configuration(file, headDim: 128, context: 32_768)
        configuration.attention.headNormEpsilon = configuration.epsilon
        let isBiased = try file.bool("attention_bias") ?? false
        configuration.attention.inputBias = isBiased
        configuration.attention.outputBias = isBiased
        configuration.attention.windows = try Qwen2.windows(file, layers: configuration.shape.layers)
    }

    /// llama.cpp's files of it have no window.
    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try LlamaModel.Configuration(file)
        configuration.attention.headNormEpsilon = configuration.epsilon
        configuration.attention.inputBias = file.hasTensor("blk.0.attn_q.bias")
        configuration.attention.outputBias = file.hasTensor("blk.0.attn_output.bias")
    }

    func model(_ loader: WeightLoader) throws(TensorError) -> any TextModel { try LlamaModel(configuration, loader) }
}
