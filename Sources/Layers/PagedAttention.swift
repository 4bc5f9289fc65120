package import Tensors

/// One layer's grouped-query attention (arXiv 2305.13245) with rotary positions over a paged cache of keys and values.
package struct PagedAttention: Sendable {
    package struct Configuration: Sendable {
        /// C, H, G and D.
        package var hidden: Int
        package var heads: Int
        package var kvHeads: Int
        package var headDim: Int
        /// How many of the last positions the rows of each layer see; 0 for all.
        package var windows: [Int]
        /// What scores are multiplied by.
        package var scale: Float
        /// Scores s become cap · tanh(s / cap); 0 for none.
        package var softCap: Float = 0
        /// Whether the projections to queries, keys and values have biases, and the one back.
        package var inputBias = false
        package var outputBias = false
        /// The ε of an RMSNorm over queries and keys; nil for none.
        package var normEpsilon: Float?
        /// Whether that norm is over all heads together, rather than over each.
        package var isNormJoint = false
        /// Whether a file of Hugging Face's layout holds that norm's weight less one (Gemma).
        package var isNormOffset = false
        /// Whether each query head has a sink: a score that takes part in the softmax and has no value (arXiv 2309.17453).
        package var hasSinks = false
        /// Whether one matrix holds queries, keys and values, in that order.
        package var isJoint = false
        /// Whether the projection to queries has a gate behind each head's: what is attended to is multiplied by its
        /// sigmoid.
        package var isGated = false
        /// Whether a layer's values are its keys before their norm and rotation, rather than a projection of their own.
        package var hasKeysAsValues = false
        /// Whether values are normed, by no weights.
        package var normalizesValues = false

        /// Llama's: every row sees all before it, scores are multiplied by 1/√D.
        package init(hidden: Int, heads: Int, kvHeads: Int, headDim: Int, layers: Int) {
            (self.hidden, self.heads, self.kvHeads, self.headDim) = (hidden, heads, kvHeads, headDim)
            windows = Array(repeating: 0, count: layers)
            scale = 1 / Float(headDim).squareRoot()
        }

        /// What a layer that writes keys and values keeps of each position.
        package var extents: KVExtents { KVExtents(heads: kvHeads, headDim: headDim) }
    }

    package let query: Linear  // [H·D, C], or [H·2D, C] with gates
    package let key: Linear?  // [G·D, C]; nil where another layer's keys and values are read
    package let value: Linear?  // [G·D, C]; nil there too, and where values are keys
    package let output: Linear  // [C, H·D]
    package let queryNorm: RMSNorm?  // [D], or [H·D]
    package let keyNorm: RMSNorm?  // [D], or [G·D]
    package let valueNorm: RMSNorm?  // [D]
    package let sinks: Tensor?  // [H]
    /// The layer's number in the cache, and how many of the last positions its rows see.
    private let layer: Int
    package let window: Int
    package let configuration: Configuration
    package let rotation: Rotation?

    /// How queries and keys are turned.
    package struct Rotation: Sendable {
        package var queries: RotaryTable
        package var keys: RotaryTable

        package init(queries: RotaryTable, keys: RotaryTable) { (self.queries, self.keys) = (queries, keys) }
    }

    /// - Parameters:
    ///   - layer: the layer's number in the model.
    ///   - cacheLayer: the layer's number in the cache.
    ///   - isReader: whether another layer has written the keys and values there.
    ///   - name: what stands before the names of its matrices, with the dot.
    ///   - rotation: nil for a layer without positions.
    /// - Throws: `TensorError` that names the tensor at fault.
    package init(
        _ loader: WeightLoader, layer: Int, cacheLayer: Int, isReader: Bool = false, _ name: String,
        _ configuration: Configuration, rotation: Rotation?
    ) throws(TensorError) {
        let c = configuration.hidden, d = configuration.headDim
        let (q, kv) = (configuration.heads * d, configuration.kvHeads * d)
        let biased = configuration.inputBias
        if configuration.isJoint {
            let joint = try loader.linears(name + "qkv_proj", parts: [q, kv, kv], inputs: c, bias: biased)
            (query, key, value) = (joint[0], joint[1], joint[2])
        } else {
            query = try loader.linear(
                name + "q_proj", outputs: configuration.isGated ? 2 * q : q, inputs: c, bias: biased)
            key = isReader ? nil : try loader.linear(name + "k_proj", outputs: kv, inputs: c, bias: biased)
            value =
                isReader || configuration.hasKeysAsValues
                ? nil : try loader.linear(name + "v_proj", outputs: kv, inputs: c, bias: biased)
        }
        output = try loader.linear(name + "o_proj", outputs: c, inputs: q, bias: configuration.outputBias)
        if let epsilon = configuration.normEpsilon {
            let (isJoint, isOffset) = (configuration.isNormJoint, configuration.isNormOffset)
            queryNorm = try RMSNorm(
                loader, name + "q_norm", count: isJoint ? q : d, epsilon: epsilon, isOffset: isOffset)
            keyNorm =
                isReader
                ? nil
                : try RMSNorm(loader, name + "k_norm", count: isJoint ? kv : d, epsilon: epsilon, isOffset: isOffset)
            valueNorm =
                configuration.normalizesValues
                ? RMSNorm(weight: try Tensor(Array(repeating: 1, count: d), shape: [d]), epsilon: epsilon) : nil
        } else {
            (queryNorm, keyNorm, valueNorm) = (nil, nil, nil)
        }
        sinks = configuration.hasSinks ? try loader.vector(name + "sinks", count: configuration.heads) : nil
        self.layer = cacheLayer
        window = configuration.windows[layer]
        self.configuration = configuration
        self.rotation = rotation
    }

    package var matrices: [PackedMatrix] { [query, key, value, output].compactMap { $0?.weight } }

    /// What the layer keeps of each position, where it keeps keys and values of its own.
    package var extents: KVExtents { configuration.extents }

    /// y = attention(h) (+ residual), all `[R, C]`; `residual` may be `y`. Writes keys and values to `cache`.
    package func callAsFunction(
        _ h: Tensor, _ rows: AttentionRows, _ adapters: AdapterRows, cache: KVStorage, residual: Tensor? = nil,
        into y: Tensor, on device: Device
    ) throws(TensorError) {
        let (projected, k, v) = try project(h, adapters, on: device)
        let (q, gate) = try parted(projected, on: device)
        queryNorm?(parts: q, on: device)
        if let k { keyNorm?(parts: k, on: device) }
        if let v { valueNorm?(parts: v, on: device) }
        if let rotation {
            device.rope(q, heads: configuration.heads, positions: rows.positions, table: rotation.queries)
            if let k {
                device.rope(k, heads: configuration.kvHeads, positions: rows.positions, table: rotation.keys)
            }
        }
        let attended = try device.makeRows(q.rowCount, width: q.width)  // [R, H·D]
        device.attention(
            queries: q, keys: k, values: v, rows: rows, cache: cache, layer: layer, scale: configuration.scale,
            window: window, softCap: configuration.softCap, sinks: sinks, into: attended)
        if let gate { device.map(.sigmoid, gate, times: attended, into: attended) }
        try output(attended, adapters, residual: residual, into: y, on: device)
    }

    /// Queries `[R, H·D]`, gates with them, and keys and values `[R, G·D]` where the layer has its own.
    private func project(
        _ h: Tensor, _ adapters: AdapterRows, on device: Device
    ) throws(TensorError) -> (queries: Tensor, keys: Tensor?, values: Tensor?) {
        guard let key else { return (try query(h, adapters, on: device), nil, nil) }
        if let value { return try Linear.together(query, key, value, h, adapters, on: device) }
        let (q, k) = try Linear.together(query, key, h, adapters, on: device)
        let v = try device.makeRows(k.rowCount, width: k.width)
        v.copy(from: k)
        return (q, k, v)
    }

    /// Queries and gates, `[R, H·D]` each.
    private func parted(_ x: Tensor, on device: Device) throws(TensorError) -> (queries: Tensor, gate: Tensor?) {
        guard configuration.isGated else { return (x, nil) }
        let width = configuration.heads * configuration.headDim
        let q = try device.makeRows(x.rowCount, width: width), gate = try device.makeRows(x.rowCount, width: width)
        let heads = [x.rowCount * configuration.heads, configuration.headDim]  // [R·H, D]
        device.split(x.reshaped([heads[0], 2 * heads[1]]), into: q.reshaped(heads), gate.reshaped(heads))
        return (q, gate)
    }
}
