import Layers
import Tensors

/// Gemma 4, text: Gemma 3's norms and windows, with wider heads and a rotation of a quarter of the pairs in the layers
/// without a window, normed values, per-layer embeddings, last layers that read the keys and values of earlier ones, and
/// (26B-A4B) experts beside the feed-forward.
struct Gemma4: DecoderArchitecture {
    static let modelType = "gemma4_text"
    static let className = "Gemma4ForCausalLM"
    static let gguf: GGUFLayout? = {
        var layout = GGUFLayout.gemma(
            "gemma4",
            keys: [
                "attention.key_length_swa", "attention.shared_kv_layers", "attention.sliding_window_pattern",
                "attention.value_length_swa", "embedding_length_per_layer_input", "final_logit_softcapping",
                "rope.dimension_count_swa", "rope.freq_base_swa",
            ])
        layout.keys.formUnion(GGUFLayout.expertKeys)
        layout.layers["router.proj"] = "ffn_gate_inp"
        layout.layerTensors["router.scale"] = "ffn_gate_inp.scale"
        layout.layerTensors["router.per_expert_scale"] = "ffn_down_exps.scale"
        layout.layers["experts.gate_up_proj"] = "ffn_gate_up_exps"
        layout.layers["experts.gate_proj"] = "ffn_gate_exps"
        layout.layers["experts.up_proj"] = "ffn_up_exps"
        layout.layers["experts.down_proj"] = "ffn_down_exps"
        layout.layers["pre_feedforward_layernorm_2"] = "pre_ffw_norm_2"
        layout.layers["post_feedforward_layernorm_1"] = "post_ffw_norm_1"
        layout.layers["post_feedforward_layernorm_2"] = "post_ffw_norm_2"
        layout.layers["per_layer_input_gate"] = "inp_gate"
        layout.layers["per_layer_projection"] = "proj"
        layout.layers["post_per_layer_input_norm"] = "post_norm"
        layout.layerTensors["layer_scalar"] = "layer_output_scale.weight"
        layout.globals["model.embed_tokens_per_layer"] = "per_layer_token_embd"
        layout.globals["model.per_layer_model_projection"] = "per_layer_model_proj"
        layout.globals["model.per_layer_projection_norm"] = "per_layer_proj_norm"
        return layout
    }()

    private(set) var configuration: Decoder.Configuration
    private static let (windowed, full) = ("sliding_attention", "full_attention")

    init(_ file: ConfigurationFile) throws(TextModelError) {
        // Of pictures, which are not taken in, "vision" lets tokens see one another both ways.
        if let kind = try file.text("use_bidirectional_attention"), kind != "vision" {
            throw file.refusal("use_bidirectional_attention", "is \"\(kind)\", which is not supported", .unsupported)
        }
        let shape = try DecoderShape(file, headDim: 256, context: 131_072, heads: 8, kvHeads: 4, vocabulary: 262_144)
        configuration = try Decoder.Configuration(
            file, shape: shape, context: 131_072,
            rotary: RotaryFrequencies(base: 1, width: 2), activation: "hidden_activation",
            standardActivation: "gelu_pytorch_tanh", isTied: true)
        configuration.norms = .around
        configuration.scales.embedding = Float(Double(shape.hidden).squareRoot())
        configuration.scales.logitCap = try file.positiveOrNone("final_logit_softcapping", absent: nil)
        try configuration.readAttentionBias(file)
        let windows = try Self.windows(file, layers: shape.layers)
        become(windows: windows)
        try readFullAttention(file)
        configuration.rotary = try Self.rotary(file, Self.full, width: configuration.fullAttention?.headDim)
        configuration.windowedRotary = try Self.rotary(file, Self.windowed, width: shape.headDim)
        let shared = try file.extent("num_kv_shared_layers", in: 0...shape.layers - 1, absent: 0)
        try share(shared, windows: windows) { file.refusal("num_kv_shared_layers", $0) }
        if try file.bool("use_double_wide_mlp") == true {
            for layer in shape.layers - shared..<shape.layers {
                configuration.feedForwardWidths[layer] = 2 * configuration.feedForward.width
            }
        }
        if try file.bool("enable_moe_block") == true {
            let count = try file.extent("num_experts", in: DecoderShape.Limits.experts)
            become(
                experts: count, chosen: try file.extent("top_k_experts", in: 1...count),
                width: try file.extent("moe_intermediate_size", in: DecoderShape.Limits.feedForward), areJoint: true)
        }
        configuration.layerInputWidth = try file.extent("hidden_size_per_layer_input", in: 0...65_536, absent: 256)
        let own = try file.integer("vocab_size_per_layer_input") ?? 262_144
        if configuration.layerInputWidth > 0, own != shape.vocabulary {
            throw file.refusal(
                "vocab_size_per_layer_input", "is \(own), but there are \(shape.vocabulary) tokens", .unsupported)
        }
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        let layers = try file.extent("block_count", in: DecoderShape.Limits.layers)
        let windows = try file.windows(try file.window(absent: 512) ?? 0, layers: layers, pattern: 6)
        let heads = try file.extent("attention.head_count", in: DecoderShape.Limits.heads)
        let kvHeads = try file.integers("attention.head_count_kv", in: 1...heads, layers: layers)
        let fullDim = try file.extent("attention.key_length", in: DecoderShape.Limits.headDim)
        let windowedDim = try file.extent(
            "attention.key_length_swa", in: DecoderShape.Limits.headDim, absent: fullDim)
        func count(_ isFull: Bool) throws(TextModelError) -> Int {
            let counts = Set(windows.indices.filter { (windows[$0] == 0) == isFull }.map { kvHeads[$0] })
            guard counts.count <= 1 else {
                throw file.refusal("attention.head_count_kv", "differs among layers of one kind", .unsupported)
            }
            return counts.first ?? kvHeads[0]
        }
        let shape = try DecoderShape(file, headDim: windowedDim, kvHeads: try count(false))
        var whole = shape
        (whole.headDim, whole.kvHeads) = (fullDim, try count(true))
        let widths = try file.integers("feed_forward_length", in: DecoderShape.Limits.feedForward, layers: layers)
        configuration = try Decoder.Configuration(
            file, shape: shape, rotary: try RotaryFrequencies(file, shape: whole, standardBase: 1_000_000),
            feedForward: widths[0], activation: .geluTanh)
        configuration.windowedRotary = RotaryFrequencies(
            base: try file.positive("rope.freq_base_swa", absent: 10_000), width: windowedDim)
        for (layer, width) in widths.enumerated() where width != widths[0] {
            configuration.feedForwardWidths[layer] = width
        }
        configuration.norms = .around
        configuration.scales.embedding = Float(Double(shape.hidden).squareRoot())
        let cap = try file.number("final_logit_softcapping") ?? 0
        configuration.scales.logitCap = cap > 0 ? Float(cap) : nil
        become(windows: windows)
        var attention = configuration.attention
        (attention.headDim, attention.kvHeads) = (fullDim, whole.kvHeads)
        attention.hasKeysAsValues =
            windows.firstIndex(of: 0).map { !file.hasTensor("blk.\($0).attn_v.weight") } ?? false
        configuration.fullAttention = attention
        try share(
            try file.extent("attention.shared_kv_layers", in: 0...layers - 1, absent: 0), windows: windows
        ) { file.refusal("attention.shared_kv_layers", $0) }
        let count = try file.extent("expert_count", in: 0...DecoderShape.Limits.experts.upperBound, absent: 0)
        if count > 0 {
            become(
                experts: count, chosen: try file.extent("expert_used_count", in: 1...count),
                width: try file.extent("expert_feed_forward_length", in: DecoderShape.Limits.feedForward),
                areJoint: file.hasTensor("blk.0.ffn_gate_up_exps.weight"))
            configuration.denseLayers = Set(
                (0..<layers).filter { !file.hasTensor("blk.\($0).ffn_gate_inp.weight") })
        }
        configuration.layerInputWidth = try file.extent("embedding_length_per_layer_input", in: 0...65_536, absent: 0)
    }

    /// - Parameter areJoint: whether the file holds gates and ups of the experts in one tensor.
    private mutating func become(experts count: Int, chosen: Int, width: Int, areJoint: Bool) {
        var experts = MixtureOfExperts.Configuration(
            experts: count, chosen: chosen, width: width, activation: configuration.feedForward.activation,
            layout: areJoint
                ? .joint(router: "router.proj", input: "experts.gate_up_proj", output: "experts.down_proj")
                : .stacked(
                    router: "router.proj", gate: "experts.gate_proj", up: "experts.up_proj", down: "experts.down_proj"))
        experts.weightScales = "router.per_expert_scale"
        configuration.experts = (experts, "")
        configuration.hasParallelExperts = true
    }

    private mutating func become(windows: [Int]) {
        configuration.attention.scale = 1
        configuration.attention.normEpsilon = configuration.epsilon
        configuration.attention.normalizesValues = true
        configuration.attention.windows = windows
        configuration.hasLayerScales = true
    }

    private static func windows(_ file: ConfigurationFile, layers: Int) throws(TextModelError) -> [Int] {
        var windows = try file.windows(try file.window(absent: 512), layers: layers) { ($0 + 1) % 6 != 0 }
        // Whatever the file says of it.
        windows[layers - 1] = 0
        return windows
    }

    /// Heads of the layers without a window: `global_head_dim`, or as transformers 5 writes it, by layer.
    private mutating func readFullAttention(_ file: ConfigurationFile) throws(TextModelError) {
        var attention = configuration.attention
        let isKeyValue = try file.bool("attention_k_eq_v") ?? false
        attention.hasKeysAsValues = isKeyValue
        attention.headDim = try file.extent("global_head_dim", in: 2...512, absent: 512)
        if isKeyValue {
            attention.kvHeads = try file.extent(
                "num_global_key_value_heads", in: 1...attention.heads, absent: attention.kvHeads)
        }
        let full = attention.windows.indices.filter { attention.windows[$0] == 0 }
        if let layers = try file.fields("per_layer_config") {
            for name in layers.names {
                guard let index = Int(name), full.contains(index), let own = try layers.fields(name) else {
                    throw layers.refusal(name, "is no layer without a window", .unsupported)
                }
                if let other = own.names.first(where: { $0 != "head_dim" && $0 != "num_key_value_heads" }) {
                    throw own.refusal(other, "differs from layer to layer, which is not supported", .unsupported)
                }
                attention.headDim = try own.extent("head_dim", in: 2...512, absent: attention.headDim)
                attention.kvHeads = try own.extent(
                    "num_key_value_heads", in: 1...attention.heads, absent: attention.kvHeads)
            }
        }
        guard attention.heads % attention.kvHeads == 0, attention.headDim % 2 == 0 else {
            throw file.refusal(
                "global_head_dim",
                "is \(attention.headDim), and \(attention.heads) heads share \(attention.kvHeads) key-value heads")
        }
        configuration.fullAttention = attention
    }

    private static func rotary(
        _ file: ConfigurationFile, _ type: String, width: Int?
    ) throws(TextModelError) -> RotaryFrequencies {
        let width = width ?? 2, isFull = type == full
        let own = try file.fields("rope_parameters")?.fields(type)
        let kind = try own?.text("rope_type") ?? (isFull ? "proportional" : "default")
        let base = try own?.positive("rope_theta", absent: 10_000) ?? (isFull ? 1_000_000 : 10_000)
        switch kind {
        case "default": return RotaryFrequencies(base: base, width: width)
        case "proportional":
            let part = try own?.positive("partial_rotary_factor", absent: 1) ?? 0.25
            return RotaryFrequencies(
                base: base, width: width,
                scaling: .proportional(
                    pairs: min(width / 2, Int(part * Double(width) / 2)),
                    factor: Float(try own?.positive("factor", absent: 1) ?? 1)))
        default:
            throw TextModelError(.unsupported, "\(file.path): RoPE scaling \"\(kind)\" of \"\(type)\" is not supported")
        }
    }

    /// The last layers read the keys and values of the last before them of their kind.
    private mutating func share(
        _ shared: Int, windows: [Int], refusal: (String) -> TextModelError
    ) throws(TextModelError) {
        let first = windows.count - shared
        for layer in first..<windows.count {
            let writer = (0..<first).last { (windows[$0] == 0) == (windows[layer] == 0) }
            guard let writer else { throw refusal("is \(shared), but layer \(layer) has none of its kind before") }
            configuration.writers[layer] = writer
        }
    }
}

/// The language model within Gemma 4's checkpoints of text, pictures and sounds, which are not taken in.
struct Gemma4Conditional: LanguageModelWithin {
    static let modelType = "gemma4"
    static let className = "Gemma4ForConditionalGeneration"

    let text: Gemma4
}
