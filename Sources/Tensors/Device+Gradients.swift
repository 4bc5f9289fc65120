internal import CKernels

extension Device {
    /// The gradient of a weight: y[n, k] = Σ_m a[m, n] · b[m, k], one chain over the rows, ascending.
    ///
    /// - Parameters:
    ///   - a: `[M, N]`, the gradient of the layer's results.
    ///   - b: `[M, K]`, what entered the layer.
    ///   - accumulates: whether the chain goes on from what `y` holds.
    ///   - y: `[N, K]`.
    package func outerProduct(_ a: Tensor, _ b: Tensor, accumulates: Bool = false, into y: Tensor) {
        precondition(
            a.rowCount == b.rowCount && y.rowCount == a.width && y.width == b.width,
            "outer product of \(a.shape) and \(b.shape) into \(y.shape)")
        let args = nephele_outer_f32_args(
            isa: instructionSet.isa, a: a.f32, b: b.f32, y: y.f32, depth: a.rowCount, rows: a.width, columns: b.width,
            a_stride: a.width, b_stride: b.width, y_stride: y.width, accumulates: accumulates ? 1 : 0)
        let tileRows = Int(NEPHELE_OUTER_ROWS), tile = a.rowCount * tileRows * 16
        run(
            nephele_outer_f32, args, count: (a.width + tileRows - 1) / tileRows * ((b.width + 15) / 16),
            grain: max(1, 65_536 / max(1, tile)))
    }

    /// Adds the gradient of a large weight: y[n, k] += Σ_m a[m, n] · b[m, k], one chain over the rows, ascending, which is then
    /// added. Unlike ``outerProduct(_:_:accumulates:into:)`` it is a product of matrices, and needs room for copies of a and b.
    ///
    /// - Throws: `TensorError.tooLarge` when that cannot be had.
    package func addProduct(_ a: Tensor, _ b: Tensor, to y: Tensor) throws(TensorError) {
        precondition(
            a.rowCount == b.rowCount && y.rowCount == a.width && y.width == b.width,
            "product of \(a.shape) and \(b.shape) to \(y.shape)")
        let depth = a.rowCount, turned = try makeRows(a.width, width: depth)  // [N, M]
        transpose(a, batch: 1, rows: depth, columns: a.width, into: turned)
        let panels = try PackedMatrix(b.reshaped([depth, b.width]), transposed: true, on: self)  // [K, M]
        // So many rows that they stay in a core's cache while all panels go over them.
        let block = max(48, (1 << 17) / max(1, depth))
        for first in stride(from: 0, to: a.width, by: block) {
            let rows = first..<min(first + block, a.width), part = y.rows(rows)
            try matmul(turned.rows(rows), panels, residual: part, into: part)
        }
    }

    /// The gradient of a bias: adds to v `[N]` each row of x `[M, N]`, rows ascending.
    package func addRowSum(_ x: Tensor, to v: Tensor) {
        precondition(v.count == x.width, "the sum of rows of \(x.shape) to \(v.shape)")
        let args = nephele_row_sum_f32_args(x: x.f32, sum: v.f32, rows: x.rowCount, width: x.width)
        run(nephele_row_sum_f32, args, count: x.width, grain: max(16, 65_536 / max(1, x.rowCount)))
    }

    /// Dropout (arXiv 1207.0580): y = x / (1 − rate) where a random number of the element's own is at least `rate`, else 0.
    /// `y` may be `x`.
    ///
    /// The numbers are Philox4x32-10's, as a function of the key and the element's place alone: element i has word i mod 4 at
    /// the counter (i / 4, c_1, c_2, c_3). The gradient is the same function of that of y.
    ///
    /// - Parameter rate: within [0, 1).
    package func dropout(
        _ x: Tensor, rate: Float, seed: UInt64, counter: (UInt32, UInt32, UInt32), into y: Tensor
    ) {
        precondition(x.count == y.count && rate >= 0 && rate < 1, "dropout \(rate) of \(x.shape) into \(y.shape)")
        let args = nephele_dropout_f32_args(
            x: x.f32, y: y.f32, count: x.count, rate: rate, scale: 1 / (1 - rate),
            key_low: UInt32(truncatingIfNeeded: seed),
            key_high: UInt32(truncatingIfNeeded: seed >> 32), counter_1: counter.0, counter_2: counter.1,
            counter_3: counter.2)
        run(nephele_dropout_f32, args, count: (x.count + 3) / 4, grain: 1_024)
    }

    /// The gradient of an embedding: adds row m of x `[M, C]` to row `ids[m]` of the table `[V, C]`, rows ascending.
    package func scatterRows(_ x: Tensor, ids: [Int32], to table: Tensor) {
        precondition(
            x.width == table.width && x.rowCount == ids.count
                && ids.allSatisfy { $0 >= 0 && Int($0) < table.rowCount },
            "\(ids.count) rows of \(x.shape) to rows of \(table.shape)")
        ids.withUnsafeBufferPointer { ids in
            let args = nephele_scatter_f32_args(
                x: x.f32, ids: ids.baseAddress, table: table.f32, rows: x.rowCount, width: x.width)
            run(nephele_scatter_f32, args, count: (x.width + 15) / 16, grain: max(1, 4_096 / max(1, x.rowCount)))
        }
    }

    /// What a norm computes; its gradient computes it again.
    package struct NormKind: Sendable {
        package var epsilon: Float
        /// Whether it is a layer norm, which takes the mean away first.
        package var isCentered: Bool

        package init(epsilon: Float, isCentered: Bool) { (self.epsilon, self.isCentered) = (epsilon, isCentered) }
    }

    /// The gradient of a norm's input.
    ///
    /// - Parameters:
    ///   - x: what entered it, `[R, C]`.
    ///   - dy: the gradient of what left it, `[R, C]`.
    ///   - accumulates: whether it is added to what `dx` holds.
    /// - Returns: mean and 1 / deviation of each row, `[R, 2]`, for the gradient of the weight.
    package func normGradient(
        of x: Tensor, weight: Tensor?, _ kind: NormKind, dy: Tensor, accumulates: Bool = false, into dx: Tensor
    ) throws(TensorError) -> Tensor {
        precondition(
            dy.count == x.count && dx.count == x.count && (weight.map { $0.count == x.width } ?? true),
            "gradient of a norm: \(x.shape), \(dy.shape) into \(dx.shape)")
        let statistics = try makeRows(x.rowCount, width: 2)
        let args = nephele_norm_gradient_f32_args(
            isa: instructionSet.isa, x: x.f32, weight: weight?.f32, dy: dy.f32, dx: dx.f32,
            statistics: statistics.f32, width: x.width, epsilon: kind.epsilon, centered: kind.isCentered ? 1 : 0,
            accumulates: accumulates ? 1 : 0)
        run(nephele_norm_gradient_f32, args, count: x.rowCount, grain: max(1, 16_384 / max(1, x.width)))
        return statistics
    }

    /// Adds the gradients of a norm's weight and bias `[C]`.
    package func addNormWeightGradient(
        of x: Tensor, statistics: Tensor, dy: Tensor, to weight: Tensor, bias: Tensor? = nil
    ) {
        precondition(
            dy.count == x.count && weight.count == x.width && statistics.count == 2 * x.rowCount
                && (bias.map { $0.count == x.width } ?? true),
            "gradient of a norm's weight \(weight.shape) of \(x.shape)")
        let args = nephele_norm_weight_gradient_f32_args(
            x: x.f32, dy: dy.f32, statistics: statistics.f32, dweight: weight.f32, dbias: bias?.f32,
            rows: x.rowCount, width: x.width)
        run(nephele_norm_weight_gradient_f32, args, count: x.width, grain: max(16, 65_536 / max(1, x.rowCount)))
    }

    /// The gradients of y = activation(x) · factor, or of activation(x) without one. `dx` may be `dy`.
    package func mapGradient(
        _ activation: Activation, of x: Tensor, times factor: Tensor? = nil, dy: Tensor, into dx: Tensor,
        factorGradient: Tensor? = nil
    ) {
        precondition(
            dy.count == x.count && dx.count == x.count && (factor.map { $0.count == x.count } ?? true)
                && factorGradient?.count == factor?.count,
            "gradient of a map of \(x.shape), \(dy.shape) into \(dx.shape)")
        let args = nephele_map_gradient_f32_args(
            isa: instructionSet.isa, map: activation.map, x: x.f32, factor: factor?.f32, dy: dy.f32, dx: dx.f32,
            dfactor: factorGradient?.f32)
        run(nephele_map_gradient_f32, args, count: x.count, grain: 8_192)
    }
}
