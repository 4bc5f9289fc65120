internal import CKernels

/// A convolution's weight, packed: the matrix `[outputs, kernel · kernel · inputs]`.
package struct PackedConvolution: Sendable {
    package let inputs: Int
    package let outputs: Int
    package let kernel: Int
    let matrix: PackedMatrix

    /// - Parameter weight: `[outputs, inputs, kernel, kernel]` as PyTorch stores it, of any floating type.
    package init(_ weight: Tensor, on device: Device) throws(TensorError) {
        precondition(
            weight.shape.count == 4 && weight.shape[2] == weight.shape[3], "a square kernel, not \(weight.shape)")
        (outputs, inputs, kernel) = (weight.shape[0], weight.shape[1], weight.shape[2])
        let taps = kernel * kernel, reordered = try Tensor(uninitialized: [outputs, taps * inputs])
        device.transpose(try weight.widened(), batch: outputs, rows: inputs, columns: taps, into: reordered)
        matrix = try PackedMatrix(reordered, on: device)
    }
}

/// Zeros around a picture, in pixels.
package struct Border: Sendable {
    package var top: Int, left: Int, bottom: Int, right: Int

    package init(top: Int, left: Int, bottom: Int, right: Int) {
        (self.top, self.left, self.bottom, self.right) = (top, left, bottom, right)
    }

    package static func all(_ n: Int) -> Border { Border(top: n, left: n, bottom: n, right: n) }

    var isEmpty: Bool { top == 0 && left == 0 && bottom == 0 && right == 0 }
}

extension Device {
    /// Convolution of pictures x `[B, H, W, C]` (+ bias) (+ residual), after a border of zeros and, with `enlarge` = 2,
    /// nearest-neighbour enlargement. One FMA chain per output, kernel row, kernel column and channel ascending.
    ///
    /// - Returns: `[B, H', W', outputs]`.
    /// - Throws: `TensorError.tooLarge` when the memory cannot be had.
    package func convolution(
        _ x: FeatureMap, _ weight: PackedConvolution, bias: Tensor?, border: Border = .all(1), stride: Int = 1,
        enlarge: Int = 1, residual: FeatureMap? = nil
    ) throws(TensorError) -> FeatureMap {
        precondition(
            x.channels == weight.inputs && (bias.map { $0.count == weight.outputs } ?? true),
            "convolution of \(x.shape) from \(weight.inputs) to \(weight.outputs) channels")
        let padded = try self.padded(x, border, enlarge: enlarge)
        precondition(
            padded.height >= weight.kernel && padded.width >= weight.kernel,
            "a kernel of \(weight.kernel) on \(padded.shape)")
        let y = try makeFeatureMap(
            batch: x.batch, height: (padded.height - weight.kernel) / stride + 1,
            width: (padded.width - weight.kernel) / stride + 1, channels: weight.outputs)
        precondition(residual.map { $0.count == y.count } ?? true, "residual \(residual?.shape ?? []) for \(y.shape)")
        withExtendedLifetime((padded, y, weight)) {
            let args = nephele_conv2d_f32_args(
                isa: instructionSet.isa, x: padded.pixels.f32, panels: weight.matrix.panels.f32, bias: bias?.f32,
                residual: residual?.pixels.f32, y: y.pixels.f32, batch: x.batch, height: padded.height,
                width: padded.width, channels: x.channels, out_height: y.height, out_width: y.width,
                out_channels: weight.outputs, kernel: weight.kernel, stride: stride)
            let tile = Int(NEPHELE_CONV_TILE)
            let tiles = (y.batch * y.height * y.width + tile - 1) / tile
            run(nephele_conv2d_f32, args, count: tiles * weight.matrix.panelCount, grain: 4)
        }
        return y
    }

    /// x enlarged and with its border; x itself where neither changes anything.
    private func padded(_ x: FeatureMap, _ border: Border, enlarge: Int) throws(TensorError) -> FeatureMap {
        if border.isEmpty && enlarge == 1 { return x }
        let y = try makeFeatureMap(
            batch: x.batch, height: x.height * enlarge + border.top + border.bottom,
            width: x.width * enlarge + border.left + border.right, channels: x.channels)
        let args = nephele_border_f32_args(
            x: x.pixels.f32, y: y.pixels.f32, height: x.height, width: x.width, channels: x.channels,
            top: border.top, left: border.left, up: enlarge, out_height: y.height, out_width: y.width)
        run(nephele_border_f32, args, count: y.batch * y.height, grain: 8)
        return y
    }

    /// y[b, p, c] = x[b, p, c] · scale[b, c] + shift[b, c], then SiLU where asked; y may be x.
    ///
    /// - Parameters:
    ///   - scale: `[B, C]`; nil for ones.
    ///   - shift: `[B, C]`.
    package func affine(_ x: FeatureMap, scale: Tensor?, shift: Tensor, silu: Bool, into y: FeatureMap) {
        precondition(
            shift.count == x.batch * x.channels && (scale.map { $0.count == shift.count } ?? true)
                && y.count == x.count,
            "affine map of \(x.shape) by \(shift.shape)")
        let pixels = x.height * x.width
        let args = nephele_affine_f32_args(
            isa: instructionSet.isa, x: x.pixels.f32, scale: scale?.f32, shift: shift.f32, y: y.pixels.f32,
            pixels: pixels, channels: x.channels, silu: silu ? 1 : 0)
        run(nephele_affine_f32, args, count: x.batch * pixels, grain: max(1, 8_192 / max(1, x.channels)))
    }
}
