internal import CKernels

/// A weight matrix packed for the matrix product, in panels of 16 outputs: `[columns/16][depth][16]` in the type of the
/// checkpoint, or blocks of whole numbers in groups (`nephele_kernels.h`).
package struct PackedMatrix: Sendable {
    package enum Format: Sendable, Hashable {
        /// Products are computed in f32 and do not depend on which of these types stores the values.
        case plain(DType)
        case grouped(GroupedFormat)
        case coded(CodedFormat)
    }

    /// How the weights are stored.
    package let format: Format
    /// Outputs, N.
    package let columns: Int
    /// Inputs, K.
    package let depth: Int
    let panels: Tensor
    /// i32 `[K]`: which input stands at each place of groups; nil where they stand as they are.
    var inputOrder: Tensor?
    /// Whether rows that weights in groups multiply are rounded to 15 bits; to 8 otherwise.
    package var hasWideInputs = false

    var panelCount: Int { Self.panelCount(columns) }

    private static func panelCount(_ columns: Int) -> Int { (columns + Int(NEPHELE_PANEL) - 1) / Int(NEPHELE_PANEL) }

    /// Bytes that a packed matrix of f32 takes.
    package static func plainByteCount(columns: Int, depth: Int) -> Int {
        panelCount(columns) * depth * Int(NEPHELE_PANEL) * DType.f32.size
    }

    /// Packs `matrix` as it is.
    ///
    /// - Parameters:
    ///   - matrix: `[columns, depth]` (a linear layer's weight), or `[depth, columns]` when `transposed` (GPT-2's
    ///     Conv1D), f32, bf16 or f16.
    ///   - outputs: those of its outputs that are taken; all by default.
    /// - Throws: `TensorError.mismatch` for integers.
    package init(
        _ matrix: Tensor, transposed: Bool = false, outputs: Range<Int>? = nil, on device: Device
    ) throws(TensorError) {
        precondition(matrix.shape.count == 2, "a matrix has two dimensions, not \(matrix.shape)")
        let pack: nephele_task
        switch matrix.dtype {
        case .f32: pack = nephele_pack_32
        case .bf16, .f16: pack = nephele_pack_16
        case .i64, .i32, .i8, .u8, .f8e4m3:
            throw TensorError(
                .mismatch, "a floating-point matrix is needed, not \(matrix.dtype.rawValue) \(matrix.shape)")
        }
        format = .plain(matrix.dtype)
        let all = transposed ? matrix.shape[1] : matrix.shape[0]
        let outputs = outputs ?? 0..<all
        precondition(outputs.upperBound <= all, "outputs \(outputs) of a matrix that has \(all)")
        columns = outputs.count
        depth = transposed ? matrix.shape[0] : matrix.shape[1]
        let (columnStride, depthStride) = transposed ? (1, all) : (depth, 1)
        panels = try Tensor(zeros: [Self.panelCount(columns), depth, Int(NEPHELE_PANEL)], dtype: matrix.dtype)
        // `matrix` must outlive the kernel, not only the look at its address.
        withExtendedLifetime(matrix) {
            let args = nephele_pack_args(
                source: matrix.raw + outputs.lowerBound * columnStride * matrix.dtype.size, columns: columns,
                depth: depth, column_stride: columnStride, depth_stride: depthStride, panels: panels.raw)
            device.run(pack, args, count: panelCount)
        }
    }

    /// Packs weights in groups.
    ///
    /// - Parameter outputs: those that are taken; all by default.
    package init(_ weights: GroupedWeights, outputs: Range<Int>? = nil, on device: Device) throws(TensorError) {
        let outputs = outputs ?? 0..<weights.columns
        precondition(outputs.upperBound <= weights.columns, "outputs \(outputs) of \(weights.columns)")
        try self.init(weights.format, columns: outputs.count, depth: weights.depth)
        inputOrder = weights.inputOrder
        let (values, scales) = (weights.values.rows(outputs), weights.scales.rows(outputs))
        let minimums = weights.minimums?.rows(outputs)
        withExtendedLifetime((values, scales, minimums)) {
            let args = nephele_pack_grouped_args(
                q: UnsafePointer(values.raw.assumingMemoryBound(to: Int8.self)), scales: scales.f32,
                minimums: minimums?.f32, panels: panels.raw, columns: columns,
                groups: weights.format.groups(depth), group: weights.format.group, format: weights.format.kernelFormat)
            device.run(nephele_pack_grouped, args, count: panelCount)
        }
    }

    /// Panels of zeros, to be filled.
    init(_ format: GroupedFormat, columns: Int, depth: Int) throws(TensorError) {
        self.format = .grouped(format)
        (self.columns, self.depth) = (columns, depth)
        panels = try Tensor(zeros: [Self.panelCount(columns), format.panelBytes(depth)], dtype: .u8)
    }

    /// Room for `columns` outputs in the format and depth of `other`.
    package init(zerosLike other: PackedMatrix, columns: Int) throws(TensorError) {
        (format, depth, inputOrder) = (other.format, other.depth, other.inputOrder)
        self.columns = columns
        panels = try Tensor(
            zeros: [Self.panelCount(columns)] + other.panels.shape.dropFirst(), dtype: other.panels.dtype)
    }

    /// Copies the outputs of `part` to `first` and those after it, while this matrix is being made.
    ///
    /// - Precondition: `first` is a multiple of 16.
    package func copy(_ part: PackedMatrix, at first: Int) {
        let panel = first / Int(NEPHELE_PANEL)
        precondition(
            first % Int(NEPHELE_PANEL) == 0 && part.format == format && part.depth == depth
                && panel + part.panelCount <= panelCount, "\(part.columns) outputs at \(first) of \(columns)")
        panels.rows(panel..<panel + part.panelCount).copy(from: part.panels)
    }

    /// Packs codes.
    ///
    /// - Parameter outputs: those that are taken; all by default.
    package init(_ weights: CodedWeights, outputs: Range<Int>? = nil, on device: Device) throws(TensorError) {
        let outputs = outputs ?? 0..<weights.columns
        precondition(outputs.upperBound <= weights.columns, "outputs \(outputs) of \(weights.columns)")
        (format, columns, depth) = (.coded(weights.format), outputs.count, weights.depth)
        panels = try Tensor(
            zeros: [Self.panelCount(columns), weights.format.panelBytes(depth)], dtype: .u8)
        let (codes, scales) = (weights.codes.rows(outputs), weights.scales.rows(outputs))
        withExtendedLifetime((codes, scales)) {
            weights.table.withUnsafeBufferPointer { table in
                let args = nephele_pack_coded_args(
                    codes: UnsafePointer(codes.raw.assumingMemoryBound(to: UInt8.self)), scales: scales.f32,
                    table: table.baseAddress, panels: panels.raw, columns: columns, depth: depth,
                    group: weights.format.group, format: weights.format.kernelFormat)
                device.run(nephele_pack_coded, args, count: panelCount)
            }
        }
    }

    /// Panels that are there already.
    init(_ format: Format, columns: Int, depth: Int, inputOrder: Tensor? = nil, storage: Storage) {
        (self.format, self.columns, self.depth, self.inputOrder) = (format, columns, depth, inputOrder)
        let panels = Self.panelCount(columns)
        switch format {
        case .plain(let dtype):
            self.panels = Tensor(dtype: dtype, shape: [panels, depth, Int(NEPHELE_PANEL)], storage: storage)
        case .grouped(let format):
            self.panels = Tensor(dtype: .u8, shape: [panels, format.panelBytes(depth)], storage: storage)
        case .coded(let format):
            self.panels = Tensor(dtype: .u8, shape: [panels, format.panelBytes(depth)], storage: storage)
        }
    }

    /// Bytes that the panels of such a matrix take.
    static func panelBytes(_ format: Format, columns: Int, depth: Int) -> Int {
        switch format {
        case .plain(let dtype): panelCount(columns) * depth * Int(NEPHELE_PANEL) * dtype.size
        case .grouped(let format): panelCount(columns) * format.panelBytes(depth)
        case .coded(let format): panelCount(columns) * format.panelBytes(depth)
        }
    }

    /// The kernels for a plain type of weights.
    var plainKernels: (matmul: nephele_task, gather: nephele_task) {
        switch panels.dtype {
        case .bf16: (nephele_matmul_bf16, nephele_gather_panels_bf16)
        case .f16: (nephele_matmul_f16, nephele_gather_panels_f16)
        default: (nephele_matmul_f32, nephele_gather_panels_f32)
        }
    }

    /// Weights, padding not counted.
    package var count: Int { columns * depth }

    /// Bytes that the panels take.
    package var byteCount: Int { panels.count * panels.dtype.size }
}

extension PackedMatrix.Format: CustomStringConvertible {
    package var description: String {
        switch self {
        case .plain(let dtype): dtype.rawValue.lowercased()
        case .grouped(let format): format.description
        case .coded(let format): format.description
        }
    }
}
