import Layers
import Tensors

// B pictures, H × W pixels, C channels in, N out. Every picture is [B, H, W, C]; parameter names are diffusers'.

/// norm → SiLU → conv → (+ time, or norm · (1 + scale) + shift) → SiLU → conv, plus the input; diffusers' ResnetBlock2D.
struct ResidualBlock: Sendable {
    /// What the blocks of one model have in common.
    struct Configuration: Sendable {
        /// Groups of each norm.
        var groups: Int
        var epsilon: Float
        /// Width of the time embedding.
        var timeWidth: Int
        /// Whether the time embedding scales and shifts what the second norm gives; else it is added before.
        var scaleShift: Bool
        /// What the block's output is divided by.
        var outputScale: Float = 1
    }

    private let norm1: GroupNorm, norm2: GroupNorm
    private let conv1: Convolution, conv2: Convolution
    private let shortcut: Convolution?
    private let timeProjection: Linear  // [N, timeWidth] or [2N, timeWidth]
    private let configuration: Configuration

    /// - Throws: `TensorError` that names the tensor at fault.
    init(
        _ loader: WeightLoader, _ name: String, inputs: Int, outputs: Int, _ c: Configuration
    ) throws(TensorError) {
        norm1 = try GroupNorm(loader, name + ".norm1", channels: inputs, groups: c.groups, epsilon: c.epsilon)
        conv1 = try Convolution(loader, name + ".conv1", inputs: inputs, outputs: outputs)
        timeProjection = try loader.linear(
            name + ".time_emb_proj", outputs: c.scaleShift ? 2 * outputs : outputs, inputs: c.timeWidth, bias: true)
        norm2 = try GroupNorm(loader, name + ".norm2", channels: outputs, groups: c.groups, epsilon: c.epsilon)
        conv2 = try Convolution(loader, name + ".conv2", inputs: outputs, outputs: outputs)
        shortcut =
            inputs == outputs
            ? nil : try Convolution(loader, name + ".conv_shortcut", inputs: inputs, outputs: outputs, kernel: 1)
        configuration = c
    }

    /// `[B, H, W, C]` → `[B, H, W, N]`.
    ///
    /// - Parameter time: SiLU of the time embedding, `[B, timeWidth]`.
    func callAsFunction(_ x: FeatureMap, time: Tensor, on device: Device) throws(TensorError) -> FeatureMap {
        let projected = try timeProjection(time, AdapterRows(), on: device)  // [B, N] or [B, 2N]
        var h = try conv1(try norm1(x, silu: true, on: device), on: device)  // [B, H, W, N]
        if configuration.scaleShift {
            h = try norm2(h, scaleShift: projected, silu: true, on: device)
        } else {
            device.affine(h, scale: nil, shift: projected, silu: false, into: h)
            h = try norm2(h, silu: true, on: device)
        }
        let y = try conv2(h, residual: try shortcut?(x, on: device) ?? x, on: device)
        device.divide(y, by: configuration.outputScale)
        return y
    }
}

extension Device {
    /// Divides x by a block's output scale, in place: by a product with its inverse.
    func divide(_ x: FeatureMap, by outputScale: Float) {
        if outputScale != 1 { scale(x.pixels, by: 1 / outputScale, into: x.pixels) }
    }
}
