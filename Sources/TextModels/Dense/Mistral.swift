import Layers
import Tensors

/// Mistral 7B (arXiv 2310.06825): Llama whose rows see only a window of the last positions, in every layer
/// (or those that `layer_types` names).
struct Mistral: DecoderArchitecture {
    static let modelType = "mistral"
    static let className = "MistralForCausalLM"
    static let gguf: GGUFLayout? = GGUFLayout(name: "mistral", interleavesRotaryRows: true)

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try Decoder.Configuration(file, context: 131_072)
        configuration.attention.windows = try file.windows(
            try file.window(absent: 4_096), layers: configuration.shape.layers
        ) { _ in true }
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(file)
        let window = try file.window() ?? 0
        configuration.attention.windows = Array(repeating: window, count: configuration.shape.layers)
    }
}
