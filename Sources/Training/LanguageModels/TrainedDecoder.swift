package import Autograd
import Layers
package import Tensors
package import TextModels

/// A linear layer that is trained: y = x Wᵀ + b.
struct TrainedLinear {
    let weight: Parameter  // [N, K]
    let bias: Parameter?  // [N]
}

/// A layer norm, or an RMSNorm where there is no bias, that is trained.
struct TrainedNorm {
    let weight: Parameter  // [C]
    let bias: Parameter?  // [C]
    let kind: Device.NormKind
}

/// A decoder of the form of GPT-2 or Llama all of whose weights are trained. It computes what the models that serve compute.
package struct TrainedDecoder {
    struct Layer {
        let attentionNorm: TrainedNorm
        let query: TrainedLinear  // [H·D, C]
        let key: TrainedLinear  // [G·D, C]
        let value: TrainedLinear  // [G·D, C]
        let output: TrainedLinear  // [C, H·D]
        let feedForwardNorm: TrainedNorm
        let gate: TrainedLinear?  // [F, C], of Llama
        let up: TrainedLinear  // [F, C]
        let down: TrainedLinear  // [C, F]
    }

    package let blueprint: DecoderBlueprint
    let embedding: Parameter  // [V, C]
    let positions: Parameter?  // [context, C], of GPT-2
    let layers: [Layer]
    let norm: TrainedNorm
    private let ownHead: Parameter?  // [V, C]; nil where the embedding is the head
    private let rotation: RotaryTable?
    let device: Device
    /// For one layer at a time, where layers are computed again on the way back; nil where they are kept.
    private let layerMemory: TapeMemory?

    /// Weights of zeros, to be filled.
    ///
    /// - Parameter recomputesLayers: whether of each layer only its input is kept, and the rest computed again on the way
    ///   back.
    /// - Throws: `TensorError.tooLarge` when memory cannot be had.
    package init(
        _ blueprint: DecoderBlueprint, recomputesLayers: Bool = false, on device: Device
    ) throws(TensorError) {
        (self.blueprint, self.device) = (blueprint, device)
        layerMemory = recomputesLayers ? TapeMemory() : nil
        let shape = blueprint.shape, c = shape.hidden, f = blueprint.feedForward
        let isGPT2 = blueprint.form == .gpt2
        func matrix(_ name: String, _ rows: Int, _ width: Int) throws(TensorError) -> Parameter {
            try Parameter(name + ".weight", try Tensor(zeros: [rows, width]))
        }
        func vector(_ name: String, _ count: Int) throws(TensorError) -> Parameter {
            try Parameter(name, try Tensor(zeros: [count]), isDecayed: false)
        }
        func linear(_ name: String, _ outputs: Int, _ inputs: Int, bias: Bool) throws(TensorError) -> TrainedLinear {
            TrainedLinear(
                weight: try matrix(name, outputs, inputs), bias: bias ? try vector(name + ".bias", outputs) : nil)
        }
        func norm(_ name: String) throws(TensorError) -> TrainedNorm {
            TrainedNorm(
                weight: try vector(name + ".weight", c), bias: isGPT2 ? try vector(name + ".bias", c) : nil,
                kind: .init(epsilon: blueprint.epsilon, isCentered: isGPT2))
        }
        embedding = try matrix("embedding", shape.vocabulary, c)
        positions = isGPT2 ? try matrix("positions", shape.context, c) : nil
        let (queries, keys) = (shape.heads * shape.headDim, shape.kvHeads * shape.headDim)
        let (attentionBias, plainBias) = (blueprint.hasAttentionBiases, blueprint.hasFeedForwardBiases)
        var layers: [Layer] = []
        for index in 0..<shape.layers {
            let name = "layers.\(index)."
            layers.append(
                Layer(
                    attentionNorm: try norm(name + "attention_norm"),
                    query: try linear(name + "query", queries, c, bias: attentionBias),
                    key: try linear(name + "key", keys, c, bias: attentionBias),
                    value: try linear(name + "value", keys, c, bias: attentionBias),
                    output: try linear(name + "output", c, queries, bias: attentionBias),
                    feedForwardNorm: try norm(name + "feed_forward_norm"),
                    gate: isGPT2 ? nil : try linear(name + "gate", f, c, bias: plainBias),
                    up: try linear(name + "up", f, c, bias: plainBias),
                    down: try linear(name + "down", c, f, bias: plainBias)))
        }
        self.layers = layers
        self.norm = try norm("norm")
        ownHead = blueprint.isTied ? nil : try matrix("head", shape.vocabulary, c)
        rotation = try blueprint.rotary.map { rotary throws(TensorError) in
            try rotary.table(positions: shape.context)
        }
    }

    /// `[V, C]`.
    var head: Parameter { ownHead ?? embedding }

    /// All that is trained, in a fixed order.
    package var parameters: [Parameter] {
        func of(_ linear: TrainedLinear?) -> [Parameter] { [linear?.weight, linear?.bias].compactMap { $0 } }
        func of(_ norm: TrainedNorm) -> [Parameter] { [norm.weight, norm.bias].compactMap { $0 } }
        let inner = layers.flatMap { layer in
            of(layer.attentionNorm) + of(layer.query) + of(layer.key) + of(layer.value) + of(layer.output)
                + of(layer.feedForwardNorm) + of(layer.gate) + of(layer.up) + of(layer.down)
        }
        return [embedding] + [positions].compactMap { $0 } + inner + of(norm) + [ownHead].compactMap { $0 }
    }

    package var count: Int { parameters.reduce(0) { $0 + $1.value.count } }

    /// Without embeddings, positions and head.
    var innerCount: Int {
        count - [embedding, positions, ownHead].compactMap { $0 }.reduce(0) { $0 + $1.value.count }
    }

    /// The normed rows of texts, `[R, C]`.
    ///
    /// - Parameters:
    ///   - texts: ids, one text after the other; each begins at position 0.
    ///   - dropout: its random numbers; nil where nothing is dropped, as when a loss is measured.
    package func callAsFunction(
        _ texts: [[Int32]], dropout: DropoutStream?, _ tape: Tape
    ) throws(TensorError) -> Variable {
        let rows = TextRows(texts, dropout)
        var x = try tape.embed(texts.flatMap { $0 }, embedding)  // [R, C]
        if let positions { x = try tape.sum(x, try tape.embed(rows.positions, positions)) }
        x = try drop(x, blueprint.embeddingDropout, rows, place: 0, tape)
        for (index, layer) in layers.enumerated() {
            func compute(_ x: Variable, _ tape: Tape) throws(TensorError) -> Variable {
                try self.layer(layer, x, rows, place: UInt32(1 + 2 * index), tape)
            }
            if let layerMemory {
                x = try tape.recomputed(x, memory: layerMemory, compute)
            } else {
                x = try compute(x, tape)
            }
        }
        return try normed(x, norm, tape)
    }

    /// Where the rows of texts stand.
    private struct TextRows {
        var texts: [Range<Int>] = []
        var positions: [Int32] = []
        let dropout: DropoutStream?

        init(_ texts: [[Int32]], _ dropout: DropoutStream?) {
            self.dropout = dropout
            for text in texts {
                self.texts.append(positions.count..<positions.count + text.count)
                positions += 0..<Int32(text.count)
            }
        }
    }

    /// `[R, C]` → `[R, C]`.
    private func layer(
        _ layer: Layer, _ x: Variable, _ rows: TextRows, place: UInt32, _ tape: Tape
    ) throws(TensorError) -> Variable {
        let h = try normed(x, layer.attentionNorm, tape)
        let attended = try attention(h, layer, rows, tape)  // [R, H·D]
        h.forget()
        let x = try added(attended, layer.output, to: x, rows, place: place, tape)
        let g = try normed(x, layer.feedForwardNorm, tape)
        let up = try linear(g, layer.up, tape)  // [R, F]
        let activated =
            if let gate = layer.gate {
                try tape.map(blueprint.activation, try linear(g, gate, tape), times: up)
            } else {
                try tape.map(blueprint.activation, up)
            }
        g.forget()
        defer { activated.forget() }
        return try added(activated, layer.down, to: x, rows, place: place + 1, tape)
    }

    private func attention(
        _ h: Variable, _ layer: Layer, _ rows: TextRows, _ tape: Tape
    ) throws(TensorError) -> Variable {
        let shape = blueprint.shape
        var q = try linear(h, layer.query, tape)  // [R, H·D]
        var k = try linear(h, layer.key, tape)  // [R, G·D]
        let v = try linear(h, layer.value, tape)  // [R, G·D]
        if let rotation {
            q = try tape.rotate(q, heads: shape.heads, positions: rows.positions, table: rotation)
            k = try tape.rotate(k, heads: shape.kvHeads, positions: rows.positions, table: rotation)
        }
        return try tape.attention(
            .init(
                heads: shape.heads, kvHeads: shape.kvHeads, headDim: shape.headDim, window: 0,
                scale: blueprint.attentionScale), q: q, k: k, v: v, texts: rows.texts)
    }

    private func linear(
        _ x: Variable, _ layer: TrainedLinear, residual: Variable? = nil, _ tape: Tape
    ) throws(TensorError) -> Variable {
        try tape.linear(x, layer.weight, bias: layer.bias, residual: residual)
    }

    /// x + dropout(y Wᵀ + b).
    private func added(
        _ y: Variable, _ layer: TrainedLinear, to x: Variable, _ rows: TextRows, place: UInt32, _ tape: Tape
    ) throws(TensorError) -> Variable {
        guard rows.dropout != nil, blueprint.blockDropout > 0 else { return try linear(y, layer, residual: x, tape) }
        return try tape.sum(
            x, try drop(try linear(y, layer, tape), blueprint.blockDropout, rows, place: place, tape))
    }

    private func drop(
        _ x: Variable, _ rate: Float, _ rows: TextRows, place: UInt32, _ tape: Tape
    ) throws(TensorError) -> Variable {
        guard let stream = rows.dropout else { return x }
        return try tape.dropout(x, rate: rate, stream, place: place)
    }

    private func normed(_ x: Variable, _ norm: TrainedNorm, _ tape: Tape) throws(TensorError) -> Variable {
        try tape.norm(
            x, weight: norm.weight.value, bias: norm.bias?.value, trained: (norm.weight, norm.bias), norm.kind)
    }
}
