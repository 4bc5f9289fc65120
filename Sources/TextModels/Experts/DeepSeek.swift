import Layers
import Tensors

/// DeepSeek V2 (arXiv 2405.04434): latent attention, and experts of which groups are chosen first, beside some that every
/// row goes through.
struct DeepSeekV2: DecoderArchitecture {
    static let modelType = "deepseek_v2"
    static let className = "DeepseekV2ForCausalLM"
    static let gguf: GGUFLayout? = .deepSeek

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try .deepSeek(file, context: 2_048, vocabulary: 102_400, queryRank: 1_536, valueDim: 128)
        configuration.feedForward.bias = try file.bool("mlp_bias") ?? false
        if configuration.feedForward.bias {
            throw file.refusal("mlp_bias", "is true, which is not supported", .unsupported)
        }
        var experts = try configuration.deepSeekExperts(
            file, absent: 64, chosen: nil, width: 1_407, shared: 2, scale: 1)
        // Unlike V3's, they are never made to sum to 1, whatever the file says.
        experts.routing.normalizes = false
        switch try file.text("topk_method") ?? "greedy" {
        case "greedy": break
        case "group_limited_greedy": try experts.routing.readGroups(file, experts: experts.experts, absent: nil)
        case let method: throw file.refusal("topk_method", "is \"\(method)\", which is not known", .unsupported)
        }
        configuration.experts = (experts, "mlp.")
        configuration.denseLayers = try .first(file, of: configuration.shape.layers, absent: 0)
    }

    /// llama.cpp's files of V2, V3 and GLM 4.7 Flash alike.
    init(_ file: GGUFMetadata) throws(TextModelError) { configuration = try .deepSeek(file) }
}

/// DeepSeek V3 (arXiv 2412.19437) and R1: V2 with sigmoids for scores, and a number that is added when experts are chosen.
struct DeepSeekV3: DecoderArchitecture {
    static let modelType = "deepseek_v3"
    static let className = "DeepseekV3ForCausalLM"
    static let gguf: GGUFLayout? = nil

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try .deepSeek(file, context: 4_096, vocabulary: 129_280, queryRank: 1_536, valueDim: 128)
        configuration.isRotaryInterleaved = try file.bool("rope_interleave") ?? true
        var experts = try configuration.deepSeekExperts(
            file, absent: 256, chosen: 8, width: 2_048, shared: 1, scale: 2.5)
        try experts.becomeV3(file, groups: 8, chosen: 4)
        configuration.experts = (experts, "mlp.")
        configuration.denseLayers = try .first(file, of: configuration.shape.layers, absent: 3)
    }
}

/// GLM 4.7 Flash: DeepSeek V3's layers.
struct GLM4MoELite: DecoderArchitecture {
    static let modelType = "glm4_moe_lite"
    static let className = "Glm4MoeLiteForCausalLM"
    static let gguf: GGUFLayout? = nil

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try .deepSeek(
            file, context: 202_752, vocabulary: 154_880, queryRank: 768, plainDim: 192, valueDim: 256, epsilon: 1e-5)
        configuration.isRotaryInterleaved = try file.bool("rope_interleave") ?? true
        var experts = try configuration.deepSeekExperts(
            file, absent: 64, chosen: 4, width: 1_536, shared: 1, scale: 1.8)
        try experts.becomeV3(file, groups: 1, chosen: 1)
        configuration.experts = (experts, "mlp.")
        let layers = configuration.shape.layers
        if let types = try file.texts("mlp_layer_types") {
            guard types.count == layers, types.allSatisfy({ $0 == "dense" || $0 == "sparse" }) else {
                throw file.refusal("mlp_layer_types", "is no list of \(layers) times \"dense\" or \"sparse\"")
            }
            configuration.denseLayers = Set(types.indices.filter { types[$0] == "dense" })
        } else {
            configuration.denseLayers = [0]
        }
    }
}

extension Decoder.Configuration {
    /// What DeepSeek's models have in common.
    fileprivate static func deepSeek(
        _ file: ConfigurationFile, context: Int, vocabulary: Int, queryRank: Int, plainDim: Int = 128, valueDim: Int,
        epsilon: Double = 1e-6
    ) throws(TextModelError) -> Self {
        let dims = DecoderShape.Limits.headDim
        let rotaryDim = try file.extent("qk_rope_head_dim", in: dims, absent: 64)
        var shape = try DecoderShape(file, headDim: rotaryDim, context: context, vocabulary: vocabulary)
        // Where the file says it, it means this, or what does not count.
        (shape.headDim, shape.kvHeads) = (rotaryDim, 1)
        guard rotaryDim % 2 == 0 else { throw file.refusal("qk_rope_head_dim", "is \(rotaryDim), which is odd") }
        var configuration = try Self(file, shape: shape, context: context, epsilon: epsilon)
        configuration.isRotaryInterleaved = true
        let ranks = 1...1_024 - rotaryDim
        let ownQueries = file.has("q_lora_rank") && file.isNull("q_lora_rank")
        var latent = LatentAttention.Configuration(
            hidden: shape.hidden, heads: shape.heads,
            plainDim: try file.extent("qk_nope_head_dim", in: dims, absent: plainDim), rotaryDim: rotaryDim,
            valueDim: try file.extent("v_head_dim", in: dims, absent: valueDim),
            rank: try file.extent("kv_lora_rank", in: ranks, absent: 512),
            queryRank: ownQueries ? nil : try file.extent("q_lora_rank", in: 1...65_536, absent: queryRank), scale: 1)
        latent.bias = try file.bool("attention_bias") ?? false
        latent.scale = 1 / Float(latent.plainDim + rotaryDim).squareRoot()
        // YaRN's attention factor is in the scores, and not in the rotation alone.
        let fields = try file.fields("rope_parameters")
        let scaling = if let fields { fields } else { try file.fields("rope_scaling") }
        let kind = if let kind = try scaling?.text("rope_type") { kind } else { try scaling?.text("type") }
        if let scaling, let kind, kind != "default", let all = try scaling.number("mscale_all_dim"), all != 0 {
            let m = Float(RotaryFrequencies.yarnAttention(try scaling.positive("factor"), all))
            latent.scale *= m * m
        }
        configuration.latent = latent
        return configuration
    }

    fileprivate func deepSeekExperts(
        _ file: ConfigurationFile, absent: Int, chosen: Int?, width: Int, shared: Int, scale: Double
    ) throws(TextModelError) -> MixtureOfExperts.Configuration {
        let count = try file.extent("n_routed_experts", in: DecoderShape.Limits.experts, absent: absent)
        let own = try file.extent("moe_intermediate_size", in: DecoderShape.Limits.feedForward, absent: width)
        var experts = MixtureOfExperts.Configuration(
            experts: count, chosen: try file.extent("num_experts_per_tok", in: 1...count, absent: chosen), width: own,
            activation: feedForward.activation,
            layout: .apart(router: "gate", experts: "experts", gate: "gate_proj", up: "up_proj", down: "down_proj"))
        experts.routing.scale = Float(try file.positive("routed_scaling_factor", absent: scale))
        let beside = try file.extent("n_shared_experts", in: 1...1_024, absent: shared)
        experts.shared = .init(width: own * beside, name: "shared_experts.")
        return experts
    }

    fileprivate static func deepSeek(_ file: GGUFMetadata) throws(TextModelError) -> Self {
        let dims = DecoderShape.Limits.headDim
        let rotaryDim = try file.extent("rope.dimension_count", in: dims)
        let shape = try DecoderShape(file, headDim: rotaryDim, kvHeads: 1)
        guard !file.hasTensor("blk.0.attn_kv_b.weight") else {
            throw file.refusal(
                "attention.kv_lora_rank",
                "comes with \"attn_kv_b\", as files of before April 2025 have it; take one with \"attn_k_b\"",
                .unsupported)
        }
        var configuration = try Self(file, shape: shape)
        configuration.isRotaryInterleaved = true
        let keyDim = try file.extent("attention.key_length_mla", in: dims)
        guard keyDim > rotaryDim else {
            throw file.refusal("attention.key_length_mla", "is \(keyDim), of which \(rotaryDim) are turned")
        }
        var latent = LatentAttention.Configuration(
            hidden: shape.hidden, heads: shape.heads, plainDim: keyDim - rotaryDim, rotaryDim: rotaryDim,
            valueDim: try file.extent("attention.value_length_mla", in: dims),
            rank: try file.extent("attention.kv_lora_rank", in: 1...1_024 - rotaryDim),
            queryRank: file.hasTensor("blk.0.attn_q_a.weight")
                ? try file.extent("attention.q_lora_rank", in: 1...65_536) : nil,
            scale: 1 / Float(keyDim).squareRoot())
        // A tenth of `mscale_all_dim`.
        if let multiplier = try file.number("rope.scaling.yarn_log_multiplier"), multiplier != 0 {
            let factor = try file.positive("rope.scaling.factor")
            let m = Float(RotaryFrequencies.yarnAttention(factor, multiplier * 10))
            latent.scale *= m * m
            configuration.rotary.scale = 1
        }
        configuration.latent = latent
        try configuration.readExperts(file, normalizes: false)
        guard var experts = configuration.experts?.0 else { return configuration }
        experts.routing.normalizes = file.flag("expert_weights_norm") ?? false
        experts.routing.scale = Float(try file.positive("expert_weights_scale", absent: 1))
        switch try file.integer("expert_gating_func") ?? 1 {
        case 1: break
        case 2: experts.routing.isSigmoid = true
        case let kind: throw file.refusal("expert_gating_func", "is \(kind), which is not known", .unsupported)
        }
        let dense = try file.extent("leading_dense_block_count", in: 0...shape.layers, absent: 0)
        configuration.denseLayers = Set(0..<dense)
        if file.hasTensor("blk.\(dense).exp_probs_b.bias") { experts.correction = "gate.e_score_correction_bias" }
        let groups = try file.extent("expert_group_count", in: 1...experts.experts, absent: 1)
        if groups > 1 {
            guard experts.experts % groups == 0 else {
                throw file.refusal("expert_group_count", "is \(groups), of \(experts.experts) experts")
            }
            experts.routing.groups = groups
            experts.routing.chosenGroups = try file.extent("expert_group_used_count", in: 1...groups)
            experts.routing.groupBest = experts.routing.isSigmoid ? 2 : 1
        }
        let beside = try file.extent("expert_shared_count", in: 1...1_024)
        experts.shared = .init(width: experts.width * beside, name: "shared_experts.")
        configuration.experts = (experts, "mlp.")
        return configuration
    }
}

extension MixtureOfExperts.Configuration {
    fileprivate mutating func becomeV3(_ file: ConfigurationFile, groups: Int, chosen: Int) throws(TextModelError) {
        routing.isSigmoid = true
        routing.normalizes = try file.bool("norm_topk_prob") ?? true
        routing.groupBest = 2
        correction = "gate.e_score_correction_bias"
        try routing.readGroups(file, experts: experts, absent: (groups, chosen))
    }
}

extension ExpertRouting {
    fileprivate mutating func readGroups(
        _ file: ConfigurationFile, experts: Int, absent: (groups: Int, chosen: Int)?
    ) throws(TextModelError) {
        groups = try file.extent("n_group", in: 1...experts, absent: absent?.groups)
        chosenGroups = try file.extent("topk_group", in: 1...groups, absent: absent.map { min($0.chosen, groups) })
        guard experts % groups == 0, experts / groups >= groupBest, chosen <= experts / groups * chosenGroups else {
            throw file.refusal(
                "n_group", "is \(groups), of \(experts) experts, from \(chosenGroups) of which \(chosen) are taken")
        }
    }
}

extension Set<Int> {
    /// The layers before those with experts.
    fileprivate static func first(
        _ file: ConfigurationFile, of layers: Int, absent: Int
    ) throws(TextModelError) -> Set<Int> {
        Set(0..<Swift.min(layers, try file.extent("first_k_dense_replace", in: 0...1_024, absent: absent)))
    }
}

extension GGUFLayout {
    fileprivate static let deepSeek: GGUFLayout = {
        var layout = GGUFLayout(
            name: "deepseek2",
            keys: [
                "attention.key_length_mla", "attention.kv_lora_rank", "attention.q_lora_rank",
                "attention.value_length_mla", "expert_gating_func", "expert_group_count", "expert_group_used_count",
                "expert_shared_count", "expert_weights_norm", "expert_weights_scale", "leading_dense_block_count",
                "rope.scaling.yarn_log_multiplier",
            ]
        ).withExperts()
        for (own, theirs) in [
            ("q_a_proj", "attn_q_a"), ("q_a_layernorm", "attn_q_a_norm"), ("q_b_proj", "attn_q_b"),
            ("kv_a_proj_with_mqa", "attn_kv_a_mqa"), ("kv_a_layernorm", "attn_kv_a_norm"), ("k_b_proj", "attn_k_b"),
            ("v_b_proj", "attn_v_b"),
        ] {
            layout.layers["self_attn." + own] = theirs
        }
        for part in ["gate", "up", "down"] {
            layout.layers["mlp.shared_experts.\(part)_proj"] = "ffn_\(part)_shexp"
        }
        layout.layerTensors["mlp.gate.e_score_correction_bias"] = "exp_probs_b.bias"
        return layout
    }()
}
