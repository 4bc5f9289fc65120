import Layers
import Tensors

/// Qwen 3 (arXiv 2505.09388), dense: Llama with an RMSNorm over each head's queries and keys in place of Qwen 2's
/// biases, heads as wide as `head_dim` says, and Qwen 2's windows.
struct Qwen3: DecoderArchitecture {
    static let modelType = "qwen3"
    static let className = "Qwen3ForCausalLM"
    static let gguf: GGUFLayout? = {
        var layout = GGUFLayout(name: "qwen3")
        // Of Qwen 3 Reranker.
        layout.globals["score"] = "cls.output"
        layout.keys = ["classifier.output_labels"]
        return layout
    }()

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try Decoder.Configuration(file, headDim: 128, context: 32_768)
        configuration.attention.normEpsilon = configuration.epsilon
        try configuration.readAttentionBias(file)
        configuration.attention.windows = try Qwen2.windows(file, layers: configuration.shape.layers)
    }

    /// llama.cpp's files of it have no window.
    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(file)
        configuration.attention.normEpsilon = configuration.epsilon
    }
}
