internal import CKernels

/// How keys and values are held.
package enum CachePrecision: String, Sendable, CaseIterable {
    case f32, bf16
    /// With a scale for each position and head.
    case int8

    /// Bytes of one position of one head.
    func rowBytes(headDim: Int) -> Int {
        switch self {
        case .f32: headDim * 4
        case .bf16: headDim * 2
        case .int8: headDim + 4
        }
    }

    var kernels: (write: nephele_task, attend: nephele_task) {
        switch self {
        case .f32: (nephele_kv_write_f32, nephele_attention_f32)
        case .bf16: (nephele_kv_write_bf16, nephele_attention_bf16)
        case .int8: (nephele_kv_write_int8, nephele_attention_int8)
        }
    }
}

/// Pages of keys and values for every layer of one model: `[pages][layers][2][kvHeads]` blocks of 32 positions.
package struct KVStorage: Sendable {
    package static var pagePositions: Int { Int(NEPHELE_PAGE) }

    package let pageCount: Int
    package let layers: Int
    package let kvHeads: Int
    package let headDim: Int
    package let precision: CachePrecision
    let cache: Tensor

    package init(
        pageCount: Int, layers: Int, kvHeads: Int, headDim: Int, precision: CachePrecision = .f32
    ) throws(TensorError) {
        precondition(headDim <= Int(NEPHELE_MAX_HEAD_DIM), "head width \(headDim) over \(NEPHELE_MAX_HEAD_DIM)")
        (self.pageCount, self.layers, self.kvHeads, self.headDim) = (pageCount, layers, kvHeads, headDim)
        self.precision = precision
        let blockBytes = Int(NEPHELE_PAGE) * precision.rowBytes(headDim: headDim)
        cache = try Tensor(zeros: [pageCount, layers, 2 * kvHeads, blockBytes], dtype: .u8)
    }

    /// Bytes of so many pages.
    package static func size(
        pageCount: Int, layers: Int, kvHeads: Int, headDim: Int, precision: CachePrecision
    ) -> Int {
        pageCount * layers * 2 * kvHeads * pagePositions * precision.rowBytes(headDim: headDim)
    }

    /// The size of all pages, in bytes.
    package var byteCount: Int { cache.count }

    /// Bytes from a layer to the next, and from a page to the next.
    var layerStride: Int { 2 * kvHeads * Int(NEPHELE_PAGE) * precision.rowBytes(headDim: headDim) }
    var pageStride: Int { layers * layerStride }
}
