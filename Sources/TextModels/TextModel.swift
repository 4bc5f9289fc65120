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

    package init() {}

    package mutating func append(_ tokens: some Collection<Int32>, from position: Int, pages: [Int32]) {
        ids.append(contentsOf: tokens)
        rows.append(positions: position..<position + tokens.count, pages: pages)
    }
}

/// A decoder-only Transformer. A row's result does not depend on the rows beside it.
package protocol TextModel: Sendable {
    var shape: DecoderShape { get }
    var weights: WeightCount { get }

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
    package var dtype = DType.f32

    init(_ matrices: [PackedMatrix]) {
        for matrix in matrices {
            parameters += matrix.count
            bytes += matrix.byteCount
        }
        dtype = matrices.max { $0.count < $1.count }?.dtype ?? .f32
    }
}

/// A linear layer: packed weight and optional bias.
struct Linear: Sendable {
    let weight: PackedMatrix
    let bias: Tensor?

    /// Output width.
    var columns: Int { weight.columns }

    func callAsFunction(_ x: Tensor, residual: Tensor? = nil, on device: Device) throws(TensorError) -> Tensor {
        let y = try Tensor(zeros: [x.rowCount, weight.columns])
        self(x, residual: residual, into: y, on: device)
        return y
    }

    /// `residual` may be `y`.
    func callAsFunction(_ x: Tensor, residual: Tensor? = nil, into y: Tensor, on device: Device) {
        device.matmul(x, weight, bias: bias, residual: residual, into: y)
    }
}

extension RotaryTable {
    init(_ frequencies: RotaryFrequencies, positions: Int) throws(TensorError) {
        try self.init(inverseFrequencies: frequencies.inverse, positions: positions, scale: frequencies.scale)
    }
}

/// Loads a checkpoint's tensors by name, each in the shape that the configuration demands.
struct WeightLoader {
    let checkpoint: Checkpoint
    let device: Device
    /// What every name begins with in this file (GPT-2 files differ in it).
    var prefix = ""

    func vector(_ name: String, count: Int) throws(TensorError) -> Tensor {
        try checkpoint.tensor(prefix + name, shape: [count]).widened()
    }

    /// - Parameters:
    ///   - transposed: whether the file holds `[inputs, outputs]`.
    ///   - part: those of the outputs that are taken, where several layers share a matrix; all by default.
    func linear(
        _ name: String, outputs: Int, inputs: Int, bias: Bool, transposed: Bool = false, part: Range<Int>? = nil
    ) throws(TensorError) -> Linear {
        let weight = try matrix(
            name + ".weight", outputs: outputs, inputs: inputs, transposed: transposed, part: part)
        guard bias else { return Linear(weight: weight, bias: nil) }
        let whole = try vector(name + ".bias", count: outputs)
        let part = part ?? 0..<outputs
        return Linear(weight: weight, bias: try Tensor(Array(whole.floats[part]), shape: [part.count]))
    }

    func matrix(
        _ name: String, outputs: Int, inputs: Int, transposed: Bool = false, part: Range<Int>? = nil
    ) throws(TensorError) -> PackedMatrix {
        let shape = transposed ? [inputs, outputs] : [outputs, inputs]
        return try PackedMatrix(
            try checkpoint.tensor(prefix + name, shape: shape), transposed: transposed, outputs: part, on: device)
    }

    func table(_ name: String, shape: [Int]) throws(TensorError) -> Tensor {
        try checkpoint.tensor(prefix + name, shape: shape).widened()
    }
}
