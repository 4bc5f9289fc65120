import Layers
import Tensors

// Gemma 4's (and 3n's) per-layer embeddings: each layer is given something of the token itself, from a second table that
// has a part for every layer, mixed with a projection of the token's first embedding.

/// What makes the inputs of all layers: (norm(projection(x) / √C) + √P · table(id)) / √2.
struct LayerEmbedding: Sendable {
    private let table: PackedMatrix  // [V, L·P]
    private let projection: Linear  // [L·P, C]
    private let norm: RMSNorm  // [P]
    private let layers: Int
    private let width: Int

    init(
        _ loader: WeightLoader, _ here: Range<Int>, _ configuration: Decoder.Configuration
    ) throws(TensorError) {
        let shape = configuration.shape
        guard here == 0..<shape.layers else {
            throw TensorError(
                .mismatch, "every layer is given a part of the embedding: a model with per-layer inputs cannot be cut")
        }
        (layers, width) = (shape.layers, configuration.layerInputWidth)
        table = try loader.vocabulary(
            loader.fileName("model.embed_tokens_per_layer.weight"), tokens: shape.vocabulary, width: layers * width)
        projection = try loader.linear(
            "model.per_layer_model_projection", outputs: layers * width, inputs: shape.hidden, bias: false)
        norm = try RMSNorm(
            loader, "model.per_layer_projection_norm", count: width, epsilon: configuration.epsilon)
    }

    var matrices: [PackedMatrix] { [table, projection.weight] }

    /// - Parameter x: the rows that enter the first layer, `[R, C]`.
    func callAsFunction(
        _ ids: [Int32], _ x: Tensor, _ adapters: AdapterRows, on device: Device
    ) throws(TensorError) -> LayerInputs {
        let own = try device.makeRows(ids.count, width: layers * width)  // [R, L·P]
        device.gather(table, ids: ids, into: own)
        let projected = try projection(x, adapters, on: device)  // [R, L·P]
        device.scale(projected, by: 1 / Float(x.width).squareRoot(), into: projected)
        norm(parts: projected, on: device)
        device.scale(own, by: Float(width).squareRoot(), into: own)
        let half = Float(0.5).squareRoot()
        device.combine(projected, own, scaleA: half, scaleB: half, into: own)
        return LayerInputs(rows: own.reshaped([ids.count * layers, width]), layers: layers)
    }
}

struct LayerInputs {
    /// `[R·L, P]`.
    let rows: Tensor
    let layers: Int

    /// `[R, P]`.
    func layer(_ index: Int, on device: Device) throws(TensorError) -> Tensor {
        try device.select(Array(stride(from: index, to: rows.rowCount, by: layers)), from: rows)
    }
}

/// What a layer makes of its input p: x += norm(projection(activation(gate(x)) · p)).
struct LayerInput: Sendable {
    private let gate: Linear  // [P, C]
    private let projection: Linear  // [C, P]
    private let norm: RMSNorm  // [C]
    private let activation: Device.Activation

    init(_ loader: WeightLoader, _ layer: String, _ configuration: Decoder.Configuration) throws(TensorError) {
        let (c, p) = (configuration.shape.hidden, configuration.layerInputWidth)
        gate = try loader.linear(layer + "per_layer_input_gate", outputs: p, inputs: c, bias: false)
        projection = try loader.linear(layer + "per_layer_projection", outputs: c, inputs: p, bias: false)
        norm = try RMSNorm(
            loader, layer + "post_per_layer_input_norm", count: c, epsilon: configuration.epsilon,
            isOffset: configuration.isNormOffset)
        activation = configuration.feedForward.activation
    }

    var matrices: [PackedMatrix] { [gate.weight, projection.weight] }

    /// - Parameter x: `[R, C]`, changed in place; `scratch` is as large.
    func callAsFunction(
        _ x: Tensor, _ input: Tensor, _ adapters: AdapterRows, scratch h: Tensor, on device: Device
    ) throws(TensorError) {
        let gated = try gate(x, adapters, on: device)  // [R, P]
        device.map(activation, gated, times: input, into: gated)
        try projection(gated, adapters, into: h, on: device)
        norm(h, into: h, on: device)
        device.combine(x, h, into: x)
    }
}
