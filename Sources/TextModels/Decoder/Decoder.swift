package import Layers
package import Tensors

/// A decoder-only Transformer with RMSNorm, rotary positions and grouped-query attention: the form that Llama gave
/// (arXiv 2302.13971) and most have. What an architecture does differently stands in its own file, as a configuration.
package struct Decoder: TextModel {
    private struct Layer: Sendable {
        var attentionNorms: BlockNorms
        var attention: PagedAttention
        var feedForwardNorms: BlockNorms
        var feedForward: FeedForward
    }

    package let shape: DecoderShape
    package let layers: Range<Int>
    package let weights: WeightCount
    package let linearModules: [LinearModule]
    private let scales: Configuration.Scales
    private let outside: EmbeddingAndHead<RMSNorm>
    private let blocks: [Layer]

    init(_ configuration: Configuration, _ loader: WeightLoader) throws(TensorError) {
        let shape = configuration.shape, c = shape.hidden
        func norm(_ name: String) throws(TensorError) -> RMSNorm {
            try RMSNorm(
                loader, name, count: c, epsilon: configuration.epsilon, isOffset: configuration.isNormOffset)
        }
        func norms(_ names: BlockNorms.Names, _ layer: String) throws(TensorError) -> BlockNorms {
            BlockNorms(
                before: try names.before.map { name throws(TensorError) in try norm(layer + name) },
                after: try names.after.map { name throws(TensorError) in try norm(layer + name) },
                scale: configuration.scales.residual)
        }
        let rotations = try configuration.rotations()
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
                    attentionNorms: try norms(configuration.norms.attention, name),
                    attention: try PagedAttention(
                        loader, layer: index, name + "self_attn.", configuration.attention,
                        rotation: rotations[configuration.rotation(ofLayer: index)]),
                    feedForwardNorms: try norms(configuration.norms.feedForward, name),
                    feedForward: try FeedForward(loader, name, configuration.feedForward(ofLayer: index), hidden: c)))
        }
        self.blocks = blocks
        self.shape = shape
        scales = configuration.scales
        linearModules = loader.linearModules.modules
        weights = WeightCount(blocks.flatMap { $0.attention.matrices + $0.feedForward.matrices } + outside.matrices)
    }

    package func embed(_ batch: TokenBatch, on device: Device) throws(TensorError) -> Tensor {
        let x = try outside.embedding(batch.ids, on: device)  // [R, C]
        if scales.embedding != 1 { device.scale(x, by: scales.embedding, into: x) }
        return x
    }

    package func run(_ x: Tensor, _ batch: TokenBatch, cache: KVStorage, on device: Device) throws(TensorError) {
        let h = try device.makeRows(x.rowCount, width: x.width)  // [R, C]
        for layer in blocks {
            try layer.attentionNorms.around(x, scratch: h, on: device) { input, residual, y throws(TensorError) in
                try layer.attention(
                    input, batch.rows, batch.adapters, cache: cache, residual: residual, into: y, on: device)
            }
            try layer.feedForwardNorms.around(x, scratch: h, on: device) { input, residual, y throws(TensorError) in
                try layer.feedForward(input, batch.adapters, residual: residual, into: y, on: device)
            }
        }
    }

    package var hasHead: Bool { outside.hasHead }

    package func normalize(_ x: Tensor, on device: Device) { outside.norm(x, into: x, on: device) }

    package func logits(_ hidden: Tensor, on device: Device) throws(TensorError) -> Tensor {
        let y = try outside.embedding.logits(hidden, on: device)  // [R, V]
        if scales.logits != 1 { device.scale(y, by: scales.logits, into: y) }
        if let cap = scales.logitCap { device.softCap(y, cap: cap, into: y) }
        return y
    }
}

/// The norms before and after a block, either of which may be absent, and what its result is multiplied by:
/// x += scale · after(block(before(x))).
struct BlockNorms: Sendable {
    /// What a checkpoint calls them in a layer.
    struct Names: Sendable {
        var before: String?
        var after: String?
    }

    var before: RMSNorm?
    var after: RMSNorm?
    var scale: Float

    /// - Parameters:
    ///   - x: `[R, C]`, changed in place; `scratch` is as large.
    ///   - block: computes its third argument from the first, with the second added.
    func around(
        _ x: Tensor, scratch h: Tensor, on device: Device,
        _ block: (Tensor, Tensor?, Tensor) throws(TensorError) -> Void
    ) throws(TensorError) {
        before?(x, into: h, on: device)
        let input = before == nil ? x : h
        if after == nil, scale == 1 { return try block(input, x, x) }
        try block(input, nil, h)
        after?(h, into: h, on: device)
        device.combine(x, h, scaleB: scale, into: x)
    }
}

/// A layer's feed-forward: gated, or of experts.
enum FeedForward: Sendable {
    case gated(GatedFeedForward)
    case experts(MixtureOfExperts)

    /// What a layer has, and what its file calls it.
    enum Configuration: Sendable {
        case gated(GatedFeedForward.Configuration)
        case experts(MixtureOfExperts.Configuration, name: String)
    }

    init(
        _ loader: WeightLoader, _ layer: String, _ configuration: Configuration, hidden: Int
    ) throws(TensorError) {
        switch configuration {
        case .gated(let configuration):
            self = .gated(try GatedFeedForward(loader, layer + "mlp.", configuration, hidden: hidden))
        case .experts(let configuration, let name):
            self = .experts(try MixtureOfExperts(loader, layer + name, configuration, hidden: hidden))
        }
    }

    var matrices: [PackedMatrix] {
        switch self {
        case .gated(let layer): layer.matrices
        case .experts(let layer): layer.matrices
        }
    }

    func callAsFunction(
        _ h: Tensor, _ adapters: AdapterRows, residual: Tensor?, into y: Tensor, on device: Device
    ) throws(TensorError) {
        switch self {
        case .gated(let layer): try layer(h, adapters, residual: residual, into: y, on: device)
        case .experts(let layer): try layer(h, residual: residual, into: y, on: device)
        }
    }
}
