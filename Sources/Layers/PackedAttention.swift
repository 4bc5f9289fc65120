package import Tensors

/// One layer's attention within packed texts: each row to all rows of its own text, before it and behind it, or to those
/// near it.
package struct PackedAttention: Sendable {
    package struct Configuration: Sendable {
        /// H.
        package var heads: Int
        /// What scores are multiplied by.
        package var scale: Float
        /// How queries and keys are turned by their position in the text; nil for not at all.
        package var rotary: RotaryTable?
        /// How far from a row the rows are that it sees, at most; 0 for all.
        package var window = 0
        /// Is added to the scores.
        package var bias: DistanceBias?

        package init(heads: Int, headDim: Int) {
            self.heads = heads
            scale = 1 / Float(headDim).squareRoot()
        }
    }

    private let query: Linear  // [H·D, C]
    private let key: Linear  // [H·D, C]
    private let value: Linear  // [H·D, C]
    private let output: Linear  // [C, H·D]
    private let configuration: Configuration

    package init(query: Linear, key: Linear, value: Linear, output: Linear, _ configuration: Configuration) {
        (self.query, self.key, self.value, self.output) = (query, key, value, output)
        self.configuration = configuration
    }

    package var matrices: [PackedMatrix] { [query, key, value, output].map(\.weight) }

    /// y = attention(h) (+ residual), all `[R, C]`; `residual` may be `y`.
    ///
    /// - Parameter positions: of the rows in their texts.
    package func callAsFunction(
        _ h: Tensor, _ rows: PackedRows, positions: [Int32], residual: Tensor? = nil, into y: Tensor,
        on device: Device
    ) throws(TensorError) {
        let none = AdapterRows(), heads = configuration.heads
        let (q, k, v) = try Linear.together(query, key, value, h, none, on: device)  // [R, H·D] each
        if let table = configuration.rotary {
            device.rope(q, heads: heads, positions: positions, table: table)
            device.rope(k, heads: heads, positions: positions, table: table)
        }
        let attended = try device.makeRows(q.rowCount, width: q.width)  // [R, H·D]
        try device.packedAttention(
            q: q, k: k, v: v, rows: rows, heads: heads, scale: configuration.scale, window: configuration.window,
            bias: configuration.bias, into: attended)
        try output(attended, none, residual: residual, into: y, on: device)
    }
}
