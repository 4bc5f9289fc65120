import Layers
import Tensors

/// Qwen 2 and 2.5 (arXiv 2407.10671, 2412.15115): Llama with biases on queries, keys and values, and, where
/// `use_sliding_window` says so, a window in the layers from `max_window_layers` on.
struct Qwen2: DecoderArchitecture {
    static let modelType = "qwen2"
    static let className = "Qwen2ForCausalLM"
    static let gguf: GGUFLayout? = GGUFLayout(name: "qwen2")

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try Decoder.Configuration(file, context: 32_768)
        configuration.attention.inputBias = true
        configuration.attention.windows = try Self.windows(file, layers: configuration.shape.layers)
    }

    /// llama.cpp's files of it have no window.
    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(file)
        configuration.attention.inputBias = true
    }

    /// The windows of Qwen 2 and Qwen 3.
    static func windows(_ file: ConfigurationFile, layers: Int) throws(TextModelError) -> [Int] {
        let window = try file.bool("use_sliding_window") == true ? file.window(absent: 4_096) : nil
        let first = try file.integer("max_window_layers") ?? 28
        return try file.windows(window, layers: layers) { $0 >= first }
    }
}
