package import Layers
package import Tensors

/// The decoder of ``Gemma2`` and ``Gemma3``: RMSNorm before and after each block, a GELU-gated feed-forward, embeddings
/// times √C.
package struct GemmaModel: TextModel {
    struct Configuration: Sendable {
        var shape: DecoderShape
        var attention: PagedAttention.Configuration
        /// The rotation of layers with a window, where it is another one.
        var windowedRotary: RotaryFrequencies?
        var feedForward: GatedFeedForward.Configuration
        var epsilon: Float
        /// Whether the embedding is the head where the file has none of its own.
        var isTied: Bool
        /// Logits z become cap · tanh(z / cap); nil for none.
        var logitCap: Float?
    }

    private struct Layer: Sendable {
        var beforeAttention: RMSNorm
        var attention: PagedAttention
        var afterAttention: RMSNorm
        var beforeFeedForward: RMSNorm
        var feedForward: GatedFeedForward
        var afterFeedForward: RMSNorm
    }

    package let shape: DecoderShape
    package let layers: Range<Int>
    package let weights: WeightCount
    package let linearModules: [LinearModule]
    private let logitCap: Float?
    private let outside: EmbeddingAndHead<RMSNorm>
    private let blocks: [Layer]

    init(_ configuration: Configuration, _ loader: WeightLoader) throws(TensorError) {
        let shape = configuration.shape, (c, epsilon) = (shape.hidden, configuration.epsilon)
        let table = try configuration.attention.rotary.table(positions: shape.context)
        let windowedTable = try configuration.windowedRotary?.table(positions: shape.context) ?? table
        func norm(_ name: String) throws(TensorError) -> RMSNorm {
            try RMSNorm(loader, name, count: c, epsilon: epsilon, isOffset: true)
        }
        layers = try loader.layers(of: shape.layers)
        outside = try EmbeddingAndHead(layers) { () throws(TensorError) in
            try TokenEmbedding(
                loader, outer: loader, embedding: "model.embed_tokens.weight", tokens: shape.vocabulary, width: c,
                tied: configuration.isTied)
        } norm: { () throws(TensorError) in
            try norm("model.norm")
        }
        var blocks: [Layer] = []
        for index in layers {
            let name = "model.layers.\(index)."
            blocks.append(
                Layer(
                    beforeAttention: try norm(name + "input_layernorm"),
                    attention: try PagedAttention(
                        loader, layer: index, name + "self_attn.", configuration.attention,
                        table: configuration.attention.windows[index] > 0 ? windowedTable : table),
                    afterAttention: try norm(name + "post_attention_layernorm"),
                    beforeFeedForward: try norm(name + "pre_feedforward_layernorm"),
                    feedForward: try GatedFeedForward(loader, name + "mlp.", configuration.feedForward, hidden: c),
                    afterFeedForward: try norm(name + "post_feedforward_layernorm")))
        }
        self.blocks = blocks
        self.shape = shape
        logitCap = configuration.logitCap
        linearModules = loader.linearModules.modules
        weights = WeightCount(blocks.flatMap { $0.attention.matrices + $0.feedForward.matrices } + outside.matrices)
    }

    package func embed(_ batch: TokenBatch, on device: Device) throws(TensorError) -> Tensor {
        let x = try outside.embedding(batch.ids, on: device)  // [R, C]
        // √C rounded once, as transformers does where it computes in f32.
        device.scale(x, by: Float(Double(shape.hidden).squareRoot()), into: x)
        return x
    }

    package func run(_ x: Tensor, _ batch: TokenBatch, cache: KVStorage, on device: Device) throws(TensorError) {
        let h = try device.makeRows(x.rowCount, width: x.width)  // [R, C]
        for layer in blocks {
            layer.beforeAttention(x, into: h, on: device)
            try layer.attention(h, batch.rows, batch.adapters, cache: cache, into: h, on: device)
            layer.afterAttention(h, into: h, on: device)
            device.combine(x, h, into: x)
            layer.beforeFeedForward(x, into: h, on: device)
            try layer.feedForward(h, batch.adapters, into: h, on: device)
            layer.afterFeedForward(h, into: h, on: device)
            device.combine(x, h, into: x)
        }
    }

    package var hasHead: Bool { outside.hasHead }

    package func normalize(_ x: Tensor, on device: Device) { outside.norm(x, into: x, on: device) }

    package func logits(_ hidden: Tensor, on device: Device) throws(TensorError) -> Tensor {
        let y = try outside.embedding.logits(hidden, on: device)  // [R, V]
        if let logitCap { device.softCap(y, cap: logitCap, into: y) }
        return y
    }
}
