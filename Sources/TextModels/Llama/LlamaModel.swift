package import Layers
package import Tensors

/// The decoder of Llama 1, 2 and 3 (arXiv 2302.13971, 2307.09288, 2407.21783): RMSNorm before each block, rotary
/// positions, grouped-query attention, a SiLU-gated feed-forward. Mistral, Qwen 2, Qwen 3 and Phi-3 have it too; what
/// each does differently stands in the file of its architecture.
package struct LlamaModel: TextModel {
    package struct Configuration: Sendable {
        var shape: DecoderShape
        var attention: PagedAttention.Configuration
        var feedForward: GatedFeedForward.Configuration
        var epsilon: Float
        /// Whether the embedding is the head where the file has none of its own.
        var isTied: Bool

        /// What all architectures of this form read in the same way.
        ///
        /// - Parameters:
        ///   - headDim: D where the file does not say it; C / H by default.
        ///   - context: positions where the file does not say it.
        ///   - partialRotary: whether only the first elements of a head may be turned.
        /// - Throws: `TextModelError` that names the field.
        init(
            _ file: ConfigurationFile, headDim: Int? = nil, context: Int, epsilon: Double = 1e-6,
            partialRotary: Bool = false
        ) throws(TextModelError) {
            shape = try DecoderShape(file, headDim: headDim, context: context)
            attention = PagedAttention.Configuration(
                shape, rotary: try RotaryFrequencies(file, shape: shape, partial: partialRotary))
            feedForward = GatedFeedForward.Configuration(
                width: try file.extent("intermediate_size", in: DecoderShape.Limits.feedForward),
                activation: try file.activation("hidden_act", absent: "silu"))
            self.epsilon = Float(try file.number("rms_norm_eps") ?? epsilon)
            isTied = try file.bool("tie_word_embeddings") ?? false
        }

        /// - Throws: `TextModelError` that names the key.
        init(
            _ file: GGUFMetadata, epsilon: Double = 1e-6, partialRotary: Bool = false
        ) throws(TextModelError) {
            shape = try DecoderShape(file)
            attention = PagedAttention.Configuration(
                shape, rotary: try RotaryFrequencies(file, shape: shape, partial: partialRotary))
            feedForward = GatedFeedForward.Configuration(
                width: try file.extent("feed_forward_length", in: DecoderShape.Limits.feedForward), activation: .silu)
            self.epsilon = Float(try file.number("attention.layer_norm_rms_epsilon") ?? epsilon)
            isTied = file.isTied
        }
    }

    private struct Layer: Sendable {
        var attentionNorm: RMSNorm
        var attention: PagedAttention
        var feedForwardNorm: RMSNorm
        var feedForward: GatedFeedForward
    }

    package let shape: DecoderShape
    package let layers: Range<Int>
    package let weights: WeightCount
    package let linearModules: [LinearModule]
    private let outside: EmbeddingAndHead<RMSNorm>
    private let blocks: [Layer]

    init(_ configuration: Configuration, _ loader: WeightLoader) throws(TensorError) {
        let shape = configuration.shape, (c, epsilon) = (shape.hidden, configuration.epsilon)
        let table = try configuration.attention.rotary.table(positions: shape.context)
        layers = try loader.layers(of: shape.layers)
        outside = try EmbeddingAndHead(layers) { () throws(TensorError) in
            try TokenEmbedding(
                loader, outer: loader, embedding: "model.embed_tokens.weight", tokens: shape.vocabulary, width: c,
                tied: configuration.isTied)
        } norm: { () throws(TensorError) in
            try RMSNorm(loader, "model.norm", count: c, epsilon: epsilon)
        }
        var blocks: [Layer] = []
        for index in layers {
            let name = "model.layers.\(index)."
            blocks.append(
                Layer(
                    attentionNorm: try RMSNorm(loader, name + "input_layernorm", count: c, epsilon: epsilon),
                    attention: try PagedAttention(
                        loader, layer: index, name + "self_attn.", configuration.attention, table: table),
                    feedForwardNorm: try RMSNorm(
                        loader, name + "post_attention_layernorm", count: c, epsilon: epsilon),
                    feedForward: try GatedFeedForward(loader, name + "mlp.", configuration.feedForward, hidden: c)))
        }
        self.blocks = blocks
        self.shape = shape
        linearModules = loader.linearModules.modules
        weights = WeightCount(blocks.flatMap { $0.attention.matrices + $0.feedForward.matrices } + outside.matrices)
    }

    package func embed(_ batch: TokenBatch, on device: Device) throws(TensorError) -> Tensor {
        try outside.embedding(batch.ids, on: device)
    }

    package func run(_ x: Tensor, _ batch: TokenBatch, cache: KVStorage, on device: Device) throws(TensorError) {
        let h = try device.makeRows(x.rowCount, width: x.width)  // [R, C]
        for layer in blocks {
            layer.attentionNorm(x, into: h, on: device)
            try layer.attention(h, batch.rows, batch.adapters, cache: cache, residual: x, into: x, on: device)
            layer.feedForwardNorm(x, into: h, on: device)
            try layer.feedForward(h, batch.adapters, residual: x, into: x, on: device)
        }
    }

    package var hasHead: Bool { outside.hasHead }

    package func normalize(_ x: Tensor, on device: Device) { outside.norm(x, into: x, on: device) }

    package func logits(_ hidden: Tensor, on device: Device) throws(TensorError) -> Tensor {
        try outside.embedding.logits(hidden, on: device)
    }
}

extension PagedAttention.Configuration {
    init(_ shape: DecoderShape, rotary: RotaryFrequencies) {
        self.init(
            hidden: shape.hidden, heads: shape.heads, kvHeads: shape.kvHeads, headDim: shape.headDim,
            layers: shape.layers, rotary: rotary)
    }
}
