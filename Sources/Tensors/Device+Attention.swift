internal import CKernels

/// The rows of one forward pass: the position of each, and the pages of the sequence it belongs to.
package struct AttentionRows: Sendable {
    package private(set) var positions: [Int32] = []
    private var tables: [Int32] = []
    /// Where each row's pages start in `tables`.
    private var starts: [Int] = []

    package init() {}

    package var count: Int { positions.count }

    /// Adds rows for consecutive positions of one sequence.
    package mutating func append(positions range: Range<Int>, pages: [Int32]) {
        precondition(
            range.isEmpty || pages.count * KVStorage.pagePositions >= range.upperBound,
            "\(pages.count) pages do not hold positions \(range)")
        let start = tables.count
        tables.append(contentsOf: pages)
        for position in range {
            positions.append(Int32(position))
            starts.append(start)
        }
    }

    func withRows<R>(_ body: (UnsafePointer<nephele_attention_row>?) -> R) -> R {
        tables.withUnsafeBufferPointer { tables in
            withUnsafeTemporaryAllocation(of: nephele_attention_row.self, capacity: count) { rows in
                for index in rows.indices {
                    rows.initializeElement(
                        at: index,
                        to: nephele_attention_row(
                            pages: tables.baseAddress.map { $0 + starts[index] }, position: positions[index]))
                }
                return body(UnsafePointer(rows.baseAddress))
            }
        }
    }
}

extension Device {
    /// Rotates the heads of x `[rows, heads · headDim]` in place (RoPE, arXiv 2104.09864).
    ///
    /// - Parameter isGradient: whether x is the gradient of rotated heads, which is turned back.
    package func rope(
        _ x: Tensor, heads: Int, positions: [Int32], table: RotaryTable, isGradient: Bool = false
    ) {
        let headDim = x.width / heads
        precondition(
            x.width == heads * headDim && positions.count == x.rowCount && table.rotary <= headDim,
            "RoPE of \(x.shape) with \(heads) heads")
        precondition(
            positions.allSatisfy { $0 >= 0 && Int($0) < table.cosine.rowCount },
            "a position lies beyond the table of \(table.cosine.rowCount)")
        table.fill(upTo: Int(positions.max() ?? -1) + 1)
        positions.withUnsafeBufferPointer { positions in
            let args = nephele_rope_f32_args(
                x: x.f32, positions: positions.baseAddress, cosine: table.cosine.f32, sine: table.sine.f32,
                heads: heads, head_dim: headDim, rotary: table.rotary, x_stride: x.width,
                is_interleaved: table.isInterleaved ? 1 : 0, is_gradient: isGradient ? 1 : 0)
            run(nephele_rope_f32, args, count: x.rowCount, grain: max(1, 8_192 / max(1, x.width)))
        }
    }

    /// Writes `keys` and `values` `[rows, kvHeads · headDim]` to their pages, then attends from each row to
    /// everything up to its own position, reading keys and values back from the cache.
    ///
    /// - Parameters:
    ///   - queries: `[rows, heads · headDim]`.
    ///   - keys: nil for a layer whose keys and values another one has written; `layer` is that one then.
    ///   - values: nil where they are a part of the keys.
    ///   - y: `[rows, heads · headDim]`, or, in that case, as wide as the part is.
    ///   - window: how many of the last positions a row sees; 0 for all.
    ///   - softCap: passes each score s through cap · tanh(s / cap); 0 for none.
    ///   - sinks: `[heads]`, scores of their own that take part in the softmax and have no value; nil for none.
    package func attention(
        queries: Tensor, keys: Tensor?, values: Tensor?, rows: AttentionRows, cache: KVStorage, layer: Int,
        scale: Float, window: Int = 0, softCap: Float = 0, sinks: Tensor? = nil, into y: Tensor
    ) {
        let extents = cache.layers[layer], headDim = extents.headDim
        let heads = queries.width / headDim
        precondition(
            queries.rowCount == rows.count && heads % extents.heads == 0 && queries.width == heads * headDim
                && y.count == rows.count * heads * (extents.valueDim ?? headDim)
                && (keys.map { $0.width == extents.heads * headDim && $0.rowCount == rows.count } ?? true)
                && (values.map { $0.count == keys?.count } ?? (keys == nil || extents.valueDim != nil))
                && (values == nil || extents.valueDim == nil) && (sinks.map { $0.count == heads } ?? true),
            "attention of \(queries.shape) over keys \(keys?.shape ?? []) in layer \(layer)")
        rows.withRows { table in
            let base = cache.cache.raw + cache.offset(ofLayer: layer)
            if let keys {
                let write = nephele_kv_write_args(
                    keys: keys.f32, values: values?.f32, cache: base, rows: table, kv_heads: extents.heads,
                    head_dim: headDim, page_stride: cache.pageStride, key_stride: keys.width,
                    value_stride: values?.width ?? 0)
                run(cache.precision.kernels.write, write, count: rows.count, grain: 16)
            }
            let args = nephele_attention_args(
                isa: instructionSet.isa, queries: queries.f32, cache: base, rows: table, row_count: rows.count,
                y: y.f32,
                heads: heads,
                kv_heads: extents.heads, head_dim: headDim, value_dim: extents.valueDim ?? 0,
                page_stride: cache.pageStride, query_stride: queries.width, y_stride: y.width, window: window,
                sinks: sinks?.f32, scale: scale,
                soft_cap: softCap)
            run(cache.precision.kernels.attend, args, count: rows.count * heads)
        }
    }

    /// Unmasked attention softmax(q kᵀ · scale) v: q `[B·queries, heads · headDim]`, k and v `[B·keys, heads · headDim]`,
    /// y as q. Each of the B pictures or texts attends to itself.
    package func fullAttention(
        q: Tensor, k: Tensor, v: Tensor, batch: Int = 1, heads: Int, scale: Float, into y: Tensor
    ) {
        let headDim = q.width / heads
        let (queries, keys) = (q.rowCount / batch, k.rowCount / batch)
        precondition(
            q.width == heads * headDim && k.width == q.width && v.width == q.width && k.rowCount == v.rowCount
                && k.rowCount > 0 && y.count == q.count && headDim <= Int(NEPHELE_MAX_HEAD_DIM)
                && queries * batch == q.rowCount && keys * batch == k.rowCount,
            "attention of \(q.shape) over \(k.shape), \(v.shape) in \(batch) parts with \(heads) heads")
        for part in 0..<batch {
            let (query, key) = (part * queries * q.width, part * keys * q.width)
            let args = nephele_full_attention_f32_args(
                isa: instructionSet.isa, q: q.f32 + query, k: k.f32 + key, v: v.f32 + key, y: y.f32 + query,
                keys: keys, heads: heads, head_dim: headDim, q_stride: q.width, k_stride: k.width,
                v_stride: v.width, y_stride: y.width, scale: scale)
            run(nephele_full_attention_f32, args, count: queries * heads)
        }
    }
}
