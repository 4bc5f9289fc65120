package import Layers
package import Tensors

/// A decoder-only Transformer with RMSNorm, rotary positions and grouped-query attention: the form that Llama gave
/// (arXiv 2302.13971) and most have. What an architecture does differently stands in its own file, as a configuration.
package struct Decoder: TextModel {
    struct Layer: Sendable {
        var mixerNorms: BlockNorms
        var mixer: SequenceMixer
        var feedForwardNorms: BlockNorms
        var feedForward: FeedForward
        var input: LayerInput?
        var scale: Float
    }

    package let shape: DecoderShape
    package let layers: Range<Int>
    package let weights: WeightCount
    package let linearModules: [LinearModule]
    package let pagedLayers: [KVExtents]
    package let state: StateShape?
    let scales: Configuration.Scales
    let outside: EmbeddingAndHead<RMSNorm>
    let layerEmbedding: LayerEmbedding?
    let blocks: [Layer]

    init(_ configuration: Configuration, _ loader: WeightLoader) throws(TensorError) {
        let shape = configuration.shape, c = shape.hidden
        var loader = loader
        loader.ownNames = configuration.names
        let own = loader
        func norm(_ name: String) throws(TensorError) -> RMSNorm {
            try RMSNorm(
                own, name, count: c, epsilon: configuration.epsilon, isOffset: configuration.isNormOffset)
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
                own, outer: own, embedding: "model.embed_tokens.weight", tokens: shape.vocabulary, width: c,
                tied: configuration.isTied)
        } norm: { () throws(TensorError) in
            try norm("model.norm")
        }
        layerEmbedding = configuration.layerInputWidth > 0 ? try LayerEmbedding(loader, layers, configuration) : nil
        var blocks: [Layer] = []
        var counts = SequenceMixer.Counts()
        for index in layers {
            let name = "model.layers.\(index)."
            blocks.append(
                Layer(
                    mixerNorms: try norms(configuration.norms.attention, name),
                    mixer: try SequenceMixer(
                        loader, layer: index, configuration,
                        rotation: rotations[configuration.rotation(ofLayer: index)],
                        &counts),
                    feedForwardNorms: try norms(configuration.norms.feedForward, name),
                    feedForward: try FeedForward(loader, name, configuration.feedForward(ofLayer: index), hidden: c),
                    input: configuration.layerInputWidth > 0 ? try LayerInput(loader, name, configuration) : nil,
                    scale: configuration.hasLayerScales ? try loader.vector(name + "layer_scalar", count: 1)[0] : 1))
        }
        self.blocks = blocks
        self.shape = shape
        pagedLayers = counts.paged
        state = counts.recurrent > 0 ? configuration.recurrence?.state(layers: counts.recurrent) : nil
        scales = configuration.scales
        linearModules = loader.linearModules.modules
        weights = WeightCount(
            blocks.flatMap { $0.mixer.matrices + $0.feedForward.matrices + ($0.input?.matrices ?? []) }
                + outside.matrices + (layerEmbedding?.matrices ?? []))
    }

    package func embed(_ batch: TokenBatch, on device: Device) throws(TensorError) -> Tensor {
        let x = try outside.embedding(batch.ids, batch.adapters, on: device)  // [R, C]
        if scales.embedding != 1 { device.scale(x, by: scales.embedding, into: x) }
        return x
    }

    package func run(_ x: Tensor, _ batch: TokenBatch, cache: DecoderCache, on device: Device) throws(TensorError) {
        let h = try device.makeRows(x.rowCount, width: x.width)  // [R, C]
        let inputs = try layerEmbedding?(batch.ids, x, batch.adapters, on: device)
        for (index, layer) in blocks.enumerated() {
            try layer.mixerNorms.around(x, scratch: h, on: device) { input, residual, y throws(TensorError) in
                try layer.mixer(input, batch, cache: cache, residual: residual, into: y, on: device)
            }
            try layer.feedForwardNorms.around(x, scratch: h, on: device) { input, residual, y throws(TensorError) in
                try layer.feedForward(input, of: x, batch.adapters, residual: residual, into: y, on: device)
            }
            if let input = layer.input, let inputs {
                try input(x, try inputs.layer(index, on: device), batch.adapters, scratch: h, on: device)
            }
            if layer.scale != 1 { device.scale(x, by: layer.scale, into: x) }
        }
    }

    package var hasHead: Bool { outside.hasHead }
    package var tokenEmbedding: TokenEmbedding? { outside.tokenEmbedding }

    package func normalize(_ x: Tensor, on device: Device) { outside.norm(x, into: x, on: device) }

    package func logits(
        _ hidden: Tensor, _ adapters: AdapterRows, on device: Device
    ) throws(TensorError) -> Tensor {
        let y = try outside.embedding.logits(hidden, adapters, on: device)  // [R, V]
        if scales.logits != 1 { device.scale(y, by: scales.logits, into: y) }
        if let cap = scales.logitCap { device.softCap(y, cap: cap, into: y) }
        return y
    }
}

/// The norms before and after a block, either of which may be absent, and what its result is multiplied by:
/// x += scale · after(block(before(x))).
package struct BlockNorms: Sendable {
    /// What a checkpoint calls them in a layer.
    struct Names: Sendable {
        var before: String?
        var after: String?
    }

    package var before: RMSNorm?
    package var after: RMSNorm?
    package var scale: Float

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
