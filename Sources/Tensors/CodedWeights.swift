internal import CKernels

/// Codes of floats with a scale for every `group` inputs: weight = scale · value of the code. Rows that they multiply are
/// not rounded.
package struct CodedFormat: Sendable, Hashable {
    package enum Codes: String, Sendable, Hashable {
        /// FP8 with 4 bits of exponent and 3 of mantissa (OCP 8-bit floating point).
        case e4m3 = "fp8"
        /// Four bits, each an index into a table of sixteen floats (NF4 and FP4, arXiv 2305.14314).
        case table = "4-bit floats"
    }

    package let codes: Codes
    /// Inputs that share a scale.
    package let group: Int

    /// - Precondition: `group` is positive, and even for codes of four bits.
    package init(_ codes: Codes, group: Int) {
        precondition(group > 0 && (codes == .e4m3 || group % 2 == 0), "groups of \(group) codes in \(codes.rawValue)")
        (self.codes, self.group) = (codes, group)
    }

    /// Groups that hold `depth` inputs; the last one may be short.
    package func groups(_ depth: Int) -> Int { (depth + group - 1) / group }

    var kernelFormat: nephele_coded_format { codes == .e4m3 ? NEPHELE_CODED_E4M3 : NEPHELE_CODED_TABLE }

    /// The size of a panel of 16 outputs, in bytes.
    func panelBytes(_ depth: Int) -> Int { nephele_coded_panel_bytes(kernelFormat, depth, group) }
}

extension CodedFormat: CustomStringConvertible {
    package var description: String { codes.rawValue }
}

/// A matrix of such codes, not yet packed.
package struct CodedWeights: Sendable {
    package let format: CodedFormat
    /// One code to a byte, `[N, K]`.
    package let codes: Tensor
    /// f32 `[N, groups]`.
    package let scales: Tensor
    /// What codes of four bits stand for, `[16]`; empty for others.
    package let table: [Float]

    /// Outputs, N.
    package var columns: Int { codes.shape[0] }
    /// Inputs, K.
    package var depth: Int { codes.shape[1] }

    /// - Precondition: the tensors have the shapes that stand beside their names.
    package init(_ format: CodedFormat, codes: Tensor, scales: Tensor, table: [Float] = []) {
        precondition(
            codes.shape.count == 2 && codes.dtype.size == 1
                && scales.shape == [codes.shape[0], format.groups(codes.shape[1])]
                && table.count == (format.codes == .table ? 16 : 0),
            "codes \(codes.shape) with scales \(scales.shape) in \(format)")
        (self.format, self.codes, self.scales, self.table) = (format, codes, scales, table)
    }

    /// The same outputs in another order: output i is `order[i]` of this one.
    package func reordered(_ order: [Int]) throws(TensorError) -> CodedWeights {
        CodedWeights(
            format, codes: try codes.selectingRows(order), scales: try scales.selectingRows(order), table: table)
    }
}
