package import Tensors

/// Group norm (arXiv 1803.08494): the channels of a picture are normed in groups, then scaled and shifted one by one.
package struct GroupNorm: Sendable {
    package let weight: Tensor  // [C]
    package let bias: Tensor  // [C]
    package let groups: Int
    package let epsilon: Float

    /// - Throws: `TensorError` that names the tensor.
    package init(
        _ loader: WeightLoader, _ name: String, channels: Int, groups: Int, epsilon: Float
    ) throws(TensorError) {
        weight = try loader.vector(name + ".weight", count: channels)
        bias = try loader.vector(name + ".bias", count: channels)
        (self.groups, self.epsilon) = (groups, epsilon)
    }

    /// `[B, H, W, C]` → `[B, H, W, C]`, in new rows of the workspace.
    ///
    /// - Parameters:
    ///   - scaleShift: `[B, 2C]`: the normed pixels become · (1 + scale) + shift, scale first (arXiv 2105.05233).
    ///   - silu: whether SiLU follows.
    package func callAsFunction(
        _ x: FeatureMap, scaleShift: Tensor? = nil, silu: Bool, on device: Device
    ) throws(TensorError) -> FeatureMap {
        try device.groupNorm(
            x, groups: groups, weight: weight, bias: bias, epsilon: epsilon, scaleShift: scaleShift, silu: silu)
    }
}
