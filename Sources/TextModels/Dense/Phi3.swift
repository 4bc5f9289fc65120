import Layers
import Tensors

/// Phi-3 and Phi-4 (arXiv 2404.14219, 2412.08905): Llama whose file joins queries, keys and values in one matrix, gate
/// and up in another; with a window where the file has one, and LongRoPE (arXiv 2402.13753) or a partial rotation.
struct Phi3: DecoderArchitecture {
    static let modelType = "phi3"
    static let className = "Phi3ForCausalLM"
    static let gguf: GGUFLayout? = GGUFLayout(name: "phi3")

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        let shape = try DecoderShape(file, context: 4_096)
        configuration = try Decoder.Configuration(
            file, shape: shape, context: 4_096, epsilon: 1e-5,
            rotary: try RotaryFrequencies(file, shape: shape, partial: 1))
        configuration.attention.isJoint = true
        configuration.feedForward.isJoint = true
        configuration.attention.windows = try file.windows(
            try file.window(absent: nil), layers: configuration.shape.layers
        ) { _ in true }
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(
            file, epsilon: 1e-5,
            rotary: try RotaryFrequencies(file, shape: try DecoderShape(file), partial: true))
        configuration.attention.isJoint = true
        configuration.feedForward.isJoint = true
        let window = try file.window() ?? 0
        configuration.attention.windows = Array(repeating: window, count: configuration.shape.layers)
    }
}
