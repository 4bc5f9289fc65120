internal import CKernels

/// A weight matrix packed for the matrix product: panels of 16 outputs, `[columns/16][depth][16]`, in the type of the
/// checkpoint. Products are computed in f32 and do not depend on how the values are stored.
package struct PackedMatrix: Sendable {
    /// Outputs, N.
    package let columns: Int
    /// Inputs, K.
    package let depth: Int
    let panels: Tensor

    var panelCount: Int { (columns + Int(NEPHELE_PANEL) - 1) / Int(NEPHELE_PANEL) }

    /// Packs `matrix`.
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
        case .i64, .i32, .u8:
            throw TensorError(
                .mismatch, "a floating-point matrix is needed, not \(matrix.dtype.rawValue) \(matrix.shape)")
        }
        let all = transposed ? matrix.shape[1] : matrix.shape[0]
        let outputs = outputs ?? 0..<all
        precondition(outputs.upperBound <= all, "outputs \(outputs) of a matrix that has \(all)")
        columns = outputs.count
        depth = transposed ? matrix.shape[0] : matrix.shape[1]
        let (columnStride, depthStride) = transposed ? (1, all) : (depth, 1)
        let panelCount = (columns + Int(NEPHELE_PANEL) - 1) / Int(NEPHELE_PANEL)
        panels = try Tensor(zeros: [panelCount, depth, Int(NEPHELE_PANEL)], dtype: matrix.dtype)
        // `matrix` must outlive the kernel, not only the look at its address.
        withExtendedLifetime(matrix) {
            let args = nephele_pack_args(
                source: matrix.raw + outputs.lowerBound * columnStride * matrix.dtype.size, columns: columns,
                depth: depth, column_stride: columnStride, depth_stride: depthStride, panels: panels.raw)
            device.run(pack, args, count: panelCount)
        }
    }

    /// The kernels for this type of weights.
    var kernels: (matmul: nephele_task, gather: nephele_task) {
        switch panels.dtype {
        case .bf16: (nephele_matmul_bf16, nephele_gather_panels_bf16)
        case .f16: (nephele_matmul_f16, nephele_gather_panels_f16)
        default: (nephele_matmul_f32, nephele_gather_panels_f32)
        }
    }

    /// How the weights are stored.
    package var dtype: DType { panels.dtype }

    /// Weights, padding not counted.
    package var count: Int { columns * depth }

    /// Bytes that the panels take.
    package var byteCount: Int { panels.count * panels.dtype.size }
}
