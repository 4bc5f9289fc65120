internal import CKernels

extension Device {
    /// A causal convolution of each channel by itself, over the rows of a pass and what a layer's state holds of those
    /// before them.
    ///
    /// - Parameters:
    ///   - x: `[rows, N]`, as y, which must not be x.
    ///   - channels: those of the state that x has, N of them.
    ///   - weights: `[taps, N]`, the row's own last; bias `[N]`.
    package func shortConvolution(
        _ x: Tensor, channels: Range<Int>, weights: Tensor, bias: Tensor?, rows: StateRows, states: StateStorage,
        layer: Int, into y: Tensor
    ) {
        let shape = states.shape
        precondition(
            x.width == channels.count && y.count == x.count && channels.upperBound <= shape.channels
                && weights.count == shape.taps * x.width && rows.covers(x.rowCount) && layer < shape.layers
                && (bias.map { $0.count == x.width } ?? true),
            "convolution of \(x.shape) by \(weights.shape) in layer \(layer)")
        rows.withSpans(states, layer: layer) { spans, count in
            // Each part's history stands by itself.
            let args = nephele_short_convolution_f32_args(
                isa: instructionSet.isa, x: x.f32, weights: weights.f32, bias: bias?.f32, y: y.f32, spans: spans,
                taps: shape.taps, width: x.width, state: channels.lowerBound * (shape.taps - 1),
                log: channels.lowerBound * states.logRows)
            run(
                nephele_short_convolution_f32, args, count: count * ((x.width + 15) / 16),
                grain: max(1, 512 * count / max(1, x.rowCount)))
        }
    }

    /// The gates of a delta rule's heads from their projections, all `[rows, heads]`: decay = exp(−rate ·
    /// log(1 + exp(a + bias))), beta = 1 / (1 + exp(−b)). `a` and `b` become them.
    ///
    /// - Parameter rate: `[heads]`, as bias.
    package func deltaGates(_ a: Tensor, _ b: Tensor, rate: Tensor, bias: Tensor) {
        precondition(
            a.count == b.count && rate.count == a.width && bias.count == a.width, "gates \(a.shape) of \(rate.shape)")
        let args = nephele_delta_gates_f32_args(
            a: a.f32, b: b.f32, rate: rate.f32, bias: bias.f32, decay: a.f32, beta: b.f32, heads: a.width)
        run(nephele_delta_gates_f32, args, count: a.count, grain: 1_024)
    }

    /// The gated delta rule (arXiv 2412.06464), row by row: S becomes decay · S + k ⊗ beta (v − kᵀ decay S), and the
    /// row of y is qᵀ S.
    ///
    /// - Parameters:
    ///   - q: `[rows, keyHeads · keyDim]`, as k.
    ///   - v: `[rows, valueHeads · valueDim]`, as y.
    ///   - decay: `[rows, valueHeads]`, as beta.
    package func deltaRule(
        q: Tensor, k: Tensor, v: Tensor, decay: Tensor, beta: Tensor, rows: StateRows, states: StateStorage, layer: Int,
        into y: Tensor
    ) {
        let shape = states.shape, logRows = states.logRows
        precondition(
            q.width == shape.keyHeads * shape.keyDim && k.count == q.count
                && v.width == shape.valueHeads * shape.valueDim && y.count == v.count && v.rowCount == q.rowCount
                && decay.width == shape.valueHeads && beta.count == decay.count && decay.rowCount == q.rowCount
                && rows.covers(q.rowCount) && layer < shape.layers,
            "delta rule of \(q.shape), \(v.shape), \(decay.shape) in layer \(layer)")
        rows.withSpans(states, layer: layer) { spans, count in
            let args = nephele_delta_rule_f32_args(
                isa: instructionSet.isa, q: q.f32, k: k.f32, v: v.f32, decay: decay.f32, beta: beta.f32, y: y.f32,
                spans: spans, key_heads: shape.keyHeads, value_heads: shape.valueHeads, key_dim: shape.keyDim,
                value_dim: shape.valueDim, state: shape.matrixOffset, log: shape.deltaOffset(logRows),
                decay_log: shape.decayOffset(logRows), key_log: shape.keyOffset(logRows),
                is_tiled: shape.isTiled ? 1 : 0)
            let columns = Int(NEPHELE_STATE_COLUMNS)
            run(
                nephele_delta_rule_f32, args,
                count: count * shape.valueHeads * ((shape.valueDim + columns - 1) / columns))
        }
        rows.forEachLogged { rows, slot in
            let log = states.log(slot, layer: layer)
            for (own, width, offset) in [
                (decay, decay.width, shape.decayOffset(logRows)), (k, k.width, shape.keyOffset(logRows)),
            ] {
                (log + offset).update(from: own.f32 + rows.lowerBound * width, count: rows.count * width)
            }
        }
    }

    /// Rows of a and b side by side: `[rows, A]` and `[rows, B]` into `[rows, A + B]`.
    package func join(_ a: Tensor, _ b: Tensor, into y: Tensor) {
        precondition(
            y.width == a.width + b.width && a.rowCount == y.rowCount && b.rowCount == y.rowCount,
            "\(a.shape) and \(b.shape) into \(y.shape)")
        let args = nephele_join_f32_args(a: a.f32, b: b.f32, y: y.f32, a_width: a.width, b_width: b.width)
        run(nephele_join_f32, args, count: y.rowCount, grain: max(1, 16_384 / max(1, y.width)))
    }

    /// The first columns of x, and the rest: `[rows, A + B]` into `[rows, A]` and `[rows, B]`.
    package func split(_ x: Tensor, into a: Tensor, _ b: Tensor) {
        precondition(
            x.width == a.width + b.width && a.rowCount == x.rowCount && b.rowCount == x.rowCount,
            "\(x.shape) into \(a.shape) and \(b.shape)")
        let args = nephele_split_f32_args(
            y: x.f32, a: a.f32, b: b.f32, a_width: a.width, b_width: b.width)
        run(nephele_split_f32, args, count: x.rowCount, grain: max(1, 16_384 / max(1, x.width)))
    }
}
