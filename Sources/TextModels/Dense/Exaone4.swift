import Layers
import Tensors

/// EXAONE 4 (arXiv 2507.11407): Llama with the norms after each block and an RMSNorm over each head's queries and keys;
/// where there is a window, the full layers between those with it have no positions.
struct Exaone4: DecoderArchitecture {
    static let modelType = "exaone4"
    static let className = "Exaone4ForCausalLM"
    static let gguf: GGUFLayout? = .normsAfter("exaone4", keys: ["attention.sliding_window_pattern"])

    private(set) var configuration: Decoder.Configuration
    /// Of so many layers the last is full.
    private static let pattern = 4

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try Decoder.Configuration(file, context: 2_048, epsilon: 1e-5)
        let layers = configuration.shape.layers, window = try file.window(absent: 4_096)
        let pattern = try file.extent("sliding_window_pattern", in: 0...1_024, absent: Self.pattern)
        let windows = try file.windows(window, layers: layers) {
            window != nil && pattern > 0 && ($0 + 1) % pattern != 0
        }
        becomeExaone(windows, hasWindow: window != nil)
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(file)
        let layers = configuration.shape.layers, window = try file.window()
        let windows = try file.windows(window ?? 0, layers: layers, pattern: Self.pattern)
        becomeExaone(windows, hasWindow: window != nil)
    }

    private mutating func becomeExaone(_ windows: [Int], hasWindow: Bool) {
        configuration.norms = .after
        configuration.attention.normEpsilon = configuration.epsilon
        configuration.attention.windows = windows
        if hasWindow { configuration.unrotatedLayers = Set(windows.indices.filter { windows[$0] == 0 }) }
    }
}
