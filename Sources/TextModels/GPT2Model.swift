package import Tensors

/// GPT-2 (Radford et al. 2019): LayerNorm before each block, learned positions, a GELU feed-forward.
package struct GPT2Model: TextModel {
    struct Configuration: Sendable {
        var shape: DecoderShape
        var feedForward: Int
        var epsilon: Float
        var tied: Bool
        var activation: Device.Activation
        /// What scores are multiplied by.
        var scale: Float

        /// - Throws: `TextModelError` that names the field.
        init(_ json: CheckpointConfiguration) throws(TextModelError) {
            let hidden = try CheckpointConfiguration.extent(json.n_embd, "n_embd", in: 1...65_536)
            let heads = try CheckpointConfiguration.extent(json.n_head, "n_head", in: 1...1_024)
            guard hidden % heads == 0, hidden / heads <= 256 else {
                throw TextModelError(
                    .invalidCheckpoint, "config.json: \(heads) heads do not divide a width of \(hidden)")
            }
            guard json.scale_attn_by_inverse_layer_idx != true else {
                throw TextModelError(.unsupported, "config.json: \"scale_attn_by_inverse_layer_idx\" is not supported")
            }
            guard json.add_cross_attention != true else {
                throw TextModelError(.unsupported, "config.json: \"add_cross_attention\" is not supported")
            }
            shape = DecoderShape(
                vocabulary: try CheckpointConfiguration.extent(json.vocab_size, "vocab_size", in: 1...4_000_000),
                context: try CheckpointConfiguration.extent(json.n_positions, "n_positions", in: 1...1_048_576),
                hidden: hidden,
                layers: try CheckpointConfiguration.extent(json.n_layer, "n_layer", in: 1...1_024),
                heads: heads, kvHeads: heads, headDim: hidden / heads)
            feedForward = try CheckpointConfiguration.extent(json.n_inner ?? 4 * hidden, "n_inner", in: 1...1_048_576)
            epsilon = Float(json.layer_norm_epsilon ?? 1e-5)
            tied = json.tie_word_embeddings ?? true
            scale = json.scale_attn_weights == false ? 1 : 1 / Float(shape.headDim).squareRoot()
            activation = try CheckpointConfiguration.activation(json.activation_function ?? "gelu_new")
        }
    }

    private struct Norm: Sendable {
        var weight: Tensor  // [C]
        var bias: Tensor  // [C]

        init(_ loader: WeightLoader, _ name: String, count: Int) throws(TensorError) {
            weight = try loader.vector(name + ".weight", count: count)
            bias = try loader.vector(name + ".bias", count: count)
        }
    }

    /// What else stands outside of the layers.
    private struct Outside: Sendable {
        var positions: Tensor  // [context, C]
        var norm: Norm
    }

    private struct Layer: Sendable {
        var attentionNorm: Norm
        var query: Linear  // [C, C]
        var key: Linear  // [C, C]
        var value: Linear  // [C, C]
        var output: Linear  // [C, C]
        var feedForwardNorm: Norm
        var up: Linear  // [F, C]
        var down: Linear  // [C, F]
    }

    package let shape: DecoderShape
    package let layers: Range<Int>
    package let weights: WeightCount
    package let linearModules: [LinearModule]
    private let configuration: Configuration
    private let ends: Ends<Outside>
    private let blocks: [Layer]

    init(_ configuration: Configuration, _ loader: WeightLoader) throws(TensorError) {
        let shape = configuration.shape
        let (c, f) = (shape.hidden, configuration.feedForward)
        // The head stands outside of what a file of the whole language model calls the transformer.
        let outer = loader
        var loader = loader
        loader.prefix = loader.checkpoint.contains("transformer.wte.weight") ? "transformer." : ""
        let inner = loader
        layers = try loader.layers(of: shape)
        ends = try Ends(layers) { () throws(TensorError) in
            try TokenEmbedding(inner, outer: outer, embedding: "wte.weight", shape, tied: configuration.tied)
        } norm: { () throws(TensorError) in
            Outside(
                positions: try inner.table("wpe.weight", shape: [shape.context, c]),
                norm: try Norm(inner, "ln_f", count: c))
        }
        var blocks: [Layer] = []
        for index in layers {
            let name = "h.\(index)."
            let attention = try loader.linears(
                name + "attn.c_attn", parts: [c, c, c], inputs: c, bias: true, transposed: true)
            blocks.append(
                Layer(
                    attentionNorm: try Norm(loader, name + "ln_1", count: c), query: attention[0], key: attention[1],
                    value: attention[2],
                    output: try loader.linear(
                        name + "attn.c_proj", outputs: c, inputs: c, bias: true, transposed: true),
                    feedForwardNorm: try Norm(loader, name + "ln_2", count: c),
                    up: try loader.linear(name + "mlp.c_fc", outputs: f, inputs: c, bias: true, transposed: true),
                    down: try loader.linear(name + "mlp.c_proj", outputs: c, inputs: f, bias: true, transposed: true)))
        }
        self.blocks = blocks
        linearModules = loader.linearModules.modules
        self.shape = shape
        self.configuration = configuration
        let matrices = blocks.flatMap { [$0.query, $0.key, $0.value, $0.output, $0.up, $0.down] }
        weights = WeightCount(matrices.map(\.weight) + ends.matrices)
    }

    package func embed(_ batch: TokenBatch, on device: Device) throws(TensorError) -> Tensor {
        let x = try ends.embedding(batch.ids, on: device)  // [R, C]
        device.addRows(of: ends.norm.positions, ids: batch.rows.positions, to: x)
        return x
    }

    package func run(_ x: Tensor, _ batch: TokenBatch, cache: KVStorage, on device: Device) throws(TensorError) {
        try run(x, batch, cache: cache, on: device) { _, _, _ in }
    }

    /// A value on its way through a layer, in nanoGPT's terms.
    package enum Value: Sendable {
        case input, attentionNorm, query, key, value, attended, afterAttention, feedForwardNorm, up, activated, output
    }

    /// - Parameter observe: sees each value, and the layer it stands in, as it is made; it may change afterwards.
    package func forward(
        _ batch: TokenBatch, cache: KVStorage, on device: Device, observe: (Value, Int, Tensor) -> Void
    ) throws(TensorError) -> Tensor {
        let x = try embed(batch, on: device)
        try run(x, batch, cache: cache, on: device, observe: observe)
        normalize(x, on: device)
        return x
    }

    private func run(
        _ x: Tensor, _ batch: TokenBatch, cache: KVStorage, on device: Device, observe: (Value, Int, Tensor) -> Void
    ) throws(TensorError) {
        let h = try device.makeRows(x.rowCount, width: x.width)  // [R, C]
        let scale = configuration.scale
        for (index, layer) in blocks.enumerated() {
            observe(.input, index, x)
            normalize(x, layer.attentionNorm, into: h, on: device)
            observe(.attentionNorm, index, h)
            let (q, k, v) = try Linear.together(
                layer.query, layer.key, layer.value, h, batch.adapters, on: device)  // [R, C] each
            observe(.query, index, q)
            observe(.key, index, k)
            observe(.value, index, v)
            let attended = try device.makeRows(q.rowCount, width: q.width)  // [R, C]
            device.attention(
                queries: q, keys: k, values: v, rows: batch.rows, cache: cache, layer: index, scale: scale,
                into: attended)
            observe(.attended, index, attended)
            try layer.output(attended, batch.adapters, residual: x, into: x, on: device)
            observe(.afterAttention, index, x)
            normalize(x, layer.feedForwardNorm, into: h, on: device)
            observe(.feedForwardNorm, index, h)
            let up = try layer.up(h, batch.adapters, on: device)  // [R, F]
            observe(.up, index, up)
            device.map(configuration.activation, up, into: up)
            observe(.activated, index, up)
            try layer.down(up, batch.adapters, residual: x, into: x, on: device)
            observe(.output, index, x)
        }
    }

    package var hasHead: Bool { ends.hasHead }

    package func normalize(_ x: Tensor, on device: Device) {
        normalize(x, ends.norm.norm, into: x, on: device)
    }

    private func normalize(_ x: Tensor, _ norm: Norm, into y: Tensor, on device: Device) {
        device.layerNorm(x, weight: norm.weight, bias: norm.bias, epsilon: configuration.epsilon, into: y)
    }

    package func logits(_ hidden: Tensor, on device: Device) throws(TensorError) -> Tensor {
        try ends.embedding.logits(hidden, on: device)
    }
}
