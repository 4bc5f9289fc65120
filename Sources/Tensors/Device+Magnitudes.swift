internal import CKernels

extension Device {
    /// y = x · factors (+ bias) (+ residual), column by column: x, y and residual are `[M, N]`, the others `[N]`. `y` may be `x`.
    package func scaleColumns(
        _ x: Tensor, by factors: Tensor, bias: Tensor? = nil, residual: Tensor? = nil, into y: Tensor
    ) {
        precondition(
            x.count == y.count && factors.count == x.width && (bias.map { $0.count == x.width } ?? true)
                && (residual.map { $0.count == x.count } ?? true),
            "columns of \(x.shape) by \(factors.shape) into \(y.shape)")
        let args = nephele_scale_columns_f32_args(
            x: x.f32, factors: factors.f32, bias: bias?.f32, residual: residual?.f32, y: y.f32, width: x.width)
        run(nephele_scale_columns_f32, args, count: x.rowCount, grain: max(1, 16_384 / max(1, x.width)))
    }

    /// The length of each row of W + s · B A (DoRA, arXiv 2402.09353, equation 5), `[N]`.
    ///
    /// - Parameters:
    ///   - weight: W, `[N, K]`.
    ///   - update: B `[N, r]`, A `[r, K]` and s; nil for W alone.
    package func rowNorms(
        of weight: PackedMatrix, plus update: (up: Tensor, down: Tensor, scale: Float)? = nil
    ) throws(TensorError) -> Tensor {
        let norms = try Tensor(uninitialized: [weight.columns])
        let across = try update.map { update throws(TensorError) in
            try PackedMatrix(update.down, transposed: true, on: self)  // [K, r]
        }
        for first in stride(from: 0, to: weight.columns, by: 256) {
            let rows = first..<min(first + 256, weight.columns), count = rows.count
            let sum = try makeRows(count, width: weight.depth)
            gather(weight, ids: rows.map { Int32($0) }, into: sum)
            if let update, let across {
                let own = try makeRows(count, width: update.up.width)
                scale(update.up.rows(rows), by: update.scale, into: own)
                try matmul(own, across, residual: sum, into: sum)
            }
            let args = nephele_row_norms_f32_args(
                isa: instructionSet.isa, x: sum.f32, norms: norms.rows(rows).f32, width: weight.depth)
            run(nephele_row_norms_f32, args, count: count, grain: max(1, 16_384 / max(1, weight.depth)))
        }
        return norms
    }
}
