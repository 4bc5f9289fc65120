package import Tensors

// Symbols used in this module:
//   R rows of a forward pass (tokens of all sequences together)   C hidden width   V vocabulary
//   H query heads   G key-value heads   D head width   L layers   F feed-forward width

/// The extents of a decoder.
package struct DecoderShape: Sendable, Hashable {
    package var vocabulary: Int
    /// The most positions a sequence may have.
    package var context: Int
    package var hidden: Int
    package var layers: Int
    package var heads: Int
    package var kvHeads: Int
    package var headDim: Int
}

/// The tokens of one forward pass: ids, and where each stands in which sequence.
package struct TokenBatch: Sendable {
    package var ids: [Int32] = []
    package var rows = AttentionRows()
    /// Which of the rows adapters change.
    package private(set) var adapters = AdapterRows()

    package init() {}

    package mutating func append(
        _ tokens: some Collection<Int32>, from position: Int, pages: [Int32], adapter: Adapter? = nil
    ) {
        if let adapter { adapters.append(ids.count..<ids.count + tokens.count, adapter) }
        ids.append(contentsOf: tokens)
        rows.append(positions: position..<position + tokens.count, pages: pages)
    }
}

/// A decoder-only Transformer. A row's result does not depend on the rows beside it.
package protocol TextModel: Sendable {
    var shape: DecoderShape { get }
    var weights: WeightCount { get }
    /// What adapters can change.
    var linearModules: [LinearModule] { get }

    /// Runs the batch through all layers, writes its keys and values to `cache`, and returns the normed hidden rows
    /// `[R, C]`.
    func forward(_ batch: TokenBatch, cache: KVStorage, on device: Device) throws(TensorError) -> Tensor

    /// The logits of hidden rows: `[R, C]` → `[R, V]`.
    func logits(_ hidden: Tensor, on device: Device) throws(TensorError) -> Tensor
}

/// What a model's matrices amount to.
package struct WeightCount: Sendable {
    package var parameters = 0
    /// That they take, packed.
    package var bytes = 0
    /// How most of them are stored.
    package var format = PackedMatrix.Format.plain(.f32)

    init(_ matrices: [PackedMatrix]) {
        for matrix in matrices {
            parameters += matrix.count
            bytes += matrix.byteCount
        }
        let shares = Dictionary(matrices.map { ($0.format, $0.count) }, uniquingKeysWith: +)
        format = shares.max { $0.value < $1.value }?.key ?? .plain(.f32)
    }
}

/// A linear layer: packed weight and optional bias, and by which number adapters know it.
struct Linear: Sendable {
    let weight: PackedMatrix
    let bias: Tensor?
    let number: Int

    /// Output width.
    var columns: Int { weight.columns }

    func callAsFunction(
        _ x: Tensor, _ adapters: AdapterRows, residual: Tensor? = nil, on device: Device
    ) throws(TensorError) -> Tensor {
        let y = try Tensor(uninitialized: [x.rowCount, weight.columns])
        try self(x, adapters, residual: residual, into: y, on: device)
        return y
    }

    /// `residual` may be `y`.
    func callAsFunction(
        _ x: Tensor, _ adapters: AdapterRows, residual: Tensor? = nil, into y: Tensor, on device: Device
    ) throws(TensorError) {
        try device.matmul(x, weight, bias: bias, residual: residual, into: y)
        try adapters.add(to: y, of: x, linear: number, on: device)
    }

    /// What several layers make of the same rows, computed together.
    static func together(
        _ layers: [Linear], _ x: Tensor, _ adapters: AdapterRows, on device: Device
    ) throws(TensorError) -> [Tensor] {
        var outputs: [Tensor] = []
        for layer in layers { outputs.append(try Tensor(uninitialized: [x.rowCount, layer.columns])) }
        try device.matmul(x, zip(layers, outputs).map { Device.Product($0.weight, bias: $0.bias, into: $1) })
        for (layer, y) in zip(layers, outputs) {
            try adapters.add(to: y, of: x, linear: layer.number, on: device)
        }
        return outputs
    }
}
