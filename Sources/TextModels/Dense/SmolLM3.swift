import Layers
import Tensors

/// SmolLM 3 (huggingface.co/blog/smollm3): Llama whose every fourth layer has no positions (arXiv 2501.18795).
struct SmolLM3: DecoderArchitecture {
    static let modelType = "smollm3"
    static let className = "SmolLM3ForCausalLM"
    static let gguf: GGUFLayout? = GGUFLayout(name: "smollm3", interleavesRotaryRows: true)

    private(set) var configuration: Decoder.Configuration
    private static let interval = 4

    init(_ file: ConfigurationFile) throws(TextModelError) {
        let shape = try DecoderShape(file, context: 32_768, kvHeads: 4)
        configuration = try Decoder.Configuration(
            file, shape: shape, context: 32_768,
            rotary: try RotaryFrequencies(file, shape: shape, standardBase: 2_000_000), isTied: true)
        try configuration.readAttentionBias(file)
        configuration.feedForward.bias = try file.bool("mlp_bias") ?? false
        let interval = try file.extent("no_rope_layer_interval", in: 1...1_024, absent: Self.interval)
        var unrotated = (0..<shape.layers).filter { ($0 + 1) % interval == 0 }
        // In spite of the name, 1 says that the layer has positions.
        if let flags = try file.numbers("no_rope_layers") {
            guard flags.count == shape.layers else {
                throw file.refusal("no_rope_layers", "has \(flags.count) entries for \(shape.layers) layers")
            }
            unrotated = flags.indices.filter { flags[$0] == 0 }
        }
        configuration.unrotatedLayers = Set(unrotated)
        let window = try file.bool("use_sliding_window") == true ? file.window(absent: nil) : nil
        if let window {
            configuration.attention.windows = try file.windows(window, layers: shape.layers) { unrotated.contains($0) }
        }
    }

    /// llama.cpp's files do not say which layers have no positions.
    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(file)
        configuration.unrotatedLayers = Set(
            (0..<configuration.shape.layers).filter { ($0 + 1) % Self.interval == 0 })
    }
}
