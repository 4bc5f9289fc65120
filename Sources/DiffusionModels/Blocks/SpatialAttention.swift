import Layers
import Tensors

/// Self-attention over the pixels of each picture, plus the input; diffusers' Attention as its «AttentionBlock» was.
struct SpatialAttention: Sendable {
    struct Configuration: Sendable {
        /// Groups of the norm before the attention; nil: no norm.
        var groups: Int?
        var epsilon: Float
        /// Heads and the width of each.
        var heads: Int, headWidth: Int
        /// What the output is divided by.
        var outputScale: Float = 1
    }

    private let norm: GroupNorm?
    private let query: Linear, key: Linear, value: Linear  // [heads · headWidth, C]
    private let output: Linear  // [C, heads · headWidth]
    private let configuration: Configuration

    /// - Throws: `DiffusionError` or `TensorError` that says what is out of range.
    init(_ loader: WeightLoader, _ name: String, channels: Int, _ c: Configuration) throws {
        guard c.heads >= 1, c.headWidth <= 512 else {
            throw DiffusionError(
                .unsupported,
                "attention over \(channels) channels with heads of \(c.headWidth): a head is 1 to 512 wide and within the channels"
            )
        }
        norm = try c.groups.map {
            try GroupNorm(loader, name + ".group_norm", channels: channels, groups: $0, epsilon: c.epsilon)
        }
        // Checkpoints of before 2023 have the second names.
        func has(_ part: String) -> Bool { loader.checkpoint.contains(loader.fileName("\(name).\(part).weight")) }
        let isOld = !has("to_q") && has("query")
        let names =
            isOld ? ["query", "key", "value", "proj_attn"] : ["to_q", "to_k", "to_v", "to_out.0"]
        let inner = c.heads * c.headWidth
        func linear(_ part: String, outputs: Int, inputs: Int) throws(TensorError) -> Linear {
            try loader.linear("\(name).\(part)", outputs: outputs, inputs: inputs, bias: true)
        }
        query = try linear(names[0], outputs: inner, inputs: channels)
        key = try linear(names[1], outputs: inner, inputs: channels)
        value = try linear(names[2], outputs: inner, inputs: channels)
        output = try linear(names[3], outputs: channels, inputs: inner)
        configuration = c
    }

    /// `[B, H, W, C]` → `[B, H, W, C]`.
    func callAsFunction(_ x: FeatureMap, on device: Device) throws(TensorError) -> FeatureMap {
        let normal = try norm?(x, silu: false, on: device) ?? x
        let (q, k, v) = try Linear.together(
            query, key, value, normal.pixels, AdapterRows(), on: device)  // [B·H·W, heads · headWidth]
        let mixed = try device.makeRows(q.rowCount, width: q.width)
        device.fullAttention(
            q: q, k: k, v: v, batch: x.batch, heads: configuration.heads,
            scale: 1 / Float(configuration.headWidth).squareRoot(), into: mixed)
        let y = try device.makeFeatureMap(like: x)
        try output(mixed, AdapterRows(), residual: x.pixels, into: y.pixels, on: device)
        device.divide(y, by: configuration.outputScale)
        return y
    }
}
