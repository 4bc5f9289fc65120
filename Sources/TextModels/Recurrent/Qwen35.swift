import Layers
import Tensors

/// Qwen 3.5: Qwen 3 with a gated delta rule (arXiv 2412.06464) in the place of attention in three of four layers, a gate
/// on what the others attend to, and a quarter of each head turned.
struct Qwen35: DecoderArchitecture {
    static let modelType = "qwen3_5_text"
    static let className = "Qwen3_5ForCausalLM"
    static let gguf: GGUFLayout? = layout("qwen35")

    static func layout(_ name: String) -> GGUFLayout {
        var layout = GGUFLayout(
            name: name,
            keys: [
                "full_attention_interval", "rope.dimension_sections", "ssm.conv_kernel", "ssm.group_count",
                "ssm.inner_size", "ssm.state_size", "ssm.time_step_rank",
            ])
        layout.layers["post_attention_layernorm"] = "post_attention_norm"
        for (own, theirs) in [
            ("in_proj_qkv", "attn_qkv"), ("in_proj_z", "attn_gate"), ("in_proj_a", "ssm_alpha"),
            ("in_proj_b", "ssm_beta"), ("conv1d", "ssm_conv1d"), ("norm", "ssm_norm"), ("out_proj", "ssm_out"),
        ] {
            layout.layers["linear_attn." + own] = theirs
        }
        layout.layerTensors = ["linear_attn.A_log": "ssm_a", "linear_attn.dt_bias": "ssm_dt.bias"]
        return layout
    }

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) { try self.init(file, kvHeads: 4, feedForward: nil) }

    /// - Parameters:
    ///   - kvHeads: G where the file does not say it.
    ///   - feedForward: F; read from the file by default.
    init(_ file: ConfigurationFile, kvHeads: Int, feedForward: Int?) throws(TextModelError) {
        let shape = try DecoderShape(
            file, headDim: 256, context: 32_768, heads: 16, kvHeads: kvHeads, vocabulary: 248_320)
        configuration = try Decoder.Configuration(
            file, shape: shape, context: 32_768,
            rotary: try RotaryFrequencies(file, shape: shape, partial: 0.25), feedForward: feedForward)
        configuration.isNormOffset = true
        configuration.attention.normEpsilon = configuration.epsilon
        configuration.attention.isNormOffset = true
        configuration.attention.isGated = true
        try configuration.readAttentionBias(file)
        configuration.recurrentLayers = try Self.recurrentLayers(file, layers: shape.layers)
        configuration.recurrence = .deltaNet(try Self.deltaNet(file, configuration), name: "linear_attn.")
    }

    init(_ file: GGUFMetadata) throws(TextModelError) { try self.init(file, feedForward: nil) }

    /// - Parameter feedForward: F; read from the file by default.
    init(_ file: GGUFMetadata, feedForward: Int?) throws(TextModelError) {
        let shape = try DecoderShape(file)
        configuration = try Decoder.Configuration(
            file, rotary: try RotaryFrequencies(file, shape: shape, partial: true), feedForward: feedForward)
        configuration.isNormOffset = true
        configuration.attention.normEpsilon = configuration.epsilon
        configuration.attention.isNormOffset = true
        configuration.attention.isGated = true
        configuration.recurrentLayers = Set((0..<shape.layers).filter { file.hasTensor("blk.\($0).ssm_a") })
        let heads = DecoderShape.Limits.heads
        let (keyHeads, valueHeads) = (
            try file.extent("ssm.group_count", in: heads), try file.extent("ssm.time_step_rank", in: heads)
        )
        let width = try file.extent("ssm.inner_size", in: 1...1_048_576)
        guard valueHeads % keyHeads == 0, width % valueHeads == 0, width / valueHeads % 16 == 0 else {
            throw file.refusal(
                "ssm.inner_size", "is \(width), of \(valueHeads) heads in \(keyHeads) groups", .unsupported)
        }
        var deltaNet = GatedDeltaNet.Configuration(
            hidden: shape.hidden, keyHeads: keyHeads, valueHeads: valueHeads,
            keyDim: try file.extent("ssm.state_size", in: StateShape.keyRange), valueDim: width / valueHeads,
            taps: try file.extent("ssm.conv_kernel", in: StateShape.tapsRange), activation: .silu,
            epsilon: configuration.epsilon)
        deltaNet.isTiled = true
        configuration.recurrence = .deltaNet(deltaNet, name: "linear_attn.")
    }

    private static func recurrentLayers(_ file: ConfigurationFile, layers: Int) throws(TextModelError) -> Set<Int> {
        if let types = try file.layerTypes(["full_attention", "linear_attention"], layers: layers) {
            return Set((0..<layers).filter { types[$0] == "linear_attention" })
        }
        let interval = try file.extent("full_attention_interval", in: 1...1_024, absent: 4)
        return Set((0..<layers).filter { ($0 + 1) % interval != 0 })
    }

    private static func deltaNet(
        _ file: ConfigurationFile, _ configuration: Decoder.Configuration
    ) throws(TextModelError) -> GatedDeltaNet.Configuration {
        let heads = DecoderShape.Limits.heads
        let keyHeads = try file.extent("linear_num_key_heads", in: heads, absent: 16)
        let valueHeads = try file.extent("linear_num_value_heads", in: heads, absent: 32)
        guard valueHeads % keyHeads == 0 else {
            throw file.refusal("linear_num_value_heads", "is \(valueHeads); \(keyHeads) key heads cannot share them")
        }
        let valueDim = try file.extent("linear_value_head_dim", in: 1...4_096, absent: 128)
        guard valueDim % 16 == 0 else {
            throw file.refusal(
                "linear_value_head_dim", "is \(valueDim); multiples of 16 are computed here", .unsupported)
        }
        return GatedDeltaNet.Configuration(
            hidden: configuration.shape.hidden, keyHeads: keyHeads, valueHeads: valueHeads,
            keyDim: try file.extent("linear_key_head_dim", in: StateShape.keyRange, absent: 128), valueDim: valueDim,
            taps: try file.extent("linear_conv_kernel_dim", in: StateShape.tapsRange, absent: 4),
            activation: configuration.feedForward.activation, epsilon: configuration.epsilon)
    }
}

/// Qwen 3.5 with many small experts, and one that every row goes through, in the place of the feed-forward.
struct Qwen35MoE: DecoderArchitecture {
    static let modelType = "qwen3_5_moe_text"
    static let className = "Qwen3_5MoeForCausalLM"
    static let gguf: GGUFLayout? = {
        var layout = Qwen35.layout("qwen35moe").withExperts()
        layout.keys.insert("expert_shared_feed_forward_length")
        layout.layers["mlp.shared_expert_gate"] = "ffn_gate_inp_shexp"
        for part in ["gate", "up", "down"] { layout.layers["mlp.shared_expert.\(part)_proj"] = "ffn_\(part)_shexp" }
        return layout
    }()

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        let widths = DecoderShape.Limits.feedForward
        let width = try file.extent("moe_intermediate_size", in: widths, absent: 512)
        configuration = try Qwen35(file, kvHeads: 2, feedForward: width).configuration
        var experts = try configuration.experts(
            file, absent: 256, chosen: 8, width: width,
            layout: .apart(router: "gate", experts: "experts", gate: "gate_proj", up: "up_proj", down: "down_proj"))
        experts.shared = .init(
            width: try file.extent("shared_expert_intermediate_size", in: widths, absent: 512), name: "shared_expert.",
            gate: "shared_expert_gate")
        configuration.experts = (experts, "mlp.")
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        let widths = DecoderShape.Limits.feedForward
        let width = try file.extent("expert_feed_forward_length", in: widths)
        configuration = try Qwen35(file, feedForward: width).configuration
        try configuration.readExperts(file)
        configuration.experts?.0.shared = .init(
            width: try file.extent("expert_shared_feed_forward_length", in: widths, absent: width),
            name: "shared_expert.", gate: "shared_expert_gate")
    }
}

/// The language model within Qwen 3.5's checkpoints of text and pictures with experts.
struct Qwen35MoEConditional: LanguageModelWithin {
    static let modelType = "qwen3_5_moe"
    static let className = "Qwen3_5MoeForConditionalGeneration"

    let text: Qwen35MoE
}

/// The language model within Qwen 3.5's checkpoints of text and pictures. Pictures are not taken in.
struct Qwen35Conditional: LanguageModelWithin {
    static let modelType = "qwen3_5"
    static let className = "Qwen3_5ForConditionalGeneration"

    let text: Qwen35
}
