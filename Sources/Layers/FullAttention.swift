package import Tensors

/// Attention of rows to all rows of their part (arXiv 1706.03762): to each other, or, as cross attention, to the rows of
/// another sequence. There is no mask, no position and no cache.
package struct FullAttention: Sendable {
    /// What checkpoints call the four projections, after the layer's name.
    package struct Names: Sendable {
        package var query, key, value, output: String

        package init(query: String, key: String, value: String, output: String) {
            (self.query, self.key, self.value, self.output) = (query, key, value, output)
        }
    }

    private let query: Linear  // [heads · D, C]
    private let key: Linear  // [heads · D, K]
    private let value: Linear  // [heads · D, K]
    private let output: Linear  // [C, heads · D]
    private let heads: Int

    /// - Parameters:
    ///   - channels: C, the width of the rows.
    ///   - contextChannels: K, the width of the rows that are attended to; C by default.
    ///   - headWidth: D.
    ///   - inputBias: whether the projections to queries, keys and values have biases; the one back has.
    /// - Throws: `TensorError` that names the tensor at fault.
    package init(
        _ loader: WeightLoader, _ name: String, _ names: Names, channels: Int, contextChannels: Int? = nil,
        heads: Int, headWidth: Int, inputBias: Bool
    ) throws(TensorError) {
        let inner = heads * headWidth, context = contextChannels ?? channels
        func linear(_ part: String, outputs: Int, inputs: Int, bias: Bool) throws(TensorError) -> Linear {
            try loader.linear("\(name).\(part)", outputs: outputs, inputs: inputs, bias: bias)
        }
        query = try linear(names.query, outputs: inner, inputs: channels, bias: inputBias)
        key = try linear(names.key, outputs: inner, inputs: context, bias: inputBias)
        value = try linear(names.value, outputs: inner, inputs: context, bias: inputBias)
        output = try linear(names.output, outputs: channels, inputs: inner, bias: true)
        self.heads = heads
    }

    /// y = attention(h) (+ residual), all `[B·R, C]`; `residual` may be `y`.
    ///
    /// - Parameters:
    ///   - context: `[B·S, K]`, what the rows of each of the `batch` parts attend to; themselves where it is nil.
    ///   - batch: B.
    package func callAsFunction(
        _ h: Tensor, context: Tensor? = nil, batch: Int, residual: Tensor? = nil, into y: Tensor, on device: Device
    ) throws(TensorError) {
        try project(try attend(h, context: context, batch: batch, on: device), residual: residual, into: y, on: device)
    }

    /// What the heads see, before the projection back: `[B·R, heads · D]`. For callers that make `y` only when queries,
    /// keys and values have given their memory back.
    package func attend(
        _ h: Tensor, context: Tensor? = nil, batch: Int, on device: Device
    ) throws(TensorError) -> Tensor {
        let none = AdapterRows()
        let q: Tensor, k: Tensor, v: Tensor  // [B·R, heads · D], [B·S, heads · D] each
        if let context {
            q = try query(h, none, on: device)
            (k, v) = try Linear.together(key, value, context, none, on: device)
        } else {
            (q, k, v) = try Linear.together(query, key, value, h, none, on: device)
        }
        let attended = try device.makeRows(q.rowCount, width: q.width)
        device.fullAttention(
            q: q, k: k, v: v, batch: batch, heads: heads, scale: 1 / Float(q.width / heads).squareRoot(),
            into: attended)
        return attended
    }

    /// The projection back of what ``attend(_:context:batch:on:)`` gives.
    package func project(
        _ attended: Tensor, residual: Tensor? = nil, into y: Tensor, on device: Device
    ) throws(TensorError) {
        try output(attended, AdapterRows(), residual: residual, into: y, on: device)
    }
}
