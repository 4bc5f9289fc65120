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

/// What one layer keeps of each position.
package struct KVExtents: Sendable, Hashable {
    /// Key-value heads, and the width of each.
    package var heads: Int
    package var headDim: Int
    /// Where there are no values but the first so many elements of each key; nil where values are as wide as keys.
    package var valueDim: Int?

    package init(heads: Int, headDim: Int, valueDim: Int? = nil) {
        (self.heads, self.headDim, self.valueDim) = (heads, headDim, valueDim)
    }

    /// Bytes of a page.
    func byteCount(_ precision: CachePrecision) -> Int {
        (valueDim == nil ? 2 : 1) * heads * Int(NEPHELE_PAGE) * precision.rowBytes(headDim: headDim)
    }
}

/// Pages of keys and values for every layer of one model: `[pages][layers][2][heads]` blocks of 32 positions.
package struct KVStorage: Sendable {
    package static var pagePositions: Int { Int(NEPHELE_PAGE) }

    package let pageCount: Int
    package let layers: [KVExtents]
    package let precision: CachePrecision
    let cache: Tensor
    /// Where each layer begins in a page, in bytes.
    private let offsets: [Int]

    /// - Throws: `TensorError.tooLarge` when it does not fit in memory.
    package init(pageCount: Int, layers: [KVExtents], precision: CachePrecision = .f32) throws(TensorError) {
        precondition(
            layers.allSatisfy { $0.headDim <= Int(NEPHELE_MAX_HEAD_DIM) && ($0.valueDim ?? 0) <= $0.headDim },
            "heads of \(layers.map(\.headDim)) over \(NEPHELE_MAX_HEAD_DIM)")
        (self.pageCount, self.layers, self.precision) = (pageCount, layers, precision)
        var offsets: [Int] = [], bytes = 0
        for layer in layers {
            offsets.append(bytes)
            bytes += layer.byteCount(precision)
        }
        self.offsets = offsets
        cache = try Tensor(zeros: [pageCount, bytes], dtype: .u8)
    }

    /// Bytes of so many pages.
    package static func size(pageCount: Int, layers: [KVExtents], precision: CachePrecision) -> Int {
        pageCount * layers.reduce(0) { $0 + $1.byteCount(precision) }
    }

    /// The size of all pages, in bytes.
    package var byteCount: Int { cache.count }

    func offset(ofLayer layer: Int) -> Int { offsets[layer] }

    /// Bytes from a page to the next.
    var pageStride: Int { cache.width }
}
