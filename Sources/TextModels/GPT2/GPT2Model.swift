package import Layers
package import Tensors

/// The decoder of ``GPT2``.
package struct GPT2Model: TextModel {
    struct Configuration: Sendable {
        var shape: DecoderShape
        /// F.
        var feedForward: Int
        var epsilon: Float
        /// Whether the embedding is the head where the file has none of its own.
        var isTied: Bool
        var activation: Device.Activation
        /// What scores are multiplied by.
        var scale: Float
    }

    /// What else stands outside of the layers.
    private struct Outside: Sendable {
        var positions: Tensor  // [context, C]
        var norm: LayerNorm
    }

    private struct Layer: Sendable {
        var attentionNorm: LayerNorm
        var query: Linear  // [C, C]
        var key: Linear  // [C, C]
        var value: Linear  // [C, C]
        var output: Linear  // [C, C]
        var feedForwardNorm: LayerNorm
        var up: Linear  // [F, C]
        var down: Linear  // [C, F]
    }

    package let shape: DecoderShape
    package let layers: Range<Int>
    package let weights: WeightCount
    package let linearModules: [LinearModule]
    private let configuration: Configuration
    private let outside: EmbeddingAndHead<Outside>
    private let blocks: [Layer]

    init(_ configuration: Configuration, _ loader: WeightLoader) throws(TensorError) {
        let shape = configuration.shape
        let (c, f, epsilon) = (shape.hidden, configuration.feedForward, configuration.epsilon)
        // The head stands outside of what a file of the whole language model calls the transformer.
        let outer = loader
        var loader = loader
        loader.prefix = loader.checkpoint.contains("transformer.wte.weight") ? "transformer." : ""
        let inner = loader
        layers = try loader.layers(of: shape.layers)
        outside = try EmbeddingAndHead(layers) { () throws(TensorError) in
            try TokenEmbedding(
                inner, outer: outer, embedding: "wte.weight", tokens: shape.vocabulary, width: c,
                tied: configuration.isTied)
        } norm: { () throws(TensorError) in
            Outside(
                positions: try inner.table("wpe.weight", shape: [shape.context, c]),
                norm: try LayerNorm(inner, "ln_f", count: c, epsilon: epsilon))
        }
        var blocks: [Layer] = []
        for index in layers {
            let name = "h.\(index)."
            let attention = try loader.linears(
                name + "attn.c_attn", parts: [c, c, c], inputs: c, bias: true, transposed: true)
            blocks.append(
                Layer(
                    attentionNorm: try LayerNorm(loader, name + "ln_1", count: c, epsilon: epsilon),
                    query: attention[0], key: attention[1],
                    value: attention[2],
                    output: try loader.linear(
                        name + "attn.c_proj", outputs: c, inputs: c, bias: true, transposed: true),
                    feedForwardNorm: try LayerNorm(loader, name + "ln_2", count: c, epsilon: epsilon),
                    up: try loader.linear(name + "mlp.c_fc", outputs: f, inputs: c, bias: true, transposed: true),
                    down: try loader.linear(name + "mlp.c_proj", outputs: c, inputs: f, bias: true, transposed: true)))
        }
        self.blocks = blocks
        linearModules = loader.linearModules.modules
        self.shape = shape
        self.configuration = configuration
        let matrices = blocks.flatMap { [$0.query, $0.key, $0.value, $0.output, $0.up, $0.down] }
        weights = WeightCount(matrices.map(\.weight) + outside.matrices)
    }

    package func embed(_ batch: TokenBatch, on device: Device) throws(TensorError) -> Tensor {
        let x = try outside.embedding(batch.ids, batch.adapters, on: device)  // [R, C]
        device.addRows(of: outside.norm.positions, ids: batch.rows.positions, to: x)
        return x
    }

    package func run(_ x: Tensor, _ batch: TokenBatch, cache: DecoderCache, on device: Device) throws(TensorError) {
        try run(x, batch, cache: cache, on: device) { _, _, _ in }
    }

    /// A value on its way through a layer, in nanoGPT's terms.
    package enum Value: Sendable {
        case input, attentionNorm, query, key, value, attended, afterAttention, feedForwardNorm, up, activated, output
    }

    /// - Parameter observe: sees each value, and the layer it stands in, as it is made; it may change afterwards.
    package func forward(
        _ batch: TokenBatch, cache: DecoderCache, on device: Device, observe: (Value, Int, Tensor) -> Void
    ) throws(TensorError) -> Tensor {
        let x = try embed(batch, on: device)
        try run(x, batch, cache: cache, on: device, observe: observe)
        normalize(x, on: device)
        return x
    }

    private func run(
        _ x: Tensor, _ batch: TokenBatch, cache: DecoderCache, on device: Device, observe: (Value, Int, Tensor) -> Void
    ) throws(TensorError) {
        let h = try device.makeRows(x.rowCount, width: x.width)  // [R, C]
        let scale = configuration.scale
        for (index, layer) in blocks.enumerated() {
            observe(.input, index, x)
            layer.attentionNorm(x, into: h, on: device)
            observe(.attentionNorm, index, h)
            let (q, k, v) = try Linear.together(
                layer.query, layer.key, layer.value, h, batch.adapters, on: device)  // [R, C] each
            observe(.query, index, q)
            observe(.key, index, k)
            observe(.value, index, v)
            let attended = try device.makeRows(q.rowCount, width: q.width)  // [R, C]
            device.attention(
                queries: q, keys: k, values: v, rows: batch.rows, cache: cache.pages, layer: index, scale: scale,
                into: attended)
            observe(.attended, index, attended)
            try layer.output(attended, batch.adapters, residual: x, into: x, on: device)
            observe(.afterAttention, index, x)
            layer.feedForwardNorm(x, into: h, on: device)
            observe(.feedForwardNorm, index, h)
            let up = try layer.up(h, batch.adapters, on: device)  // [R, F]
            observe(.up, index, up)
            device.map(configuration.activation, up, into: up)
            observe(.activated, index, up)
            try layer.down(up, batch.adapters, residual: x, into: x, on: device)
            observe(.output, index, x)
        }
    }

    package var hasHead: Bool { outside.hasHead }

    package func normalize(_ x: Tensor, on device: Device) { outside.norm.norm(x, into: x, on: device) }

    package var tokenEmbedding: TokenEmbedding? { outside.tokenEmbedding }

    package func logits(
        _ hidden: Tensor, _ adapters: AdapterRows, on device: Device
    ) throws(TensorError) -> Tensor {
        try outside.embedding.logits(hidden, adapters, on: device)
    }
}
