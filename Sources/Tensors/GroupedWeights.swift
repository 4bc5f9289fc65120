internal import CKernels

/// A matrix of whole numbers with a scale, and perhaps a minimum, for every group of inputs (weight = scale · q − minimum),
/// not yet packed.
package struct GroupedWeights: Sendable {
    package let format: GroupedFormat
    /// Outputs, N.
    package let columns: Int
    /// Inputs, K.
    package let depth: Int
    /// i8 `[N, groups · group]`, one whole number to a byte; u8 where there are minimums.
    package let values: Tensor
    /// f32 `[N, groups]`.
    package let scales: Tensor
    /// f32 `[N, groups]`, for a format that has them.
    package let minimums: Tensor?
    /// i32 `[K]`: which input stands at each place, where groups are not of inputs side by side.
    package let inputOrder: Tensor?

    /// - Precondition: the tensors have the shapes that stand beside their names; `inputOrder` names inputs.
    package init(
        _ format: GroupedFormat, depth: Int, values: Tensor, scales: Tensor, minimums: Tensor? = nil,
        inputOrder: Tensor? = nil
    ) {
        let groups = format.groups(depth)
        precondition(
            values.dtype == (format.hasMinimums ? .u8 : .i8) && values.width == groups * format.group
                && scales.width == groups && scales.rowCount == values.rowCount
                && (format.isPlain || format.hasMinimums)
                && minimums?.shape == (format.hasMinimums ? scales.shape : nil)
                && inputOrder.map { $0.dtype == .i32 && $0.count == depth } ?? true,
            "whole numbers \(values.shape) with scales \(scales.shape) for \(depth) inputs in \(format)")
        (self.format, self.depth, columns) = (format, depth, values.rowCount)
        (self.values, self.scales, self.minimums, self.inputOrder) = (values, scales, minimums, inputOrder)
    }

    /// The same outputs in another order: output i is `order[i]` of this one.
    package func reordered(_ order: [Int]) throws(TensorError) -> GroupedWeights {
        GroupedWeights(
            format, depth: depth, values: try values.selectingRows(order), scales: try scales.selectingRows(order),
            minimums: try minimums.map { minimums throws(TensorError) in try minimums.selectingRows(order) },
            inputOrder: inputOrder)
    }

    /// The nearest whole numbers: in 8 bits the largest magnitude of a group becomes 127; in 4 bits the scale is the
    /// least-squares fit among fifteen candidates.
    ///
    /// - Parameter matrix: `[columns, depth]`, or `[depth, columns]` when `transposed`; f32, bf16 or f16.
    /// - Throws: `TensorError.mismatch` for integers.
    package init(
        quantizing matrix: Tensor, transposed: Bool = false, to format: GroupedFormat, on device: Device
    ) throws(TensorError) {
        precondition(format.isPlain, "formats with minimums and K formats come from files only")
        let wide = try matrix.widened()
        let (all, depth) =
            transposed ? (matrix.shape[1], matrix.shape[0]) : (matrix.shape[0], matrix.shape[1])
        let groups = format.groups(depth)
        let values = try Tensor(zeros: [all, groups * format.group], dtype: .i8)
        let scales = try Tensor(zeros: [all, groups])
        withExtendedLifetime(wide) {
            let args = nephele_quantize_weights_args(
                source: wide.f32, q: values.i8, scales: scales.f32, depth: depth, group: format.group,
                column_stride: transposed ? 1 : depth, depth_stride: transposed ? all : 1, bits: Int32(format.bits))
            device.run(nephele_quantize_weights, args, count: all)
        }
        self.init(format, depth: depth, values: values, scales: scales)
    }
}

// MARK: In a checkpoint

extension GroupedWeights {
    /// What a name's scales are called beside it.
    package static let scalesSuffix = ".scales"

    /// As they are stored: 8 bits as I8 `[N, groups · group]`; 4 bits as U8 `[N, groups · group / 2]`, the low half of
    /// a byte before the high one, each 8 above its value.
    package func stored() throws(TensorError) -> Tensor {
        guard format.bits == 4 else { return values }
        let packed = try Tensor(zeros: [columns, values.width / 2], dtype: .u8)
        let source = values.i8, target = packed.raw.assumingMemoryBound(to: UInt8.self)
        for i in 0..<packed.count {
            target[i] = UInt8(bitPattern: source[2 * i] + 8) | UInt8(bitPattern: source[2 * i + 1] + 8) << 4
        }
        return packed
    }

    /// - Throws: `TensorError.mismatch` when the tensors do not fit each other or `columns` and `depth`.
    package init(stored: Tensor, scales: Tensor, columns: Int, depth: Int, name: String) throws(TensorError) {
        let groups = scales.width
        let width = stored.dtype == .u8 ? stored.width * 2 : stored.width
        guard stored.dtype == .i8 || stored.dtype == .u8, scales.dtype == .f32, groups > 0, width % groups == 0,
            stored.shape.count == 2, scales.shape == [columns, groups], stored.rowCount == columns
        else {
            throw TensorError(
                .mismatch,
                "\"\(name)\" is \(stored.dtype.rawValue) \(stored.shape) with scales \(scales.shape), the "
                    + "configuration needs [\(columns), \(depth)] in groups")
        }
        let group = width / groups, bits = stored.dtype == .u8 ? 4 : 8
        guard group == 64 || group == 32, groups == (depth + group - 1) / group else {
            throw TensorError(
                .mismatch, "\"\(name)\" has \(groups) groups of \(group); groups of 32 or 64 hold \(depth) inputs")
        }
        let format = GroupedFormat(bits: bits, group: group)
        guard bits == 4 else {
            self.init(format, depth: depth, values: stored, scales: scales)
            return
        }
        let values = try Tensor(zeros: [columns, width], dtype: .i8)
        let source = stored.raw.assumingMemoryBound(to: UInt8.self), target = values.i8
        for i in 0..<stored.count {
            target[2 * i] = Int8(source[i] & 15) - 8
            target[2 * i + 1] = Int8(source[i] >> 4) - 8
        }
        self.init(format, depth: depth, values: values, scales: scales)
    }
}
