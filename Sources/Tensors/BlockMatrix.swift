internal import CKernels
import GGUF

/// A matrix in a GGUF file's blocks, row by row.
package struct BlockMatrix: Sendable {
    /// The types of blocks; ggml's names.
    package enum Format: Sendable, CaseIterable {
        case q8_0, q4_0, q4_K, q5_K, q6_K, q5_0, iq4_NL, q4_1, q5_1, q2_K, q3_K, iq4_XS, mxfp4

        init?(_ type: GGUFTensorType) {
            switch type {
            case .q8_0: self = .q8_0
            case .q4_0: self = .q4_0
            case .q4_K: self = .q4_K
            case .q5_K: self = .q5_K
            case .q6_K: self = .q6_K
            case .q5_0: self = .q5_0
            case .iq4_NL: self = .iq4_NL
            case .q4_1: self = .q4_1
            case .q5_1: self = .q5_1
            case .q2_K: self = .q2_K
            case .q3_K: self = .q3_K
            case .iq4_XS: self = .iq4_XS
            case .mxfp4: self = .mxfp4
            case .f32, .f16, .bf16, .other: return nil
            }
        }

        var kernelType: nephele_block_type {
            switch self {
            case .q8_0: NEPHELE_BLOCK_Q8_0
            case .q4_0: NEPHELE_BLOCK_Q4_0
            case .q4_K: NEPHELE_BLOCK_Q4_K
            case .q5_K: NEPHELE_BLOCK_Q5_K
            case .q6_K: NEPHELE_BLOCK_Q6_K
            case .q5_0: NEPHELE_BLOCK_Q5_0
            case .iq4_NL: NEPHELE_BLOCK_IQ4_NL
            case .q4_1: NEPHELE_BLOCK_Q4_1
            case .q5_1: NEPHELE_BLOCK_Q5_1
            case .q2_K: NEPHELE_BLOCK_Q2_K
            case .q3_K: NEPHELE_BLOCK_Q3_K
            case .iq4_XS: NEPHELE_BLOCK_IQ4_XS
            case .mxfp4: NEPHELE_BLOCK_MXFP4
            }
        }

        /// What a panel holds them as.
        var grouped: GroupedFormat {
            switch self {
            case .q8_0, .q5_0, .iq4_NL, .iq4_XS, .mxfp4: GroupedFormat(bits: 8, group: 32)
            case .q4_1: .q4_1
            case .q5_1: .q5_1
            case .q2_K: .q2_K
            case .q3_K: .q3_K
            case .q4_0: GroupedFormat(bits: 4, group: 32)
            case .q4_K: .q4_K
            case .q5_K: .q5_K
            case .q6_K: .q6_K
            }
        }
    }

    package let format: Format
    /// Inputs, K: whole blocks.
    package let depth: Int
    /// u8 `[N, bytes of a row]`.
    package let rows: Tensor

    /// - Parameter rows: u8 `[N, bytes of a row]`, whole blocks of that format.
    package init(format: Format, depth: Int, rows: Tensor) {
        (self.format, self.depth, self.rows) = (format, depth, rows)
    }

    /// The same rows in another order: row i is `order[i]` of this one.
    package func reordered(_ order: [Int]) throws(TensorError) -> BlockMatrix {
        BlockMatrix(format: format, depth: depth, rows: try rows.selectingRows(order))
    }
}

extension PackedMatrix {
    /// Repacks blocks; nothing is rounded.
    ///
    /// - Parameter outputs: those that are taken; all by default.
    package init(_ matrix: BlockMatrix, outputs: Range<Int>? = nil, on device: Device) throws(TensorError) {
        let outputs = outputs ?? 0..<matrix.rows.shape[0]
        precondition(outputs.upperBound <= matrix.rows.shape[0], "outputs \(outputs) of \(matrix.rows.shape)")
        try self.init(matrix.format.grouped, columns: outputs.count, depth: matrix.depth)
        let source = matrix.rows.rows(outputs)
        withExtendedLifetime(source) {
            let args = nephele_pack_blocks_args(
                source: UnsafePointer(source.raw.assumingMemoryBound(to: UInt8.self)), panels: panels.raw,
                columns: columns, depth: depth, type: matrix.format.kernelType)
            device.run(nephele_pack_blocks, args, count: panelCount)
        }
    }
}
