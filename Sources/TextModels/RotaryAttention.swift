import Tensors

/// One layer's grouped-query attention (arXiv 2305.13245) with rotary positions, in the variants that the architectures
/// with Llama's names of tensors have.
struct RotaryAttention: Sendable {
    struct Configuration: Sendable {
        var shape: DecoderShape
        var rotary: RotaryFrequencies
        /// How many of the last positions the rows of each layer see; 0 for all.
        var windows: [Int]
        /// What scores are multiplied by.
        var scale: Float
        /// Scores s pass through cap · tanh(s / cap); 0 for none.
        var softCap: Float = 0
        /// Whether the projections to queries, keys and values have biases, and the one back.
        var inputBias = false
        var outputBias = false
        /// The ε of an RMSNorm over each head's queries and keys; nil for none.
        var headNormEpsilon: Float?
        /// Whether one matrix holds queries, keys and values, in that order.
        var isJoint = false

        /// Llama's: every row sees all before it, scores are multiplied by 1/√D.
        init(_ shape: DecoderShape, rotary: RotaryFrequencies) {
            self.shape = shape
            self.rotary = rotary
            windows = Array(repeating: 0, count: shape.layers)
            scale = 1 / Float(shape.headDim).squareRoot()
        }
    }

    private let query: Linear  // [H·D, C]
    private let key: Linear  // [G·D, C]
    private let value: Linear  // [G·D, C]
    private let output: Linear  // [C, H·D]
    private let queryNorm: Tensor?  // [D]
    private let keyNorm: Tensor?  // [D]
    /// The cache's number of the layer, and how many of the last positions its rows see.
    private let layer: Int
    private let window: Int
    private let configuration: Configuration
    private let table: RotaryTable

    /// - Parameter table: of the configuration's frequencies, shared by all layers.
    init(
        _ loader: WeightLoader, layer: Int, _ configuration: Configuration, table: RotaryTable
    ) throws(TensorError) {
        let shape = configuration.shape
        let (c, q, kv) = (shape.hidden, shape.heads * shape.headDim, shape.kvHeads * shape.headDim)
        let name = "model.layers.\(layer).self_attn.", biased = configuration.inputBias
        if configuration.isJoint {
            let joint = try loader.linears(name + "qkv_proj", parts: [q, kv, kv], inputs: c, bias: biased)
            (query, key, value) = (joint[0], joint[1], joint[2])
        } else {
            query = try loader.linear(name + "q_proj", outputs: q, inputs: c, bias: biased)
            key = try loader.linear(name + "k_proj", outputs: kv, inputs: c, bias: biased)
            value = try loader.linear(name + "v_proj", outputs: kv, inputs: c, bias: biased)
        }
        output = try loader.linear(name + "o_proj", outputs: c, inputs: q, bias: configuration.outputBias)
        let normed = configuration.headNormEpsilon != nil
        queryNorm = normed ? try loader.vector(name + "q_norm.weight", count: shape.headDim) : nil
        keyNorm = normed ? try loader.vector(name + "k_norm.weight", count: shape.headDim) : nil
        self.layer = layer - (loader.layers?.lowerBound ?? 0)
        window = configuration.windows[layer]
        self.configuration = configuration
        self.table = table
    }

    var matrices: [PackedMatrix] { [query, key, value, output].map(\.weight) }

    /// y = attention(h) (+ residual), all `[R, C]`; `residual` may be `y`. Writes keys and values to `cache`.
    func callAsFunction(
        _ h: Tensor, _ batch: TokenBatch, cache: KVStorage, residual: Tensor? = nil, into y: Tensor, on device: Device
    ) throws(TensorError) {
        let shape = configuration.shape, rows = batch.rows
        let (q, k, v) = try Linear.together(
            query, key, value, h, batch.adapters, on: device)  // [R, H·D], [R, G·D], [R, G·D]
        normalizeHeads(q, queryNorm, on: device)
        normalizeHeads(k, keyNorm, on: device)
        device.rope(q, heads: shape.heads, positions: rows.positions, table: table)
        device.rope(k, heads: shape.kvHeads, positions: rows.positions, table: table)
        let attended = try device.makeRows(q.rowCount, width: q.width)  // [R, H·D]
        device.attention(
            queries: q, keys: k, values: v, rows: rows, cache: cache, layer: layer, scale: configuration.scale,
            window: window, softCap: configuration.softCap, into: attended)
        try output(attended, batch.adapters, residual: residual, into: y, on: device)
    }

    private func normalizeHeads(_ x: Tensor, _ weight: Tensor?, on device: Device) {
        guard let weight, let epsilon = configuration.headNormEpsilon else { return }
        let heads = x.reshaped([x.count / weight.count, weight.count])  // [R·H, D]
        device.rmsNorm(heads, weight: weight, epsilon: epsilon, into: heads)
    }
}
