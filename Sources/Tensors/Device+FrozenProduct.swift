internal import CKernels

extension Device {
    /// y = x Wᵀ (+ bias) (+ residual) in f32, whatever W is stored as: rows are not rounded, as they are where whole
    /// numbers are served. The weights are what they stand for (QLoRA, arXiv 2305.14314).
    ///
    /// - Parameter other: another product of the same rows, computed beside it: one of few outputs alone would leave threads
    ///   without work.
    package func exactProduct(
        _ x: Tensor, _ weight: PackedMatrix, bias: Tensor? = nil, residual: Tensor? = nil, into y: Tensor,
        beside other: Product? = nil
    ) throws(TensorError) {
        try matmul(x, Product(try inFloats(weight), bias: bias, residual: residual, into: y), other)
    }

    /// dx = dy W (+ residual), the gradient of a layer's input: one FMA chain over the outputs, ascending.
    ///
    /// - Parameters:
    ///   - dy: `[M, N]`.
    ///   - dx: `[M, K]`; `residual` may be `dx`.
    ///   - other: another product of `dy`, computed beside it.
    package func inputGradient(
        _ dy: Tensor, _ weight: PackedMatrix, residual: Tensor? = nil, into dx: Tensor, beside other: Product? = nil
    ) throws(TensorError) {
        try matmul(dy, Product(try turned(weight), residual: residual, into: dx), other)
    }

    /// W in f32 where it is stored in whole numbers or codes; itself elsewhere.
    package func inFloats(_ weight: PackedMatrix) throws(TensorError) -> PackedMatrix {
        if case .plain = weight.format { return weight }
        return try PackedMatrix(try rows(of: weight), on: self)
    }

    /// Wᵀ: inputs and outputs exchanged.
    package func turned(_ weight: PackedMatrix) throws(TensorError) -> PackedMatrix {
        guard case .plain(let dtype) = weight.format else {
            return try PackedMatrix(try rows(of: weight), transposed: true, on: self)
        }
        let (columns, depth) = (weight.depth, weight.columns)
        let storage = try Storage(
            byteCount: PackedMatrix.panelBytes(weight.format, columns: columns, depth: depth), zeroed: false)
        let args = nephele_turn_panels_args(
            panels: weight.panels.raw, turned: storage.bytes, columns: weight.columns, depth: weight.depth)
        withExtendedLifetime(weight) {
            run(
                dtype.size == 4 ? nephele_turn_panels_32 : nephele_turn_panels_16, args,
                count: (weight.depth + 15) / 16, grain: max(1, 4_096 / max(1, weight.columns)))
        }
        return PackedMatrix(weight.format, columns: columns, depth: depth, storage: storage)
    }

    /// `[N, K]` in f32.
    private func rows(of weight: PackedMatrix) throws(TensorError) -> Tensor {
        let rows = try Tensor(uninitialized: [weight.columns, weight.depth])
        gather(weight, ids: (0..<Int32(weight.columns)).map { $0 }, into: rows)
        return rows
    }
}
