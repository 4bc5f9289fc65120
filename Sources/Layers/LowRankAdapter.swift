package import Tensors

/// A low-rank adapter of one model (LoRA, arXiv 2106.09685): y += s · B (A x) in some of its linear layers. The scale s
/// is folded into B when it is loaded.
package struct LowRankAdapter: Sendable {
    /// SHA-256 of what it adds: adapters with equal ids change a model in the same way, whatever they are called.
    package let contentID: String
    /// What the packed matrices take, in bytes.
    package let byteCount: Int
    /// By the number of the linear layer; nil for those that stay as they are.
    package let updates: [LowRankUpdate?]

    package init(contentID: String, byteCount: Int, updates: [LowRankUpdate?]) {
        (self.contentID, self.byteCount, self.updates) = (contentID, byteCount, updates)
    }

    /// Linear layers of the model that it changes.
    package var updateCount: Int { updates.count { $0 != nil } }
}

/// What an adapter adds to one linear layer: y += up (down x).
package struct LowRankUpdate: Sendable {
    package let down: PackedMatrix  // [r, K]
    package let up: PackedMatrix  // [N, r], scaled

    package init(down: PackedMatrix, up: PackedMatrix) { (self.down, self.up) = (down, up) }

    /// `x` is `[m, K]`, `y` `[m, N]`.
    package func add(to y: Tensor, of x: Tensor, on device: Device) throws(TensorError) {
        let inner = try device.makeRows(x.rowCount, width: down.columns)  // [m, r]
        try device.matmul(x, down, into: inner)
        try device.matmul(inner, up, residual: y, into: y)
    }
}
