import Layers
import Tensors

/// GPT-2 (Radford et al. 2019): LayerNorm before each block, learned positions, a GELU feed-forward.
struct GPT2: Architecture {
    static let modelType = "gpt2"
    static let className = "GPT2LMHeadModel"
    static let gguf: GGUFLayout? = GGUFLayout(
        name: "gpt2", layerPrefix: "h.",
        globals: ["wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm", "lm_head": "output"],
        layers: [
            "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
            "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
        ])

    let configuration: GPT2Model.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        typealias Limits = DecoderShape.Limits
        let hidden = try file.extent("n_embd", in: Limits.hidden)
        let heads = try file.extent("n_head", in: Limits.heads)
        guard hidden % heads == 0, hidden / heads <= Limits.headDim.upperBound else {
            throw file.refusal("n_head", "is \(heads); so many heads do not divide a width of \(hidden)")
        }
        try file.refuse("scale_attn_by_inverse_layer_idx")
        try file.refuse("add_cross_attention")
        let shape = DecoderShape(
            vocabulary: try file.extent("vocab_size", in: Limits.vocabulary),
            context: try file.extent("n_positions", in: Limits.context), hidden: hidden,
            layers: try file.extent("n_layer", in: Limits.layers), heads: heads, kvHeads: heads,
            headDim: hidden / heads)
        configuration = GPT2Model.Configuration(
            shape: shape, feedForward: try file.extent("n_inner", in: Limits.feedForward, absent: 4 * hidden),
            epsilon: Float(try file.number("layer_norm_epsilon") ?? 1e-5),
            isTied: try file.bool("tie_word_embeddings") ?? true,
            activation: try file.activation("activation_function", absent: "gelu_new"),
            scale: try file.bool("scale_attn_weights") == false ? 1 : 1 / Float(shape.headDim).squareRoot())
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        let shape = try DecoderShape(file)
        guard shape.hidden == shape.heads * shape.headDim, shape.kvHeads == shape.heads else {
            throw file.refusal(
                "attention.head_count", "is \(shape.heads); so many heads do not divide a width of \(shape.hidden)")
        }
        configuration = GPT2Model.Configuration(
            shape: shape,
            feedForward: try file.extent(
                "feed_forward_length", in: DecoderShape.Limits.feedForward, absent: 4 * shape.hidden),
            epsilon: Float(try file.number("attention.layer_norm_epsilon") ?? 1e-5), isTied: file.isTied,
            activation: .geluTanh, scale: 1 / Float(shape.headDim).squareRoot())
    }

    var extents: ModelExtents {
        let shape = configuration.shape
        let layer = KVExtents(heads: shape.kvHeads, headDim: shape.headDim)
        return ModelExtents(shape: shape, pagedLayers: Array(repeating: layer, count: shape.layers))
    }

    func model(_ loader: WeightLoader) throws(TensorError) -> any TextModel { try GPT2Model(configuration, loader) }
}
