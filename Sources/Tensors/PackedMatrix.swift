internal import CKernels

/// A weight matrix packed for the matrix product: panels of 16 outputs, `[columns/16][depth][16]`.
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
    ///     Conv1D), of any floating type.
    package init(_ matrix: Tensor, transposed: Bool = false, on device: Device) throws(TensorError) {
        precondition(matrix.shape.count == 2, "a matrix has two dimensions, not \(matrix.shape)")
        let source = try matrix.widened()
        columns = transposed ? matrix.shape[1] : matrix.shape[0]
        depth = transposed ? matrix.shape[0] : matrix.shape[1]
        let panelCount = (columns + Int(NEPHELE_PANEL) - 1) / Int(NEPHELE_PANEL)
        panels = try Tensor(zeros: [panelCount, depth, Int(NEPHELE_PANEL)])
        // `source` may be a local copy: it must outlive the kernel, not only the look at its address.
        withExtendedLifetime(source) {
            let args = nephele_pack_f32_args(
                source: source.f32, columns: columns, depth: depth, column_stride: transposed ? 1 : depth,
                depth_stride: transposed ? columns : 1, panels: panels.f32)
            device.run(nephele_pack_f32, args, count: panelCount)
        }
    }

    /// Bytes that the panels take.
    package var byteCount: Int { panels.count * 4 }
}
