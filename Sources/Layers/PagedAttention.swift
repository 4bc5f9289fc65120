package import Tensors

/// One layer's grouped-query attention (arXiv 2305.13245) with rotary positions over a paged cache of keys and values.
package struct PagedAttention: Sendable {
    package struct Configuration: Sendable {
        /// C, H, G and D.
        package var hidden: Int
        package var heads: Int
        package var kvHeads: Int
        package var headDim: Int
        package var rotary: RotaryFrequencies
        /// How many of the last positions the rows of each layer see; 0 for all.
        package var windows: [Int]
        /// What scores are multiplied by.
        package var scale: Float
        /// Scores s become cap · tanh(s / cap); 0 for none.
        package var softCap: Float = 0
        /// Whether the projections to queries, keys and values have biases, and the one back.
        package var inputBias = false
        package var outputBias = false
        /// The ε of an RMSNorm over each head's queries and keys; nil for none.
        package var headNormEpsilon: Float?
        /// Whether a file of Hugging Face's layout holds that norm's weight less one (Gemma).
        package var isHeadNormOffset = false
        /// Whether one matrix holds queries, keys and values, in that order.
        package var isJoint = false

        /// Llama's: every row sees all before it, scores are multiplied by 1/√D.
        package init(
            hidden: Int, heads: Int, kvHeads: Int, headDim: Int, layers: Int, rotary: RotaryFrequencies
        ) {
            (self.hidden, self.heads, self.kvHeads, self.headDim) = (hidden, heads, kvHeads, headDim)
            self.rotary = rotary
            windows = Array(repeating: 0, count: layers)
            scale = 1 / Float(headDim).squareRoot()
        }
    }

    private let query: Linear  // [H·D, C]
    private let key: Linear  // [G·D, C]
    private let value: Linear  // [G·D, C]
    private let output: Linear  // [C, H·D]
    private let queryNorm: RMSNorm?  // [D]
    private let keyNorm: RMSNorm?  // [D]
    /// The layer's number in the cache, and how many of the last positions its rows see.
    private let layer: Int
    private let window: Int
    private let configuration: Configuration
    private let table: RotaryTable

    /// - Parameters:
    ///   - layer: the layer's number in the model.
    ///   - name: what stands before the names of its matrices, with the dot.
    /// - Throws: `TensorError` that names the tensor at fault.
    package init(
        _ loader: WeightLoader, layer: Int, _ name: String, _ configuration: Configuration, table: RotaryTable
    ) throws(TensorError) {
        let c = configuration.hidden, d = configuration.headDim
        let (q, kv) = (configuration.heads * d, configuration.kvHeads * d)
        let biased = configuration.inputBias
        if configuration.isJoint {
            let joint = try loader.linears(name + "qkv_proj", parts: [q, kv, kv], inputs: c, bias: biased)
            (query, key, value) = (joint[0], joint[1], joint[2])
        } else {
            query = try loader.linear(name + "q_proj", outputs: q, inputs: c, bias: biased)
            key = try loader.linear(name + "k_proj", outputs: kv, inputs: c, bias: biased)
            value = try loader.linear(name + "v_proj", outputs: kv, inputs: c, bias: biased)
        }
        output = try loader.linear(name + "o_proj", outputs: c, inputs: q, bias: configuration.outputBias)
        if let epsilon = configuration.headNormEpsilon {
            let isOffset = configuration.isHeadNormOffset
            queryNorm = try RMSNorm(loader, name + "q_norm", count: d, epsilon: epsilon, isOffset: isOffset)
            keyNorm = try RMSNorm(loader, name + "k_norm", count: d, epsilon: epsilon, isOffset: isOffset)
        } else {
            (queryNorm, keyNorm) = (nil, nil)
        }
        self.layer = layer - (loader.layers?.lowerBound ?? 0)
        window = configuration.windows[layer]
        self.configuration = configuration
        self.table = table
    }

    package var matrices: [PackedMatrix] { [query, key, value, output].map(\.weight) }

    /// y = attention(h) (+ residual), all `[R, C]`; `residual` may be `y`. Writes keys and values to `cache`.
    package func callAsFunction(
        _ h: Tensor, _ rows: AttentionRows, _ adapters: AdapterRows, cache: KVStorage, residual: Tensor? = nil,
        into y: Tensor, on device: Device
    ) throws(TensorError) {
        let (q, k, v) = try Linear.together(
            query, key, value, h, adapters, on: device)  // [R, H·D], [R, G·D], [R, G·D]
        queryNorm?(heads: q, on: device)
        keyNorm?(heads: k, on: device)
        device.rope(q, heads: configuration.heads, positions: rows.positions, table: table)
        device.rope(k, heads: configuration.kvHeads, positions: rows.positions, table: table)
        let attended = try device.makeRows(q.rowCount, width: q.width)  // [R, H·D]
        device.attention(
            queries: q, keys: k, values: v, rows: rows, cache: cache, layer: layer, scale: configuration.scale,
            window: window, softCap: configuration.softCap, into: attended)
        try output(attended, adapters, residual: residual, into: y, on: device)
    }
}
