import Layers
import Tensors

/// LFM 2 (arXiv 2511.23404): Llama's layers, most of them with a gated short convolution in the place of attention.
struct LFM2: DecoderArchitecture {
    static let modelType = "lfm2"
    static let className = "Lfm2ForCausalLM"
    static let gguf: GGUFLayout? = {
        var layout = GGUFLayout(name: "lfm2", keys: ["shortconv.l_cache"])
        layout.globals["model.norm"] = "token_embd_norm"
        layout.layers["conv.conv"] = "shortconv.conv"
        layout.layers["conv.in_proj"] = "shortconv.in_proj"
        layout.layers["conv.out_proj"] = "shortconv.out_proj"
        return layout
    }()

    private(set) var configuration: Decoder.Configuration
    private static let names = [
        "model.norm": "model.embedding_norm", "input_layernorm": "operator_norm",
        "post_attention_layernorm": "ffn_norm", "self_attn.o_proj": "self_attn.out_proj",
        "self_attn.q_norm": "self_attn.q_layernorm", "self_attn.k_norm": "self_attn.k_layernorm",
        "mlp.gate_proj": "feed_forward.w1", "mlp.up_proj": "feed_forward.w3", "mlp.down_proj": "feed_forward.w2",
    ]
    private static let base = 1_000_000.0

    init(_ file: ConfigurationFile) throws(TextModelError) {
        let shape = try DecoderShape(file, context: 128_000, heads: 32, kvHeads: 8, vocabulary: 65_536)
        configuration = try Decoder.Configuration(
            file, shape: shape, context: 128_000,
            rotary: try RotaryFrequencies(file, shape: shape, standardBase: Self.base),
            feedForward: try Self.feedForward(file), isTied: try file.bool("tie_embedding") ?? true)
        configuration.epsilon = Float(try file.number("norm_eps") ?? 1e-5)
        configuration.attention.normEpsilon = configuration.epsilon
        configuration.recurrentLayers = try Self.convolutions(file, layers: shape.layers)
        become(
            taps: try file.extent("conv_L_cache", in: StateShape.tapsRange, absent: 3),
            bias: try file.bool("conv_bias") ?? false)
        configuration.names = Self.names
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(file, epsilon: 1e-5)
        configuration.attention.normEpsilon = configuration.epsilon
        configuration.recurrentLayers = Set(
            (0..<configuration.shape.layers).filter { file.hasTensor("blk.\($0).shortconv.conv.weight") })
        become(
            taps: try file.extent("shortconv.l_cache", in: StateShape.tapsRange, absent: 3),
            bias: file.hasTensor("blk.0.shortconv.in_proj.bias"))
    }

    private mutating func become(taps: Int, bias: Bool) {
        configuration.recurrence = .convolution(
            .init(hidden: configuration.shape.hidden, taps: taps, bias: bias), name: "conv.")
    }

    /// Layers with a convolution: all but those that the file calls `full_attention`, by type or, before there were
    /// types, by number.
    private static func convolutions(_ file: ConfigurationFile, layers: Int) throws(TextModelError) -> Set<Int> {
        if let types = try file.layerTypes(["full_attention", "conv"], layers: layers) {
            return Set((0..<layers).filter { types[$0] == "conv" })
        }
        guard let full = try file.numbers("full_attn_idxs") else { return [] }
        return Set((0..<layers).filter { !full.contains(Double($0)) })
    }

    /// F, which is two thirds of what the file says, and by steps, unless the file says that it means it.
    private static func feedForward(_ file: ConfigurationFile) throws(TextModelError) -> Int {
        let range = DecoderShape.Limits.feedForward
        let named = try file.integer("block_ff_dim") == nil ? "intermediate_size" : "block_ff_dim"
        let width = try file.extent(named, in: range, absent: 12_288)
        guard try file.bool("block_auto_adjust_ff_dim") ?? true else { return width }
        var adjusted = 2 * width / 3
        if !file.isNull("block_ffn_dim_multiplier") {
            let step = try file.extent("block_multiple_of", in: range, absent: 256)
            adjusted = Int(try file.positive("block_ffn_dim_multiplier", absent: 1) * Double(adjusted))
            adjusted = (adjusted + step - 1) / step * step
        }
        guard range.contains(adjusted) else { throw file.refusal(named, "is \(width), which makes \(adjusted)") }
        return adjusted
    }
}
