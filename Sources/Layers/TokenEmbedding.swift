package import Tensors

/// Where tokens enter a decoder and where they leave it: the embedding and the head, which may be one matrix.
package struct TokenEmbedding: Sendable {
    package let embedding: PackedMatrix  // [V, C]
    package let head: PackedMatrix?  // [V, C]
    /// Whether the embedding is the head.
    package let isTied: Bool
    /// Each once.
    package let matrices: [PackedMatrix]

    /// Whether tokens can leave: a checkpoint of the base class has no head, and gives embeddings only.
    package var hasHead: Bool { head != nil }

    /// - Parameters:
    ///   - inner: finds the embedding, `outer` the head.
    ///   - tokens: V.
    ///   - width: C.
    ///   - tied: whether the embedding is the head where the file has none of its own.
    /// - Throws: `TensorError` that names the tensor at fault.
    package init(
        _ inner: WeightLoader, outer: WeightLoader, embedding name: String, tokens: Int, width: Int,
        tied: Bool
    ) throws(TensorError) {
        embedding = try inner.vocabulary(name, tokens: tokens, width: width)
        let own = try outer.ownHead(embedding: inner.fileName(name), tied: tied)
        if let own {
            let head = try outer.vocabulary(own, tokens: tokens, width: width)
            (self.head, matrices, isTied) = (head, [embedding, head], false)
        } else {
            (head, matrices, isTied) = (tied ? embedding : nil, [embedding], tied)
        }
    }

    /// The embeddings of `ids`: `[R, C]`.
    package func callAsFunction(
        _ ids: [Int32], _ adapters: AdapterRows = AdapterRows(), on device: Device
    ) throws(TensorError) -> Tensor {
        let x = try device.makeRows(ids.count, width: embedding.depth)  // [R, C]
        device.gather(embedding, ids: ids, into: x)
        try adapters.embed(ids, into: x, on: device)
        return x
    }

    /// The logits of hidden rows: `[R, C]` → `[R, V]`.
    package func logits(
        _ hidden: Tensor, _ adapters: AdapterRows = AdapterRows(), on device: Device
    ) throws(TensorError) -> Tensor {
        guard let head else { preconditionFailure("a checkpoint without a head gives no logits") }
        let y = try device.makeRows(hidden.rowCount, width: head.columns)  // [R, V]
        try device.matmul(hidden, head, into: y)
        try adapters.head(head, of: hidden, into: y, on: device)
        return y
    }
}
