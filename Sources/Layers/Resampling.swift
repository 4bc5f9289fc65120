package import Tensors

/// Halves height and width by a convolution of stride 2; diffusers' Downsample2D.
package struct Downsampling: Sendable {
    private let convolution: Convolution
    private let border: Border

    /// - Parameter padding: 1 for a pixel of zeros on every side, 0 for one on the right and one below.
    /// - Throws: `TensorError` that names the tensor.
    package init(_ loader: WeightLoader, _ name: String, channels: Int, padding: Int) throws(TensorError) {
        convolution = try Convolution(loader, name + ".conv", inputs: channels, outputs: channels)
        border = padding == 0 ? Border(top: 0, left: 0, bottom: 1, right: 1) : .all(padding)
    }

    /// `[B, H, W, C]` → `[B, H/2, W/2, C]`; H and W are even.
    package func callAsFunction(_ x: FeatureMap, on device: Device) throws(TensorError) -> FeatureMap {
        try convolution(x, border: border, stride: 2, on: device)
    }
}

/// Doubles height and width: nearest neighbours, then a convolution; diffusers' Upsample2D.
package struct Upsampling: Sendable {
    private let convolution: Convolution

    /// - Throws: `TensorError` that names the tensor.
    package init(_ loader: WeightLoader, _ name: String, channels: Int) throws(TensorError) {
        convolution = try Convolution(loader, name + ".conv", inputs: channels, outputs: channels)
    }

    /// `[B, H, W, C]` → `[B, 2H, 2W, C]`.
    package func callAsFunction(_ x: FeatureMap, on device: Device) throws(TensorError) -> FeatureMap {
        try convolution(x, enlarge: 2, on: device)
    }
}
