internal import CKernels

extension Device {
    /// A function applied to each element.
    package enum Activation: Sendable, Hashable {
        case exp, tanh, silu, geluTanh, geluErf, geluQuick, relu, identity, sigmoid

        var map: nephele_map {
            switch self {
            case .exp: NEPHELE_MAP_EXP
            case .tanh: NEPHELE_MAP_TANH
            case .silu: NEPHELE_MAP_SILU
            case .geluTanh: NEPHELE_MAP_GELU_TANH
            case .geluErf: NEPHELE_MAP_GELU_ERF
            case .geluQuick: NEPHELE_MAP_GELU_QUICK
            case .relu: NEPHELE_MAP_RELU
            case .identity: NEPHELE_MAP_IDENTITY
            case .sigmoid: NEPHELE_MAP_SIGMOID
            }
        }
    }

    /// Rows `ids` of a plain f32 table `[n, width]`, added to y `[ids.count, width]`.
    package func addRows(of table: Tensor, ids: [Int32], to y: Tensor) {
        precondition(table.width == y.width && y.rowCount == ids.count, "rows of \(table.shape) into \(y.shape)")
        for (row, id) in ids.enumerated() {
            precondition(id >= 0 && Int(id) < table.rowCount, "row \(id) of \(table.shape)")
            let source = table.f32 + Int(id) * table.width
            let target = y.f32 + row * y.width
            for column in 0..<y.width { target[column] += source[column] }
        }
    }

    /// RMSNorm (arXiv 1910.07467) of each row: x / √(mean x² + ε) · weight. `y` may be `x`.
    package func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Float, into y: Tensor) {
        norm(x, weight: weight, bias: nil, epsilon: epsilon, centered: false, into: y)
    }

    /// LayerNorm (arXiv 1607.06450) of each row: (x − mean) / √(var + ε) · weight + bias. `y` may be `x`.
    package func layerNorm(_ x: Tensor, weight: Tensor, bias: Tensor?, epsilon: Float, into y: Tensor) {
        norm(x, weight: weight, bias: bias, epsilon: epsilon, centered: true, into: y)
    }

    private func norm(_ x: Tensor, weight: Tensor, bias: Tensor?, epsilon: Float, centered: Bool, into y: Tensor) {
        precondition(
            x.count == y.count && weight.count == x.width && (bias.map { $0.count == x.width } ?? true),
            "norm of \(x.shape) by \(weight.shape) into \(y.shape)")
        let args = nephele_norm_f32_args(
            isa: instructionSet.isa, x: x.f32, weight: weight.f32, bias: bias?.f32, y: y.f32, width: x.width,
            x_stride: x.width, y_stride: x.width, epsilon: epsilon, centered: centered ? 1 : 0)
        run(nephele_norm_f32, args, count: x.rowCount, grain: max(1, 16_384 / max(1, x.width)))
    }

    /// y = activation(x), times `factor` where given (a gated unit). `y` may be `x`.
    ///
    /// - Parameter limit: where it is above 0, x is at most that, and the factor is 1 more than itself within ±limit.
    package func map(
        _ activation: Activation, _ x: Tensor, times factor: Tensor? = nil, limit: Float = 0, into y: Tensor
    ) {
        precondition(
            x.count == y.count && (factor.map { $0.count == x.count } ?? true), "map of \(x.shape) into \(y.shape)")
        let args = nephele_map_f32_args(
            isa: instructionSet.isa, map: activation.map, x: x.f32, factor: factor?.f32, y: y.f32,
            limit: limit)
        run(nephele_map_f32, args, count: x.count, grain: 8_192)
    }

    /// y = scaleA · a + scaleB · b, rounded as fma(scaleB, b, scaleA · a). `y` may be `a` or `b`.
    package func combine(_ a: Tensor, _ b: Tensor, scaleA: Float = 1, scaleB: Float = 1, into y: Tensor) {
        precondition(a.count == b.count && a.count == y.count, "combination of \(a.shape) and \(b.shape)")
        let args = nephele_combine_f32_args(
            isa: instructionSet.isa, a: a.f32, b: b.f32, y: y.f32, scale_a: scaleA, scale_b: scaleB)
        run(nephele_combine_f32, args, count: a.count, grain: 16_384)
    }

    /// y = residual + Σ weight · (row of x), over `count` rows for each row of y. `y` may be `residual`.
    ///
    /// - Parameters:
    ///   - indices: rows of `x`, `count` for each row of `y`; their weights stand in `weights`, in the same order.
    package func mixRows(
        of x: Tensor, indices: [Int32], weights: [Float], count: Int, residual: Tensor? = nil,
        into y: Tensor
    ) {
        precondition(
            indices.count == y.rowCount * count && weights.count == indices.count && x.width == y.width
                && indices.allSatisfy { $0 >= 0 && Int($0) < x.rowCount }
                && (residual.map { $0.count == y.count } ?? true),
            "\(indices.count) rows of \(x.shape) for \(y.shape)")
        indices.withUnsafeBufferPointer { indices in
            weights.withUnsafeBufferPointer { weights in
                let args = nephele_mix_rows_f32_args(
                    isa: instructionSet.isa, x: x.f32, indices: indices.baseAddress, weights: weights.baseAddress,
                    residual: residual?.f32, y: y.f32, count: count, width: y.width)
                run(nephele_mix_rows_f32, args, count: y.rowCount, grain: max(1, 16_384 / max(1, y.width * count)))
            }
        }
    }

    /// y = (scaleA · a + scaleB · b) / divisor: each product, the sum and the quotient are rounded by themselves, as
    /// diffusers rounds them. `y` may be `a` or `b`.
    ///
    /// - Parameter b: nil for a tensor of ones.
    package func weightedSum(
        _ scaleA: Float, _ a: Tensor, _ scaleB: Float, _ b: Tensor?, over divisor: Float = 1, into y: Tensor
    ) {
        precondition(
            a.count == y.count && (b.map { $0.count == a.count } ?? true),
            "weighted sum of \(a.shape) and \(b?.shape ?? []) into \(y.shape)")
        let args = nephele_weighted_sum_f32_args(
            isa: instructionSet.isa, a: a.f32, b: b?.f32, y: y.f32, scale_a: scaleA, scale_b: scaleB,
            divisor: divisor)
        run(nephele_weighted_sum_f32, args, count: a.count, grain: 16_384)
    }

    /// y = x limited to [−limit, limit], divided by `divisor`; NaN stays NaN. `y` may be `x`.
    package func clamp(_ x: Tensor, to limit: Float, over divisor: Float = 1, into y: Tensor) {
        precondition(x.count == y.count, "clamp of \(x.shape) into \(y.shape)")
        let args = nephele_clamp_f32_args(
            isa: instructionSet.isa, x: x.f32, y: y.f32, limit: limit, divisor: divisor)
        run(nephele_clamp_f32, args, count: x.count, grain: 16_384)
    }

    /// Classifier-free guidance (arXiv 2207.12598): y = u + s (c − u), where the first half of the rows of x `[2R, N]` is
    /// the conditional output c and the second half the unconditional u. y is `[R, N]`.
    package func guide(_ x: Tensor, scale: Float, into y: Tensor) {
        precondition(x.count == 2 * y.count, "guidance of \(x.shape) into \(y.shape)")
        let conditional = x.f32, plain = x.f32 + y.count
        let difference = nephele_weighted_sum_f32_args(
            isa: instructionSet.isa, a: conditional, b: plain, y: y.f32, scale_a: 1, scale_b: -1, divisor: 1)
        run(nephele_weighted_sum_f32, difference, count: y.count, grain: 16_384)
        let sum = nephele_weighted_sum_f32_args(
            isa: instructionSet.isa, a: plain, b: y.f32, y: y.f32, scale_a: 1, scale_b: scale, divisor: 1)
        run(nephele_weighted_sum_f32, sum, count: y.count, grain: 16_384)
    }

    /// y = factor · x. `y` may be `x`.
    package func scale(_ x: Tensor, by factor: Float, into y: Tensor) {
        combine(x, x, scaleA: factor, scaleB: 0, into: y)
    }

    /// y = cap · tanh(x / cap): nearly x where it is small, never beyond the cap. `y` may be `x`.
    package func softCap(_ x: Tensor, cap: Float, into y: Tensor) {
        precondition(x.count == y.count && cap > 0, "soft cap \(cap) of \(x.shape) into \(y.shape)")
        let args = nephele_soft_cap_f32_args(isa: instructionSet.isa, x: x.f32, y: y.f32, cap: cap)
        run(nephele_soft_cap_f32, args, count: x.count, grain: 8_192)
    }

    /// log Σ exp of a row of logits.
    package func logSumExp(_ row: Tensor) -> Float {
        nephele_log_sum_exp_f32(instructionSet.isa, row.f32, row.count)
    }

    /// The index of the largest of the first `count` elements of a row, the first among equals; NaN counts as smallest.
    package static func argmax(_ row: Tensor, count: Int) -> Int {
        precondition(count > 0 && count <= row.count, "the largest of \(count) in \(row.shape)")
        return nephele_argmax_f32(InstructionSet.detected.isa, row.f32, count)
    }

    /// e^x as every kernel computes it, the same bits on every machine.
    package static func exp(_ x: Float) -> Float { nephele_exp(x) }

    /// Σ e^(x − shift) in 16 lanes, the same bits on every machine.
    package static func sumExp(_ values: [Float], shift: Float) -> Float {
        nephele_sum_exp_f32(InstructionSet.detected.isa, values, values.count, shift)
    }
}
