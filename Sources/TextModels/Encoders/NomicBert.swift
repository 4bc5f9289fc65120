import Layers
import Tensors

/// NomicBERT (arXiv 2402.01613): BERT with rotary positions, gated feed-forwards and no biases. Files name fields and
/// tensors as the authors did (`n_embd`, `attn.Wqkv`) or as transformers 5 does (`hidden_size`, `self_attn.q_proj`).
struct NomicBert: EncoderArchitecture {
    static let modelTypes = ["nomic_bert"]
    static let classPrefixes = ["NomicBert"]

    static let gguf: GGUFLayout? = .encoder(
        "nomic-bert", layers: "encoder.layers.",
        globals: [
            "embeddings.word_embeddings": "token_embd", "embeddings.token_type_embeddings": "token_types",
            "emb_ln": "token_embd_norm",
        ],
        layers: [
            "attn.Wqkv": "attn_qkv", "attn.out_proj": "attn_output", "norm1": "attn_output_norm",
            "norm2": "layer_output_norm", "mlp.fc11": "ffn_up", "mlp.fc12": "ffn_gate", "mlp.fc2": "ffn_down",
        ])

    private var configuration: BertModel.Configuration

    /// As the authors name them.
    private static let published: BertNames = {
        var names = BertNames()
        names.roots = ["", "nomic_bert.", "bert."]
        names.norm = "emb_ln"
        (names.layer, names.joint, names.output) = ("encoder.layers.", "attn.Wqkv", "attn.out_proj")
        (names.attentionNorm, names.feedForwardNorm) = ("norm1", "norm2")
        (names.up, names.gate, names.down) = ("mlp.fc11", "mlp.fc12", "mlp.fc2")
        return names
    }()

    /// As transformers 5 names them.
    private static let renamed: BertNames = {
        var names = BertNames()
        names.roots = ["", "nomic_bert."]
        names.layer = "layers."
        (names.query, names.key, names.value) = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
        (names.output, names.attentionNorm) = ("self_attn.o_proj", "post_attention_layernorm")
        (names.up, names.gate, names.down) = ("mlp.up_proj", "mlp.gate_proj", "mlp.down_proj")
        names.feedForwardNorm = "post_mlp_layernorm"
        return names
    }()

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = file.has("n_embd") ? try Self.published(file) : try Self.renamed(file)
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        let shape = try DecoderShape(encoder: file)
        configuration = BertModel.Configuration(
            shape: shape, feedForward: try file.extent("feed_forward_length", in: DecoderShape.Limits.feedForward),
            activation: try file.activation(absent: .silu),
            epsilon: Float(try file.positive("attention.layer_norm_epsilon")),
            positions: .rotary(try RotaryFrequencies(file, shape: shape)),
            tokenTypes: file.rows(of: "token_types.weight") ?? 0, isBiased: false, names: Self.published)
    }

    private static func renamed(_ file: ConfigurationFile) throws(TextModelError) -> BertModel.Configuration {
        let context = try file.extent("max_position_embeddings", in: DecoderShape.Limits.context, absent: 2_048)
        let shape = try DecoderShape(encoder: file, context: context)
        guard try file.extent("head_dim", in: DecoderShape.Limits.headDim, absent: shape.headDim) == shape.headDim
        else { throw file.refusal("head_dim", "is not hidden_size / num_attention_heads", .unsupported) }
        return BertModel.Configuration(
            shape: shape, feedForward: try file.extent("intermediate_size", in: DecoderShape.Limits.feedForward),
            activation: try file.activation("hidden_act", absent: "silu"),
            epsilon: Float(try file.positive("layer_norm_eps", absent: 1e-12)),
            positions: .rotary(try RotaryFrequencies(file, shape: shape, standardBase: 1_000)),
            tokenTypes: try file.extent("type_vocab_size", in: 1...1_024, absent: 2), isBiased: false, names: renamed)
    }

    private static func published(_ file: ConfigurationFile) throws(TextModelError) -> BertModel.Configuration {
        for field in [
            "prenorm", "use_rms_norm", "parallel_block", "causal", "qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias",
            "rotary_emb_interleaved",
        ] { try file.refuse(field) }
        for (field, value) in [("rotary_emb_fraction", 1.0), ("num_experts", 0), ("moe_every_n_layers", 0)] {
            if let given = try file.number(field), given != value {
                throw file.refusal(field, "is \(given); only \(value) is supported", .unsupported)
            }
        }
        if let base = try file.number("rotary_emb_scale_base") {
            throw file.refusal("rotary_emb_scale_base", "is \(base), which is not supported", .unsupported)
        }
        let activation = try file.text("activation_function") ?? "swiglu"
        guard activation == "swiglu" else {
            throw file.refusal("activation_function", "is \"\(activation)\"; only swiglu is supported", .unsupported)
        }
        // Beyond the positions that it was trained with the authors' code turns more slowly, which is not done here.
        let positions = try file.extent("n_positions", in: DecoderShape.Limits.context)
        let trained = try file.extent("max_trained_positions", in: DecoderShape.Limits.context, absent: positions)
        let shape = try DecoderShape(
            file, context: min(positions, trained), hidden: "n_embd", heads: "n_head", layers: "n_layer")
        return BertModel.Configuration(
            shape: shape,
            feedForward: try file.extent("n_inner", in: DecoderShape.Limits.feedForward, absent: 4 * shape.hidden),
            activation: .silu, epsilon: Float(try file.positive("layer_norm_epsilon", absent: 1e-12)),
            positions: .rotary(
                RotaryFrequencies(
                    base: try file.positive("rotary_emb_base", absent: 10_000), width: shape.headDim)),
            tokenTypes: try file.extent("type_vocab_size", in: 0...1_024, absent: 2), isBiased: false,
            names: published)
    }

    func encoder(_ loader: WeightLoader, hasClassifier: Bool) throws(TensorError) -> any TextEncoder {
        var configuration = configuration
        // transformers 5 writes its own fields beside the authors' names of tensors.
        let isPublished = Self.published.roots.contains {
            loader.checkpoint.contains("\($0)encoder.layers.0.attn.Wqkv.weight")
        }
        configuration.names = isPublished ? Self.published : Self.renamed
        return try BertModel(configuration, loader, hasClassifier: hasClassifier)
    }
}
