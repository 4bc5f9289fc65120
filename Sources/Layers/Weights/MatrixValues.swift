package import Tensors

/// A matrix as it was read, not yet packed. All but plain ones have the outputs first.
package enum MatrixValues: Sendable {
    /// Floats; `[K, N]` where it is transposed.
    case plain(Tensor, transposed: Bool = false)
    /// Whole numbers in groups.
    case grouped(GroupedWeights)
    /// A GGUF file's blocks.
    case blocks(BlockMatrix)
    /// Codes of floats in groups.
    case coded(CodedWeights)

    /// The same outputs in another order: output i is `order[i]` of this one.
    func reordered(_ order: [Int]) throws(TensorError) -> MatrixValues {
        switch self {
        case .plain(let tensor, let isTransposed):
            .plain(try (isTransposed ? try tensor.transposed() : tensor).selectingRows(order))
        case .grouped(let weights): .grouped(try weights.reordered(order))
        case .blocks(let matrix): .blocks(try matrix.reordered(order))
        case .coded(let weights): .coded(try weights.reordered(order))
        }
    }

    /// - Parameter outputs: those that are taken.
    func packed(_ outputs: Range<Int>, on device: Device) throws(TensorError) -> PackedMatrix {
        switch self {
        case .plain(let tensor, let isTransposed):
            try PackedMatrix(tensor, transposed: isTransposed, outputs: outputs, on: device)
        case .grouped(let weights): try PackedMatrix(weights, outputs: outputs, on: device)
        case .blocks(let matrix): try PackedMatrix(matrix, outputs: outputs, on: device)
        case .coded(let weights): try PackedMatrix(weights, outputs: outputs, on: device)
        }
    }
}
