internal import CKernels

extension Device {
    /// Causal attention of one text at a time, without a cache, whose gradients can be computed.
    package struct TextAttention: Sendable {
        package var heads: Int
        package var kvHeads: Int
        package var headDim: Int
        /// How many of the last rows a row sees, itself included; 0 for all.
        package var window: Int
        /// What scores are multiplied by.
        package var scale: Float

        package init(heads: Int, kvHeads: Int, headDim: Int, window: Int, scale: Float) {
            (self.heads, self.kvHeads, self.headDim) = (heads, kvHeads, headDim)
            (self.window, self.scale) = (window, scale)
        }
    }

    /// softmax(q kᵀ · scale) v, each row of what it and those before it see.
    ///
    /// - Parameters:
    ///   - q: `[T, H·D]`; k and v are `[T, G·D]`, y is as q.
    ///   - logSums: `[H, T]`, the logarithm of each softmax's denominator, for the gradients.
    package func textAttention(
        _ attention: TextAttention, q: Tensor, k: Tensor, v: Tensor, into y: Tensor, logSums: Tensor
    ) throws(TensorError) {
        var args = try arguments(attention, q, k, v, y, logSums)
        let panels = try turnedHeads(k, attention.kvHeads)
        args.k_panels = UnsafePointer(panels.f32)
        withExtendedLifetime(panels) {
            run(nephele_text_attention_f32, args, count: attention.heads * tiles(q.rowCount))
        }
    }

    /// The gradients of ``textAttention(_:q:k:v:into:logSums:)``, by its arguments and results.
    ///
    /// - Parameters:
    ///   - dy: as y; dq is as q, dk as k, dv as v.
    package func textAttentionGradients(
        _ attention: TextAttention, q: Tensor, k: Tensor, v: Tensor, y: Tensor, logSums: Tensor, dy: Tensor,
        into dq: Tensor, _ dk: Tensor, _ dv: Tensor
    ) throws(TensorError) {
        precondition(
            dy.count == q.count && dq.count == q.count && dk.count == k.count && dv.count == v.count,
            "gradients of attention: \(q.shape), \(dy.shape) into \(dq.shape), \(dk.shape), \(dv.shape)")
        var args = try arguments(attention, q, k, v, y, logSums)
        let products = try makeRows(attention.heads, width: q.rowCount)  // [H, T]
        let keyPanels = try turnedHeads(k, attention.kvHeads), valuePanels = try turnedHeads(v, attention.kvHeads)
        let queryPanels = try turnedHeads(q, attention.heads), gradientPanels = try turnedHeads(dy, attention.heads)
        args.k_panels = UnsafePointer(keyPanels.f32)
        args.v_panels = UnsafePointer(valuePanels.f32)
        args.q_panels = UnsafePointer(queryPanels.f32)
        args.dy_panels = UnsafePointer(gradientPanels.f32)
        args.dy = UnsafePointer(dy.f32)
        (args.dq, args.dk, args.dv, args.products) = (dq.f32, dk.f32, dv.f32, products.f32)
        withExtendedLifetime((products, keyPanels, valuePanels, queryPanels, gradientPanels)) {
            run(nephele_text_attention_queries_f32, args, count: attention.heads * tiles(q.rowCount))
            run(nephele_text_attention_keys_f32, args, count: attention.kvHeads * tiles(q.rowCount))
        }
    }

    private func tiles(_ rows: Int) -> Int { (rows + 5) / 6 }

    private func arguments(
        _ attention: TextAttention, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ y: Tensor, _ logSums: Tensor
    ) throws(TensorError) -> nephele_text_attention_f32_args {
        let (heads, kvHeads, dim) = (attention.heads, attention.kvHeads, attention.headDim)
        precondition(
            q.width == heads * dim && k.width == kvHeads * dim && v.width == k.width && k.rowCount == q.rowCount
                && v.rowCount == q.rowCount && y.count == q.count && heads % kvHeads == 0
                && dim <= Int(NEPHELE_MAX_HEAD_DIM) && logSums.count == heads * q.rowCount,
            "attention of \(q.shape) over \(k.shape), \(v.shape) with \(heads) and \(kvHeads) heads of \(dim)")
        var args = nephele_text_attention_f32_args()
        args.isa = instructionSet.isa
        (args.q, args.k, args.v) = (UnsafePointer(q.f32), UnsafePointer(k.f32), UnsafePointer(v.f32))
        (args.y, args.log_sums) = (y.f32, logSums.f32)
        (args.rows, args.heads, args.kv_heads, args.head_dim) = (q.rowCount, heads, kvHeads, dim)
        (args.window, args.scale) = (attention.window, attention.scale)
        return args
    }

    /// Panels of 16 rows side by side, for each head: `[heads, T/16, D, 16]`.
    private func turnedHeads(_ x: Tensor, _ heads: Int) throws(TensorError) -> Tensor {
        let groups = (x.rowCount + 15) / 16, dim = x.width / heads
        let panels = try makeRows(heads * groups, width: dim * 16)
        let args = nephele_turn_heads_f32_args(
            x: x.f32, panels: panels.f32, rows: x.rowCount, heads: heads, head_dim: dim)
        run(nephele_turn_heads_f32, args, count: heads * groups, grain: 4)
        return panels
    }
}
