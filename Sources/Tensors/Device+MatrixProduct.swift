internal import CKernels

extension Device {
    /// One product of rows x: y = x Wᵀ (+ bias) (+ residual).
    package struct Product {
        var weight: PackedMatrix
        var bias: Tensor?
        var residual: Tensor?
        var y: Tensor

        /// - Parameters:
        ///   - weight: `[N, K]`.
        ///   - bias: `[N]`.
        ///   - residual: `[M, N]`; may be `y`.
        package init(_ weight: PackedMatrix, bias: Tensor? = nil, residual: Tensor? = nil, into y: Tensor) {
            (self.weight, self.bias, self.residual, self.y) = (weight, bias, residual, y)
        }
    }

    /// y = x Wᵀ (+ bias) (+ residual): `x` is `[M, K]`, `y` and `residual` `[M, N]`, `bias` `[N]`. `residual` may
    /// be `y`. One FMA chain per output, k ascending, then bias, then residual; of weights in groups, the chain runs
    /// over the groups, and the rows of x are rounded to 8 bits, group by group.
    ///
    /// - Throws: `TensorError.tooLarge` when there is no memory for the rounded rows.
    package func matmul(
        _ x: Tensor, _ weight: PackedMatrix, bias: Tensor? = nil, residual: Tensor? = nil, into y: Tensor
    ) throws(TensorError) {
        try matmul(x, [Product(weight, bias: bias, residual: residual, into: y)])
    }

    /// Several products of the same rows, as one piece of work: rows are rounded once, and threads meet once.
    ///
    /// - Throws: `TensorError.tooLarge` when there is no memory for the rounded rows.
    package func matmul(_ x: Tensor, _ products: [Product]) throws(TensorError) {
        for product in products { check(product, x) }
        let roundings = Rounding.all(of: products, x)
        if roundings.isEmpty {
            multiply(x, products, [])
        } else {
            try withScratch(byteCount: roundings.reduce(0) { $0 + $1.byteCount }) { memory in
                var next = memory
                let rounded = roundings.map { rounding in
                    defer { next += rounding.byteCount }
                    return round(x, rounding, into: next)
                }
                multiply(x, products, rounded)
            }
        }
    }

    private func check(_ product: Product, _ x: Tensor) {
        let (weight, y) = (product.weight, product.y)
        precondition(
            x.width == weight.depth && y.width == weight.columns && x.rowCount == y.rowCount,
            "cannot multiply \(x.shape) by [\(weight.columns), \(weight.depth)]ᵀ into \(y.shape)")
        precondition(
            product.bias.map { $0.count == weight.columns } ?? true, "bias \(product.bias?.shape ?? []) for \(y.shape)")
        precondition(
            product.residual.map { $0.count == y.count } ?? true,
            "residual \(product.residual?.shape ?? []) for \(y.shape)")
    }

    private func multiply(_ x: Tensor, _ products: [Product], _ rounded: [nephele_quantize_rows_args]) {
        var plain: [nephele_matmul_args] = []
        var grouped: [nephele_grouped_matmul_args] = []
        for product in products {
            let (weight, y) = (product.weight, product.y)
            switch weight.format {
            case .plain:
                plain.append(
                    nephele_matmul_args(
                        isa: instructionSet.isa, x: x.f32, panels: weight.panels.raw, bias: product.bias?.f32,
                        residual: product.residual?.f32, y: y.f32, rows: x.rowCount, columns: weight.columns,
                        depth: weight.depth, x_stride: x.width, y_stride: y.width, residual_stride: y.width))
            case .grouped(let format):
                guard let rows = rounded.first(where: { $0.group == format.group }) else { continue }
                grouped.append(
                    nephele_grouped_matmul_args(
                        isa: instructionSet.isa, x: rows.q, x_scales: rows.scales, x_sums: rows.sums,
                        panels: weight.panels.raw, bias: product.bias?.f32, residual: product.residual?.f32, y: y.f32,
                        rows: x.rowCount, columns: weight.columns,
                        depth: format.groups(weight.depth) * format.group, group: format.group, y_stride: y.width,
                        residual_stride: y.width, format: format.kernelFormat))
            }
        }
        plain.withUnsafeBufferPointer { plain in
            grouped.withUnsafeBufferPointer { grouped in
                var parts: [nephele_part] = []
                var (nextPlain, nextGrouped) = (plain.baseAddress, grouped.baseAddress)
                for product in products {
                    let count = product.weight.panelCount
                    switch product.weight.format {
                    case .plain:
                        parts.append(
                            nephele_part(task: product.weight.plainKernels.matmul, args: nextPlain, count: count))
                        nextPlain = nextPlain?.successor()
                    case .grouped:
                        parts.append(nephele_part(task: nephele_grouped_matmul, args: nextGrouped, count: count))
                        nextGrouped = nextGrouped?.successor()
                    }
                }
                parts.withUnsafeBufferPointer { parts in
                    let panels = parts.reduce(0) { $0 + $1.count }
                    let args = nephele_parts_args(parts: parts.baseAddress, count: parts.count)
                    run(nephele_parts, args, count: panels, grain: grain(panels: panels, rows: x.rowCount, x.width))
                }
            }
        }
    }

    /// A chunk below some 64k multiply-adds is not worth waking a thread for; chunks are of whole tiles.
    private func grain(panels: Int, rows: Int, _ depth: Int) -> Int {
        let least = max(1, 65_536 / max(1, rows * depth * Int(NEPHELE_PANEL)))
        let tile = rows <= 2 ? 4 : 6
        let even = panels / (4 * threadCount)
        return max(least, (even + tile - 1) / tile * tile)
    }

    /// Rows in 8 bits with a scale a group: what products with weights in groups of that size multiply by.
    private struct Rounding {
        let group: Int
        /// Groups of all rows.
        let groups: Int

        /// Values, scales and sums.
        var byteCount: Int { groups * (group + 8) }

        /// Those that the products need, each once.
        static func all(of products: [Product], _ x: Tensor) -> [Rounding] {
            var roundings: [Rounding] = []
            for case .grouped(let format) in products.map(\.weight.format)
            where !roundings.contains(where: { $0.group == format.group }) {
                roundings.append(Rounding(group: format.group, groups: format.groups(x.width) * x.rowCount))
            }
            return roundings
        }
    }

    private func round(
        _ x: Tensor, _ rounding: Rounding, into memory: UnsafeMutableRawPointer
    ) -> nephele_quantize_rows_args {
        let groups = rounding.groups
        let args = nephele_quantize_rows_args(
            isa: instructionSet.isa, x: x.f32, q: (memory + 8 * groups).assumingMemoryBound(to: Int8.self),
            scales: memory.assumingMemoryBound(to: Float.self),
            sums: (memory + 4 * groups).assumingMemoryBound(to: Int32.self), depth: x.width, group: rounding.group,
            x_stride: x.width)
        run(nephele_quantize_rows, args, count: x.rowCount, grain: max(1, 16_384 / max(1, x.width)))
        return args
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
