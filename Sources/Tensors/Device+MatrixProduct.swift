internal import CKernels

extension Device {
    /// y = x Wᵀ (+ bias) (+ residual): `x` is `[M, K]`, `y` and `residual` `[M, N]`, `bias` `[N]`. `residual` may
    /// be `y`. One FMA chain per output, k ascending, then bias, then residual; of weights in groups, the chain runs
    /// over the groups, and the rows of x are rounded to 8 bits, group by group.
    ///
    /// - Throws: `TensorError.tooLarge` when there is no memory for the rounded rows.
    package func matmul(
        _ x: Tensor, _ weight: PackedMatrix, bias: Tensor? = nil, residual: Tensor? = nil, into y: Tensor
    ) throws(TensorError) {
        precondition(
            x.width == weight.depth && y.width == weight.columns && x.rowCount == y.rowCount,
            "cannot multiply \(x.shape) by [\(weight.columns), \(weight.depth)]ᵀ into \(y.shape)")
        precondition(bias.map { $0.count == weight.columns } ?? true, "bias \(bias?.shape ?? []) for \(y.shape)")
        precondition(residual.map { $0.count == y.count } ?? true, "residual \(residual?.shape ?? []) for \(y.shape)")
        // A chunk below some 64k multiply-adds is not worth waking a thread for.
        let work = max(1, x.rowCount * weight.depth * Int(NEPHELE_PANEL))
        let grain = max(1, 65_536 / work)
        switch weight.format {
        case .plain:
            let args = nephele_matmul_args(
                isa: instructionSet.isa, x: x.f32, panels: weight.panels.raw, bias: bias?.f32,
                residual: residual?.f32, y: y.f32, rows: x.rowCount, columns: weight.columns, depth: weight.depth,
                x_stride: x.width, y_stride: y.width, residual_stride: y.width)
            run(weight.plainKernels.matmul, args, count: weight.panelCount, grain: grain)
        case .grouped(let format):
            try withRoundedRows(x, format) { rows in
                let args = nephele_grouped_matmul_args(
                    isa: instructionSet.isa, x: rows.q, x_scales: rows.scales, x_sums: rows.sums,
                    panels: weight.panels.raw, bias: bias?.f32, residual: residual?.f32, y: y.f32, rows: x.rowCount,
                    columns: weight.columns, depth: format.groups(weight.depth) * format.group, group: format.group,
                    y_stride: y.width, residual_stride: y.width, format: format.kernelFormat)
                run(nephele_grouped_matmul, args, count: weight.panelCount, grain: grain)
            }
        }
    }

    /// The rows of x in 8 bits with a scale a group, in scratch memory.
    private func withRoundedRows(
        _ x: Tensor, _ format: GroupedFormat, _ body: (nephele_quantize_rows_args) -> Void
    ) throws(TensorError) {
        let groups = format.groups(x.width) * x.rowCount
        try withScratch(byteCount: groups * (format.group + 8)) { memory in
            let scales = memory.assumingMemoryBound(to: Float.self)
            let sums = (memory + 4 * groups).assumingMemoryBound(to: Int32.self)
            let args = nephele_quantize_rows_args(
                isa: instructionSet.isa, x: x.f32, q: (memory + 8 * groups).assumingMemoryBound(to: Int8.self),
                scales: scales, sums: sums, depth: x.width, group: format.group, x_stride: x.width)
            run(nephele_quantize_rows, args, count: x.rowCount, grain: max(1, 16_384 / max(1, x.width)))
            body(args)
        }
    }

    /// Rows `ids` of the matrix behind `table`: y is `[ids.count, depth]`.
    package func gather(_ table: PackedMatrix, ids: [Int32], into y: Tensor) {
        precondition(
            ids.allSatisfy { $0 >= 0 && Int($0) < table.columns }, "an id lies outside [0, \(table.columns))")
        precondition(y.rowCount == ids.count && y.width == table.depth, "\(ids.count) rows into \(y.shape)")
        ids.withUnsafeBufferPointer { ids in
            switch table.format {
            case .plain:
                let args = nephele_gather_panels_args(
                    panels: table.panels.raw, ids: ids.baseAddress, y: y.f32, depth: table.depth, y_stride: y.width)
                run(table.plainKernels.gather, args, count: ids.count, grain: 64)
            case .grouped(let format):
                let args = nephele_gather_grouped_args(
                    panels: table.panels.raw, ids: ids.baseAddress, y: y.f32, depth: table.depth, group: format.group,
                    y_stride: y.width, format: format.kernelFormat)
                run(nephele_gather_grouped, args, count: ids.count, grain: 64)
            }
        }
    }
}
