package import Tensors

/// Attention whose keys and values are made of one short row a position (multi-head latent attention, arXiv 2405.04434,
/// section 2.1): the cache holds that latent row and a rotated key which all heads share.
///
/// What makes keys and values of the latent row stands in the queries' and the outputs' way instead, so that heads
/// attend to latent rows themselves: q kᵀ = (q K) cᵀ, and p v = (p c) Vᵀ.
package struct LatentAttention: Sendable {
    package struct Configuration: Sendable {
        /// C and H.
        package var hidden: Int
        package var heads: Int
        /// Elements of a head's queries and keys without and with a rotation, and of its values.
        package var plainDim: Int
        package var rotaryDim: Int
        package var valueDim: Int
        /// The width of the latent row; that of the queries' own, or nil where queries are projected at once.
        package var rank: Int
        package var queryRank: Int?
        /// Whether the projections to latent rows, and the one back, have biases.
        package var bias = false
        /// What scores are multiplied by.
        package var scale: Float

        package init(
            hidden: Int, heads: Int, plainDim: Int, rotaryDim: Int, valueDim: Int, rank: Int, queryRank: Int?,
            scale: Float
        ) {
            (self.hidden, self.heads, self.plainDim, self.rotaryDim) = (hidden, heads, plainDim, rotaryDim)
            (self.valueDim, self.rank, self.queryRank, self.scale) = (valueDim, rank, queryRank, scale)
        }

        package var extents: KVExtents { KVExtents(heads: 1, headDim: rank + rotaryDim, valueDim: rank) }
    }

    private let queryLatent: Linear?  // [queryRank, C]
    private let queryNorm: RMSNorm?  // [queryRank]
    private let query: Linear  // [H·(plain + rotary), C or queryRank]
    private let latent: Linear  // [rank, C]
    private let latentNorm: RMSNorm  // [rank]
    private let rotaryKey: Linear  // [rotary, C]
    private let keys: [PackedMatrix]  // of each head, [rank, plain]
    private let values: [PackedMatrix]  // of each head, [value, rank]
    private let output: Linear  // [C, H·value]
    private let layer: Int
    private let configuration: Configuration
    private let rotation: PagedAttention.Rotation

    /// The ε of both norms, whatever that of the others.
    private static let epsilon: Float = 1e-6

    /// - Parameters:
    ///   - cacheLayer: the layer's number in the cache.
    ///   - name: what stands before the names of its matrices, with the dot.
    /// - Throws: `TensorError` that names the tensor at fault.
    package init(
        _ loader: WeightLoader, cacheLayer: Int, _ name: String, _ configuration: Configuration,
        rotation: PagedAttention.Rotation
    ) throws(TensorError) {
        let (c, h, rank) = (configuration.hidden, configuration.heads, configuration.rank)
        let (plain, rotary, value) = (configuration.plainDim, configuration.rotaryDim, configuration.valueDim)
        if let own = configuration.queryRank {
            queryLatent = try loader.linear(name + "q_a_proj", outputs: own, inputs: c, bias: configuration.bias)
            queryNorm = try RMSNorm(loader, name + "q_a_layernorm", count: own, epsilon: Self.epsilon)
            query = try loader.linear(name + "q_b_proj", outputs: h * (plain + rotary), inputs: own, bias: false)
        } else {
            (queryLatent, queryNorm) = (nil, nil)
            query = try loader.linear(name + "q_proj", outputs: h * (plain + rotary), inputs: c, bias: false)
        }
        let joint = try loader.linears(
            name + "kv_a_proj_with_mqa", parts: [rank, rotary], inputs: c, bias: configuration.bias)
        (latent, rotaryKey) = (joint[0], joint[1])
        latentNorm = try RMSNorm(loader, name + "kv_a_layernorm", count: rank, epsilon: Self.epsilon)
        (keys, values) = try Self.heads(loader, name, configuration)
        output = try loader.linear(name + "o_proj", outputs: c, inputs: h * value, bias: configuration.bias)
        layer = cacheLayer
        self.configuration = configuration
        self.rotation = rotation
    }

    /// What makes keys and values of latent rows, head by head. Hugging Face's files hold both in one matrix, llama.cpp's
    /// in two, that of the keys turned.
    private static func heads(
        _ loader: WeightLoader, _ name: String, _ configuration: Configuration
    ) throws(TensorError) -> ([PackedMatrix], [PackedMatrix]) {
        let (h, rank) = (configuration.heads, configuration.rank)
        let (plain, value) = (configuration.plainDim, configuration.valueDim)
        var keys: [PackedMatrix] = [], values: [PackedMatrix] = []
        if loader.checkpoint.layout == .gguf {
            for head in 0..<h {
                let part = MatrixSource.Expert(index: head, count: h)
                keys.append(
                    try MatrixSource(loader, name + "k_b_proj.weight", outputs: rank, inputs: plain, expert: part)
                        .packed())
                values.append(
                    try MatrixSource(loader, name + "v_b_proj.weight", outputs: value, inputs: rank, expert: part)
                        .packed())
            }
            return (keys, values)
        }
        let joint = MatrixSource(loader, name + "kv_b_proj.weight", outputs: h * (plain + value), inputs: rank)
        for head in 0..<h {
            let first = head * (plain + value)
            keys.append(try joint.packedTransposed(first..<first + plain))
            values.append(try joint.packed(first + plain..<first + plain + value))
        }
        return (keys, values)
    }

    package var matrices: [PackedMatrix] {
        [queryLatent, query, latent, rotaryKey, output].compactMap { $0?.weight } + keys + values
    }

    package var extents: KVExtents { configuration.extents }

    /// y = attention(h) (+ residual), all `[R, C]`; `residual` may be `y`. Writes latent rows to `cache`.
    package func callAsFunction(
        _ h: Tensor, _ rows: AttentionRows, _ adapters: AdapterRows, cache: KVStorage, residual: Tensor? = nil,
        into y: Tensor, on device: Device
    ) throws(TensorError) {
        let (heads, rank, rotary) = (configuration.heads, configuration.rank, configuration.rotaryDim)
        let r = h.rowCount
        let (q, k) = (try queries(h, adapters, rows, on: device), try device.makeRows(r, width: rank + rotary))
        let (c, turned) = try Linear.together(latent, rotaryKey, h, adapters, on: device)  // [R, rank], [R, rotary]
        latentNorm(c, into: c, on: device)
        device.rope(turned, heads: 1, positions: rows.positions, table: rotation.keys)
        device.join(c, turned, into: k)
        let attended = try device.makeRows(r, width: heads * rank)  // [R, H·rank]
        device.attention(
            queries: q, keys: k, values: nil, rows: rows, cache: cache, layer: layer, scale: configuration.scale,
            into: attended)
        let out = try byHead(attended.reshaped([r * heads, rank]), values, on: device)  // [R·H, value]
        try output(
            out.reshaped([r, heads * configuration.valueDim]), adapters, residual: residual, into: y, on: device)
    }

    /// Queries of latent rows and rotated keys, `[R, H·(rank + rotary)]`.
    private func queries(
        _ h: Tensor, _ adapters: AdapterRows, _ rows: AttentionRows, on device: Device
    ) throws(TensorError) -> Tensor {
        let (heads, rank, rotary) = (configuration.heads, configuration.rank, configuration.rotaryDim)
        var input = h
        if let queryLatent, let queryNorm {
            input = try queryLatent(h, adapters, on: device)
            queryNorm(input, into: input, on: device)
        }
        let all = try query(input, adapters, on: device)  // [R, H·(plain + rotary)]
        let count = h.rowCount * heads
        let plain = try device.makeRows(count, width: configuration.plainDim)
        let turned = try device.makeRows(count, width: rotary)
        device.split(all.reshaped([count, all.width / heads]), into: plain, turned)
        device.rope(
            turned.reshaped([h.rowCount, heads * rotary]), heads: heads, positions: rows.positions,
            table: rotation.queries)
        let latent = try byHead(plain, keys, on: device)  // [R·H, rank]
        let q = try device.makeRows(count, width: rank + rotary)
        device.join(latent, turned, into: q)
        return q.reshaped([h.rowCount, heads * (rank + rotary)])
    }

    /// The product of each row's heads with the heads' own matrices: `[R·H, K]` → `[R·H, N]`.
    private func byHead(
        _ x: Tensor, _ matrices: [PackedMatrix], on device: Device
    ) throws(TensorError) -> Tensor {
        let heads = matrices.count, r = x.rowCount / heads
        // A head's rows, one after the other.
        let order = (0..<heads).flatMap { head in (0..<r).map { $0 * heads + head } }
        let grouped = try device.select(order, from: x)
        let product = try device.makeRows(x.rowCount, width: matrices[0].columns)
        try device.matmul(
            grouped, segments: matrices.enumerated().map { .init(rows: $0 * r..<($0 + 1) * r, $1, into: product) })
        return try device.select((0..<r).flatMap { row in (0..<heads).map { $0 * r + row } }, from: product)
    }
}
