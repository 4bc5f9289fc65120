import Layers
import Tensors

/// OLMo 2 (arXiv 2501.00656): Llama with the norms after each block, and an RMSNorm over all heads' queries and keys.
struct Olmo2: DecoderArchitecture {
    static let modelType = "olmo2"
    static let className = "Olmo2ForCausalLM"
    static let gguf: GGUFLayout? = .normsAfter(
        "olmo2", keys: ["attention.sliding_window_pattern"])

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try Decoder.Configuration(file, context: 2_048, epsilon: 1e-5)
        try configuration.readAttentionBias(file)
        configuration.becomeOlmo()
    }

    /// llama.cpp writes OLMo 3 as OLMo 2 with a window.
    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(file)
        configuration.becomeOlmo()
        guard let window = try file.window() else { return }
        configuration.attention.windows = try file.windows(
            window, layers: configuration.shape.layers, pattern: Olmo3.pattern)
        configuration.windowedRotary = RotaryFrequencies(
            base: try file.positive("rope.freq_base", absent: Olmo3.base), width: configuration.shape.headDim)
    }
}

/// OLMo 3 (arXiv 2512.13961): OLMo 2 with a window in three of four layers, whose rotation is not stretched.
struct Olmo3: DecoderArchitecture {
    static let modelType = "olmo3"
    static let className = "Olmo3ForCausalLM"
    static let gguf: GGUFLayout? = nil

    private(set) var configuration: Decoder.Configuration
    static let base = 500_000.0
    /// Of so many layers the last is full.
    static let pattern = 4

    init(_ file: ConfigurationFile) throws(TextModelError) {
        let shape = try DecoderShape(file, context: 2_048)
        configuration = try Decoder.Configuration(
            file, shape: shape, context: 2_048, epsilon: 1e-5,
            rotary: try RotaryFrequencies(file, shape: shape, type: "full_attention", standardBase: Self.base))
        configuration.windowedRotary = try RotaryFrequencies(
            file, shape: shape, type: "sliding_attention", localBase: "rope_theta", standardBase: Self.base)
        try configuration.readAttentionBias(file)
        configuration.becomeOlmo()
        configuration.attention.windows = try file.windows(try file.window(absent: 4_096), layers: shape.layers) {
            ($0 + 1) % Self.pattern != 0
        }
    }
}

extension Decoder.Configuration {
    fileprivate mutating func becomeOlmo() {
        norms = .after
        attention.normEpsilon = epsilon
        attention.isNormJoint = true
    }
}

extension GGUFLayout {
    /// Llama's names, where the norms stand after each block.
    static func normsAfter(_ name: String, keys: Set<String> = []) -> GGUFLayout {
        var layout = GGUFLayout(name: name, keys: keys)
        layout.layers["post_attention_layernorm"] = "post_attention_norm"
        layout.layers["post_feedforward_layernorm"] = "post_ffw_norm"
        return layout
    }
}
