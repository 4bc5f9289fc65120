package import Tensors

/// What a LoRA adapter (arXiv 2106.09685) adds to a model: for some linear layers two matrices, A and B, and
/// y += s · B (A x), with the scale s folded into B; and what it has in the place of rows of embedding and head.
package struct LowRankAdapter: Sendable {
    /// The SHA-256 of all that it computes with, and so of it: equal ids change a model in the same way, whatever they are
    /// called.
    package let contentID: String
    /// What the packed matrices take, in bytes.
    package let byteCount: Int
    /// By the number of the linear layer; nil for those that stay as they are.
    package let updates: [LowRankUpdate?]
    package let embedding: EmbeddingUpdate?
    package let head: HeadUpdate?
    /// Ends with the last copy of the adapter, of those that have it.
    package var lease: AdapterLease?

    package init(
        contentID: String, byteCount: Int, updates: [LowRankUpdate?], embedding: EmbeddingUpdate? = nil,
        head: HeadUpdate? = nil
    ) {
        (self.contentID, self.byteCount, self.updates) = (contentID, byteCount, updates)
        (self.embedding, self.head) = (embedding, head)
    }

    /// Linear layers of the model that it changes.
    package var updateCount: Int { updates.count { $0 != nil } }
}

/// Tells when nobody has an adapter any more, a request neither.
package final class AdapterLease: Sendable {
    private let end: @Sendable () -> Void

    package init(_ end: @escaping @Sendable () -> Void) { self.end = end }

    deinit { end() }
}

/// What an adapter adds to one linear layer: y += up (down x) + (gain − 1) · W x + bias.
package struct LowRankUpdate: Sendable {
    package let down: PackedMatrix?  // [r, K]
    package let up: PackedMatrix?  // [N, r], scaled
    /// What an output of the layer itself is multiplied by, less one (DoRA, arXiv 2402.09353).
    package let gain: Tensor?  // [N]
    package let bias: Tensor?  // [N]

    package init(down: PackedMatrix?, up: PackedMatrix?, gain: Tensor? = nil, bias: Tensor? = nil) {
        (self.down, self.up, self.gain, self.bias) = (down, up, gain, bias)
    }

    /// `x` is `[m, K]`, `y` `[m, N]`, `weight` the layer's own.
    package func add(to y: Tensor, of x: Tensor, weight: PackedMatrix, on device: Device) throws(TensorError) {
        if let gain {
            let own = try device.makeRows(x.rowCount, width: weight.columns)  // [m, N]
            try device.matmul(x, weight, into: own)
            y.addToRows(gain, times: own)
        }
        if let down, let up {
            let inner = try device.makeRows(x.rowCount, width: down.columns)  // [m, r]
            try device.matmul(x, down, into: inner)
            try device.matmul(inner, up, residual: y, into: y)
        }
        if let bias { y.addToRows(bias) }
    }
}

/// What an adapter does to the embeddings of its rows.
package struct EmbeddingUpdate: Sendable {
    /// In the place of the model's own.
    package var table: PackedMatrix?  // [V, C]
    /// y += up (down of the token).
    package var down: PackedMatrix?  // [V, r]
    package var up: PackedMatrix?  // [C, r], scaled
    /// Tokens with rows of their own.
    package var tokens: [Int32] = []
    package var rows: Tensor?  // [tokens, C]

    package init() {}

    /// - Parameter x: `[m, C]`, the model's own embeddings of `ids`.
    func apply(to x: Tensor, ids: [Int32], on device: Device) throws(TensorError) {
        if let table { device.gather(table, ids: ids, into: x) }
        if let rows {
            for (row, id) in ids.enumerated() {
                if let own = tokens.firstIndex(of: id) { x.rows(row..<row + 1).copy(from: rows.rows(own..<own + 1)) }
            }
        }
        if let down, let up {
            let inner = try device.makeRows(ids.count, width: down.depth)  // [m, r]
            device.gather(down, ids: ids, into: inner)
            try device.matmul(inner, up, residual: x, into: x)
        }
    }
}

/// What an adapter does to the logits of its rows.
package struct HeadUpdate: Sendable {
    /// In the place of the model's own.
    package var table: PackedMatrix?  // [V, C]
    package var update: LowRankUpdate?
    /// Tokens with rows of their own, of a head that is the embedding.
    package var tokens: [Int32] = []
    package var rows: PackedMatrix?  // [tokens, C]

    package init() {}

    /// - Parameters:
    ///   - y: `[m, V]`, the model's own logits of `x` `[m, C]`.
    ///   - head: the model's own, `[V, C]`.
    func apply(to y: Tensor, of x: Tensor, head: PackedMatrix, on device: Device) throws(TensorError) {
        if let table { try device.matmul(x, table, into: y) }
        try update?.add(to: y, of: x, weight: table ?? head, on: device)
        if let rows {
            let own = try device.makeRows(x.rowCount, width: rows.columns)  // [m, tokens]
            try device.matmul(x, rows, into: own)
            y.replaceColumns(tokens.map { Int($0) }, with: own)
        }
    }
}
