internal import CKernels

extension Device {
    /// One product of rows x: y = x Wᵀ (+ bias) (+ residual).
    package struct Product {
        var weight: PackedMatrix
        var bias: Tensor?
        var residual: Tensor?
        package let y: Tensor

        /// - Parameters:
        ///   - weight: `[N, K]`.
        ///   - bias: `[N]`.
        ///   - residual: `[M, N]`; may be `y`.
        package init(_ weight: PackedMatrix, bias: Tensor? = nil, residual: Tensor? = nil, into y: Tensor) {
            (self.weight, self.bias, self.residual, self.y) = (weight, bias, residual, y)
        }

        /// How rows `x` are rounded for it; nil where they are not.
        fileprivate func rounding(of x: Tensor, for instructionSet: InstructionSet) -> Rounding? {
            guard case .grouped(let format) = weight.format else { return nil }
            return Rounding(
                group: format.group, groups: format.groups(x.width) * x.rowCount, isWide: weight.hasWideInputs,
                layout: format.rowLayout(isWide: weight.hasWideInputs, for: instructionSet), order: weight.inputOrder)
        }
    }

    /// y = x Wᵀ (+ bias) (+ residual): `x` is `[M, K]`, `y` and `residual` `[M, N]`, `bias` `[N]`. `residual` may
    /// be `y`. One FMA chain per output, k ascending, then bias, then residual; of weights in groups, the chain runs
    /// over the groups, and the rows of x are rounded to 8 or 15 bits, group by group.
    ///
    /// - Throws: `TensorError.tooLarge` when there is no memory for the rounded rows.
    package func matmul(
        _ x: Tensor, _ weight: PackedMatrix, bias: Tensor? = nil, residual: Tensor? = nil, into y: Tensor
    ) throws(TensorError) {
        try matmul(x, Product(weight, bias: bias, residual: residual, into: y))
    }

    /// Up to three products of the same rows, as one piece of work: rows are rounded once, and threads meet once.
    ///
    /// - Throws: `TensorError.tooLarge` when there is no memory for the rounded rows.
    package func matmul(
        _ x: Tensor, _ first: Product, _ second: Product? = nil, _ third: Product? = nil
    ) throws(TensorError) {
        let products = Products(first: first, second: second, third: third, instructionSet: instructionSet)
        for index in 0..<products.count { check(products[index], x) }
        let byteCount = (0..<products.count).reduce(0) { $0 + (products.rounding(at: $1, of: x)?.byteCount ?? 0) }
        try withScratch(byteCount: byteCount) { memory, arguments in
            arguments.removeAll()
            var next = memory
            for index in 0..<products.count {
                guard let rounding = products.rounding(at: index, of: x) else { continue }
                arguments.rounded.append(round(x, rounding, into: next))
                next += rounding.byteCount
            }
            multiply(x, products, &arguments)
        }
    }

    /// A product of some of the rows, for ``matmul(_:segments:)``.
    package struct Segment {
        let rows: Range<Int>
        let product: Product

        /// - Parameters:
        ///   - weight: `[N, K]`.
        ///   - bias: `[N]`.
        ///   - y: `[M, N]`, of which `rows` are written.
        package init(rows: Range<Int>, _ weight: PackedMatrix, bias: Tensor? = nil, into y: Tensor) {
            (self.rows, product) = (rows, Product(weight, bias: bias, into: y.rows(rows)))
        }
    }

    /// y[rows] = x[rows] Wᵀ (+ bias) for each segment, as one piece of work: x is rounded once, and threads meet once. The
    /// bits are those of ``matmul(_:_:bias:residual:into:)``.
    ///
    /// - Throws: `TensorError.tooLarge` when there is no memory for the rounded rows.
    package func matmul(_ x: Tensor, segments: [Segment]) throws(TensorError) {
        var roundings: [Rounding] = []
        for segment in segments {
            check(segment.product, x.rows(segment.rows))
            guard let rounding = segment.product.rounding(of: x, for: instructionSet),
                !roundings.contains(where: { $0.isSame(as: rounding) })
            else { continue }
            roundings.append(rounding)
        }
        try withScratch(byteCount: roundings.reduce(0) { $0 + $1.byteCount }) { memory, arguments in
            arguments.removeAll()
            var next = memory
            for rounding in roundings {
                arguments.rounded.append(round(x, rounding, into: next))
                next += rounding.byteCount
            }
            for segment in segments {
                add(segment.product, x.rows(segment.rows), rounded: segment.rows.lowerBound, to: &arguments)
            }
            runParts(segments.count, { segments[$0].product.weight }, &arguments) { panels in
                grain(panels: panels, rows: max(1, x.rowCount / max(1, segments.count)), x.width)
            }
        }
    }

    /// What is multiplied together; no array, so that a pass allocates none.
    private struct Products {
        let first: Product
        let second: Product?
        let third: Product?
        let instructionSet: InstructionSet

        var count: Int { third != nil ? 3 : second != nil ? 2 : 1 }

        subscript(index: Int) -> Product {
            let product = index == 0 ? first : index == 1 ? second : third
            guard let product else {
                preconditionFailure("product \(index) of \(count): the second comes before the third")
            }
            return product
        }

        /// How the rows are rounded for a product, unless they are for one before it.
        func rounding(at index: Int, of x: Tensor) -> Rounding? {
            guard let rounding = self[index].rounding(of: x, for: instructionSet) else { return nil }
            for earlier in 0..<index {
                let other = self[earlier].rounding(of: x, for: instructionSet)
                if let other, other.isSame(as: rounding) { return nil }
            }
            return rounding
        }
    }

    /// What kernels are told of products; kept, so that a pass allocates nothing.
    struct MatrixArguments: @unchecked Sendable {  // filled and read within one call
        var rounded: [nephele_quantize_rows_args] = []
        var plain: [nephele_matmul_args] = []
        var grouped: [nephele_grouped_matmul_args] = []
        var coded: [nephele_coded_matmul_args] = []
        var parts: [nephele_part] = []

        mutating func removeAll() {
            rounded.removeAll(keepingCapacity: true)
            plain.removeAll(keepingCapacity: true)
            grouped.removeAll(keepingCapacity: true)
            coded.removeAll(keepingCapacity: true)
            parts.removeAll(keepingCapacity: true)
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

    private func multiply(_ x: Tensor, _ products: Products, _ arguments: inout MatrixArguments) {
        for index in 0..<products.count { add(products[index], x, rounded: 0, to: &arguments) }
        runParts(products.count, { products[$0].weight }, &arguments) { panels in
            grain(panels: panels, rows: x.rowCount, x.width)
        }
    }

    /// - Parameter first: which of the rounded rows is the first of x.
    private func add(_ product: Product, _ x: Tensor, rounded first: Int, to arguments: inout MatrixArguments) {
        let (weight, y) = (product.weight, product.y)
        switch weight.format {
        case .plain:
            arguments.plain.append(
                nephele_matmul_args(
                    isa: instructionSet.isa, x: x.f32, panels: weight.panels.raw, bias: product.bias?.f32,
                    residual: product.residual?.f32, y: y.f32, rows: x.rowCount, columns: weight.columns,
                    depth: weight.depth, x_stride: x.width, y_stride: y.width, residual_stride: y.width))
        case .grouped(let format):
            let isWide: Int32 = weight.hasWideInputs ? 1 : 0
            let layout = format.rowLayout(isWide: weight.hasWideInputs, for: instructionSet)
            let order = weight.inputOrder.map(Rounding.pointer)
            guard
                let rows = arguments.rounded.first(where: {
                    $0.group == format.group && $0.is_wide == isWide && $0.layout == layout && $0.order == order
                })
            else { return }
            let groups = format.groups(weight.depth), depth = groups * format.group
            arguments.grouped.append(
                nephele_grouped_matmul_args(
                    isa: instructionSet.isa, x: rows.q + first * depth * layout.width,
                    x_scales: rows.scales + first * groups, x_sums: rows.sums + first * groups,
                    panels: weight.panels.raw, bias: product.bias?.f32, residual: product.residual?.f32, y: y.f32,
                    rows: x.rowCount, columns: weight.columns, depth: depth, group: format.group, y_stride: y.width,
                    residual_stride: y.width, format: format.kernelFormat, is_wide: isWide,
                    x_minimum_factors: rows.minimum_factors + first * groups))
        case .coded(let format):
            arguments.coded.append(
                nephele_coded_matmul_args(
                    isa: instructionSet.isa, x: x.f32, panels: weight.panels.raw, bias: product.bias?.f32,
                    residual: product.residual?.f32, y: y.f32, rows: x.rowCount, columns: weight.columns,
                    depth: weight.depth, group: format.group, x_stride: x.width, y_stride: y.width,
                    residual_stride: y.width, format: format.kernelFormat))
        }
    }

    private func runParts(
        _ count: Int, _ weight: (Int) -> PackedMatrix, _ arguments: inout MatrixArguments, grain: (Int) -> Int
    ) {
        arguments.plain.withUnsafeBufferPointer { plain in
            arguments.grouped.withUnsafeBufferPointer { grouped in
                arguments.coded.withUnsafeBufferPointer { coded in
                    var (nextPlain, nextGrouped, nextCoded) = (
                        plain.baseAddress, grouped.baseAddress, coded.baseAddress
                    )
                    for index in 0..<count {
                        let weight = weight(index)
                        switch weight.format {
                        case .plain:
                            arguments.parts.append(
                                nephele_part(
                                    task: weight.plainKernels.matmul, args: nextPlain, count: weight.panelCount))
                            nextPlain = nextPlain?.successor()
                        case .grouped:
                            arguments.parts.append(
                                nephele_part(task: nephele_grouped_matmul, args: nextGrouped, count: weight.panelCount))
                            nextGrouped = nextGrouped?.successor()
                        case .coded:
                            arguments.parts.append(
                                nephele_part(task: nephele_coded_matmul, args: nextCoded, count: weight.panelCount))
                            nextCoded = nextCoded?.successor()
                        }
                    }
                    arguments.parts.withUnsafeBufferPointer { parts in
                        let panels = parts.reduce(0) { $0 + $1.count }
                        let args = nephele_parts_args(parts: parts.baseAddress, count: parts.count)
                        run(nephele_parts, args, count: panels, grain: grain(panels))
                    }
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

    /// Rows in 8 or 15 bits with a scale a group: what products with weights in groups of that size multiply by.
    fileprivate struct Rounding {
        let group: Int
        /// Groups of all rows.
        let groups: Int
        let isWide: Bool
        let layout: nephele_row_layout
        /// Which input stands at each place; nil where they stand as they are.
        let order: Tensor?

        /// Whether rows that are rounded in one way are rounded in the other.
        func isSame(as other: Rounding) -> Bool {
            group == other.group && isWide == other.isWide && layout == other.layout
                && order.map(Self.pointer) == other.order.map(Self.pointer)
        }

        static func pointer(_ order: Tensor) -> UnsafePointer<Int32> {
            UnsafePointer(order.raw.assumingMemoryBound(to: Int32.self))
        }

        /// Scales, sums and factors of minimums, then values.
        var byteCount: Int { groups * (12 + group * layout.width) }
    }

    private func round(
        _ x: Tensor, _ rounding: Rounding, into memory: UnsafeMutableRawPointer
    ) -> nephele_quantize_rows_args {
        let groups = rounding.groups
        let args = nephele_quantize_rows_args(
            isa: instructionSet.isa, x: x.f32, q: memory + 12 * groups,
            scales: memory.assumingMemoryBound(to: Float.self),
            sums: (memory + 4 * groups).assumingMemoryBound(to: Int32.self), depth: x.width, group: rounding.group,
            x_stride: x.width, is_wide: rounding.isWide ? 1 : 0, order: rounding.order.map(Rounding.pointer),
            minimum_factors: (memory + 8 * groups).assumingMemoryBound(to: Float.self), layout: rounding.layout)
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
                    y_stride: y.width, format: format.kernelFormat, order: table.inputOrder.map(Rounding.pointer))
                run(nephele_gather_grouped, args, count: ids.count, grain: 64)
            case .coded(let format):
                let args = nephele_gather_coded_args(
                    panels: table.panels.raw, ids: ids.baseAddress, y: y.f32, depth: table.depth, group: format.group,
                    y_stride: y.width, format: format.kernelFormat)
                run(nephele_gather_coded, args, count: ids.count, grain: 64)
            }
        }
    }
}
