package import Autograd
import Layers
package import Tensors
package import TextModels

// Symbols used in this module:
//   R rows (tokens of all texts together)   C hidden width   V vocabulary   F feed-forward width
//   H query heads   G key-value heads   D head width   r rank

/// A decoder whose weights are frozen, computed with gradients of what adapters add to its linear layers.
package struct TrainableDecoder {
    package let parts: DecoderParts
    private let device: Device
    /// For one layer at a time, where layers are computed again on the way back; nil where they are kept.
    private let layerMemory: TapeMemory?

    /// - Parameter recomputesLayers: whether of each layer only its input is kept, and the rest computed again on the way
    ///   back: less memory, and a third more work.
    /// - Throws: `TextModelError.unsupported` that names what has no gradients here.
    package init(
        _ model: any TextModel, recomputesLayers: Bool = false, on device: Device
    ) throws(TextModelError) {
        (parts, self.device) = (try DecoderParts(model), device)
        layerMemory = recomputesLayers ? TapeMemory() : nil
    }

    /// The normed rows of texts, `[R, C]`.
    ///
    /// - Parameters:
    ///   - texts: ids, one text after the other; each begins at position 0.
    ///   - adapter: nil for the model itself.
    package func callAsFunction(
        _ texts: [[Int32]], _ adapter: AdapterParameters?, _ tape: Tape
    ) throws(TensorError) -> Variable {
        var rows: [Range<Int>] = [], positions: [Int32] = []
        for text in texts {
            rows.append(positions.count..<positions.count + text.count)
            positions += 0..<Int32(text.count)
        }
        let embedded = try parts.embedding(texts.flatMap { $0 }, on: device)  // [R, C]
        if parts.embeddingScale != 1 { device.scale(embedded, by: parts.embeddingScale, into: embedded) }
        var x = Variable(embedded, needsGradient: false)
        for layer in parts.layers {
            func compute(_ x: Variable, _ tape: Tape) throws(TensorError) -> Variable {
                try self.layer(layer, x, adapter, texts: rows, positions: positions, tape)
            }
            if let layerMemory {
                x = try tape.recomputed(x, memory: layerMemory, compute)
            } else {
                x = try compute(x, tape)
            }
        }
        return try tape.norm(x, parts.norm)
    }

    /// `[R, C]` → `[R, C]`.
    private func layer(
        _ layer: DecoderParts.Layer, _ x: Variable, _ adapter: AdapterParameters?, texts: [Range<Int>],
        positions: [Int32], _ tape: Tape
    ) throws(TensorError) -> Variable {
        let attended = try around(x, layer.attentionNorms, tape) { h, residual throws(TensorError) in
            try attention(h, layer.attention, adapter, residual, texts: texts, positions: positions, tape)
        }
        return try around(attended, layer.feedForwardNorms, tape) { h, residual throws(TensorError) in
            try feedForward(h, layer.feedForward, adapter, residual, tape)
        }
    }

    /// x + scale · after(block(before(x))).
    private func around(
        _ x: Variable, _ norms: BlockNorms, _ tape: Tape,
        _ block: (Variable, _ residual: Variable?) throws(TensorError) -> Variable
    ) throws(TensorError) -> Variable {
        let h = try norms.before.map { norm throws(TensorError) in try tape.norm(x, norm) } ?? x
        defer { h.forget() }
        if norms.after == nil, norms.scale == 1 { return try block(h, x) }
        var y = try block(h, nil)
        if let after = norms.after { y = try tape.norm(y, after) }
        defer { y.forget() }
        return try tape.sum(x, y, scale: norms.scale)
    }

    private func attention(
        _ h: Variable, _ layer: PagedAttention, _ adapter: AdapterParameters?, _ residual: Variable?,
        texts: [Range<Int>], positions: [Int32], _ tape: Tape
    ) throws(TensorError) -> Variable {
        guard let key = layer.key, let value = layer.value else {
            preconditionFailure("`DecoderParts` has only layers with keys and values")
        }
        let configuration = layer.configuration
        var q = try tape.linear(h, layer.query, adapter?[layer.query])  // [R, H·D]
        var k = try tape.linear(h, key, adapter?[key])  // [R, G·D]
        let v = try tape.linear(h, value, adapter?[value])  // [R, G·D]
        if let norm = layer.queryNorm { q = try tape.norm(parts: q, norm) }
        if let norm = layer.keyNorm { k = try tape.norm(parts: k, norm) }
        if let rotation = layer.rotation {
            q = try tape.rotate(q, heads: configuration.heads, positions: positions, table: rotation.queries)
            k = try tape.rotate(k, heads: configuration.kvHeads, positions: positions, table: rotation.keys)
        }
        let attended = try tape.attention(
            .init(
                heads: configuration.heads, kvHeads: configuration.kvHeads, headDim: configuration.headDim,
                window: layer.window, scale: configuration.scale), q: q, k: k, v: v, texts: texts)  // [R, H·D]
        return try tape.linear(attended, layer.output, adapter?[layer.output], residual: residual)
    }

    private func feedForward(
        _ h: Variable, _ layer: GatedFeedForward, _ adapter: AdapterParameters?, _ residual: Variable?, _ tape: Tape
    ) throws(TensorError) -> Variable {
        let gate = try tape.linear(h, layer.gate, adapter?[layer.gate])  // [R, F]
        let up = try tape.linear(h, layer.up, adapter?[layer.up])  // [R, F]
        let gated = try tape.map(layer.activation, gate, times: up)
        defer { gated.forget() }
        return try tape.linear(gated, layer.down, adapter?[layer.down], residual: residual)
    }
}
