internal import CKernels

/// Texts whose rows stand one after the other, without padding.
package struct PackedRows: Sendable {
    /// The rows of each text.
    package private(set) var texts: [Range<Int>] = []
    private(set) var tiles: [nephele_text_tile] = []
    private(set) var keyGroups: [nephele_key_group] = []

    package init() {}

    /// Rows of all texts.
    package var count: Int { texts.last?.upperBound ?? 0 }

    /// Adds a text of so many rows, one at least.
    package mutating func append(rows length: Int) {
        precondition(length > 0, "a text of \(length) rows")
        let text = count, group = keyGroups.count, tile = Int(NEPHELE_QUERY_TILE)
        texts.append(text..<text + length)
        for row in stride(from: 0, to: length, by: tile) {
            tiles.append(
                nephele_text_tile(text: text, length: length, group: group, row: row, rows: min(tile, length - row)))
        }
        for row in stride(from: 0, to: length, by: 16) {
            keyGroups.append(nephele_key_group(row: text + row, rows: min(16, length - row)))
        }
    }
}

/// What is added to scores by head and distance: `[heads, 2 · reach − 1]`, for keys from `reach − 1` before a query to as
/// many behind it.
package struct DistanceBias: Sendable {
    let table: Tensor
    let reach: Int

    /// - Parameter value: for a head and the distance from query to key.
    package init(heads: Int, reach: Int, _ value: (_ head: Int, _ distance: Int) -> Float) throws(TensorError) {
        precondition(heads > 0 && reach > 0, "a bias for \(heads) heads and \(reach) positions")
        let distances = 1 - reach...reach - 1
        let values = (0..<heads).flatMap { head in distances.map { value(head, $0) } }
        (table, self.reach) = (try Tensor(values, shape: [heads, distances.count]), reach)
    }
}

extension Device {
    /// Attention of each row to all rows of its own text: q, k, v and y are `[rows, heads · headDim]`.
    ///
    /// - Parameters:
    ///   - window: how far from a row the rows are that it sees, at most, before it and behind it; 0 for all.
    ///   - bias: is added to the scaled scores.
    /// - Throws: `TensorError.tooLarge` when memory cannot be had.
    package func packedAttention(
        q: Tensor, k: Tensor, v: Tensor, rows: PackedRows, heads: Int, scale: Float, window: Int = 0,
        bias: DistanceBias? = nil, into y: Tensor
    ) throws(TensorError) {
        let headDim = q.width / heads, groups = rows.keyGroups.count
        precondition(
            q.width == heads * headDim && headDim <= Int(NEPHELE_MAX_HEAD_DIM) && k.width == q.width
                && v.width == q.width && y.width == q.width && q.rowCount == rows.count && k.rowCount == rows.count
                && v.rowCount == rows.count && y.rowCount == rows.count && window >= 0,
            "attention of \(q.shape) over \(k.shape), \(v.shape) in \(rows.count) rows with \(heads) heads")
        let longest = rows.texts.map(\.count).max() ?? 0
        precondition(
            bias.map { $0.reach >= longest && $0.table.rowCount == heads } ?? true,
            "a bias for \(bias?.reach ?? 0) positions and a text of \(longest)")
        let keys = try makeRows(groups * 16, width: k.width)  // [heads, groups, headDim, 16]
        rows.keyGroups.withUnsafeBufferPointer { keyGroups in
            let args = nephele_pack_keys_f32_args(
                k: k.f32, key_groups: keyGroups.baseAddress, keys: keys.f32, groups: groups, heads: heads,
                head_dim: headDim, k_stride: k.width)
            run(nephele_pack_keys_f32, args, count: groups, grain: max(1, 512 / max(1, k.width)))
        }
        rows.tiles.withUnsafeBufferPointer { tiles in
            let args = nephele_packed_attention_f32_args(
                isa: instructionSet.isa, q: q.f32, keys: keys.f32, v: v.f32, bias: bias?.table.f32, y: y.f32,
                tiles: tiles.baseAddress, tile_count: tiles.count, groups: groups, heads: heads, head_dim: headDim,
                q_stride: q.width, v_stride: v.width, y_stride: y.width, window: window,
                bias_reach: bias?.reach ?? 0, scale: scale)
            run(nephele_packed_attention_f32, args, count: tiles.count * heads)
        }
    }
}
