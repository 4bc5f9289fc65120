package import Tensors

/// A convolution with a square kernel and a bias: `[B, H, W, C]` → `[B, H', W', N]`.
package struct Convolution: Sendable {
    package let weight: PackedConvolution  // [N, C, k, k]
    package let bias: Tensor  // [N]

    /// - Throws: `TensorError` that names the tensor.
    package init(
        _ loader: WeightLoader, _ name: String, inputs: Int, outputs: Int, kernel: Int = 3
    ) throws(TensorError) {
        let tensor = try loader.table(name + ".weight", shape: [outputs, inputs, kernel, kernel])
        weight = try PackedConvolution(tensor, on: loader.device)
        bias = try loader.vector(name + ".bias", count: outputs)
    }

    /// The convolution of x (+ residual `[B, H', W', N]`), in new rows of the workspace.
    ///
    /// - Parameters:
    ///   - border: zeros around each picture; nil for as many as keep the height and width of an odd kernel.
    ///   - enlarge: how many times each pixel is repeated in both directions beforehand: 1 or 2.
    package func callAsFunction(
        _ x: FeatureMap, border: Border? = nil, stride: Int = 1, enlarge: Int = 1, residual: FeatureMap? = nil,
        on device: Device
    ) throws(TensorError) -> FeatureMap {
        try device.convolution(
            x, weight, bias: bias, border: border ?? .all(weight.kernel / 2), stride: stride, enlarge: enlarge,
            residual: residual)
    }
}
