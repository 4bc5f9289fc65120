import Tensors

/// Where tokens enter a decoder and where they leave it: the embedding and the head, which may be one matrix.
struct TokenEmbedding: Sendable {
    private let embedding: PackedMatrix  // [V, C]
    private let head: PackedMatrix  // [V, C]
    /// Each once.
    let matrices: [PackedMatrix]

    /// - Parameter head: nil where the embedding is the head too.
    init(_ embedding: PackedMatrix, head: PackedMatrix?) {
        self.embedding = embedding
        self.head = head ?? embedding
        matrices = [embedding] + (head.map { [$0] } ?? [])
    }

    /// By the names that Llama gave them. A file of tied embeddings may leave the head out, or hold it a second time.
    init(_ loader: WeightLoader, _ shape: DecoderShape, tied: Bool) throws(TensorError) {
        func matrix(_ name: String) throws(TensorError) -> PackedMatrix {
            try loader.vocabulary(name, tokens: shape.vocabulary, width: shape.hidden)
        }
        self.init(try matrix("model.embed_tokens.weight"), head: tied ? nil : try matrix("lm_head.weight"))
    }

    /// The embeddings of `ids`: `[R, C]`.
    func callAsFunction(_ ids: [Int32], on device: Device) throws(TensorError) -> Tensor {
        let x = try device.makeRows(ids.count, width: embedding.depth)  // [R, C]
        device.gather(embedding, ids: ids, into: x)
        return x
    }

    /// The logits of hidden rows: `[R, C]` → `[R, V]`.
    func logits(_ hidden: Tensor, on device: Device) throws(TensorError) -> Tensor {
        let y = try device.makeRows(hidden.rowCount, width: head.columns)  // [R, V]
        try device.matmul(hidden, head, into: y)
        return y
    }
}
