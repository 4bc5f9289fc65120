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
    private let attention: FullAttention
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
        attention = try FullAttention(
            loader, name,
            isOld
                ? .init(query: "query", key: "key", value: "value", output: "proj_attn")
                : .init(query: "to_q", key: "to_k", value: "to_v", output: "to_out.0"),
            channels: channels, heads: c.heads, headWidth: c.headWidth, inputBias: true)
        configuration = c
    }

    /// `[B, H, W, C]` → `[B, H, W, C]`.
    func callAsFunction(_ x: FeatureMap, on device: Device) throws(TensorError) -> FeatureMap {
        let normal = try norm?(x, silu: false, on: device) ?? x
        let attended = try attention.attend(normal.pixels, batch: x.batch, on: device)
        let y = try device.makeFeatureMap(like: x)
        try attention.project(attended, residual: x.pixels, into: y.pixels, on: device)
        device.divide(y, by: configuration.outputScale)
        return y
    }
}
