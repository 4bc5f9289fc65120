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
        let source = try weight.widened().floats
        let taps = kernel * kernel
        var reordered = [Float](repeating: 0, count: source.count)
        for n in 0..<outputs {
            for c in 0..<inputs {
                for tap in 0..<taps {
                    reordered[(n * taps + tap) * inputs + c] = source[(n * inputs + c) * taps + tap]
                }
            }
        }
        matrix = try PackedMatrix(try Tensor(reordered, shape: [outputs, taps * inputs]), on: device)
    }
}

/// Zeros around a picture, in pixels.
package struct Border: Sendable {
    package var top: Int, left: Int, bottom: Int, right: Int

    package init(top: Int, left: Int, bottom: Int, right: Int) {
        (self.top, self.left, self.bottom, self.right) = (top, left, bottom, right)
    }

    package static func all(_ n: Int) -> Border { Border(top: n, left: n, bottom: n, right: n) }
}

extension Device {
    /// Convolution of pictures x `[B, H, W, C]` (+ bias) (+ residual), after a border of zeros and, with `enlarge` = 2,
    /// nearest-neighbour enlargement. One FMA chain per output, kernel row, kernel column and channel ascending.
    ///
    /// - Returns: `[B, H', W', outputs]`.
    package func convolution(
        _ x: Tensor, _ weight: PackedConvolution, bias: Tensor?, border: Border = .all(1), stride: Int = 1,
        enlarge: Int = 1, residual: Tensor? = nil
    ) throws(TensorError) -> Tensor {
        precondition(
            x.shape.count == 4 && x.shape[3] == weight.inputs && (bias.map { $0.count == weight.outputs } ?? true),
            "convolution of \(x.shape) from \(weight.inputs) to \(weight.outputs) channels")
        let (batch, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let padded = try Tensor(zeros: [
            batch, height * enlarge + border.top + border.bottom, width * enlarge + border.left + border.right,
            channels,
        ])
        let outHeight = (padded.shape[1] - weight.kernel) / stride + 1
        let outWidth = (padded.shape[2] - weight.kernel) / stride + 1
        precondition(
            padded.shape[1] >= weight.kernel && padded.shape[2] >= weight.kernel,
            "a kernel of \(weight.kernel) on \(padded.shape)")
        let y = try Tensor(zeros: [batch, outHeight, outWidth, weight.outputs])
        precondition(residual.map { $0.count == y.count } ?? true, "residual \(residual?.shape ?? []) for \(y.shape)")
        withExtendedLifetime((padded, y, weight)) {
            let edge = nephele_border_f32_args(
                x: x.f32, y: padded.f32, height: height, width: width, channels: channels, top: border.top,
                left: border.left, up: enlarge, out_height: padded.shape[1], out_width: padded.shape[2])
            run(nephele_border_f32, edge, count: batch * padded.shape[1], grain: 8)
            let args = nephele_conv2d_f32_args(
                isa: instructionSet.isa, x: padded.f32, panels: weight.matrix.panels.f32, bias: bias?.f32,
                residual: residual?.f32, y: y.f32, batch: batch, height: padded.shape[1], width: padded.shape[2],
                channels: channels, out_height: outHeight, out_width: outWidth, out_channels: weight.outputs,
                kernel: weight.kernel, stride: stride)
            let tile = Int(NEPHELE_CONV_TILE)
            let tiles = (batch * outHeight * outWidth + tile - 1) / tile
            run(nephele_conv2d_f32, args, count: tiles * weight.matrix.panelCount, grain: 4)
        }
        return y
    }

    /// Group normalisation (arXiv 1803.08494) of pictures x `[B, H, W, C]`, per picture and group:
    /// (x − mean) / √(var + ε) · weight + bias, then · (1 + scale) + shift where given, then SiLU where asked.
    ///
    /// - Parameters:
    ///   - weight, bias: `[C]`.
    ///   - scaleShift: `[B, 2C]`, scale first, as the time embedding is projected in arXiv 2105.05233.
    package func groupNorm(
        _ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float, scaleShift: Tensor? = nil, silu: Bool
    ) throws(TensorError) -> Tensor {
        let (batch, pixels, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
        precondition(
            x.shape.count == 4 && channels % groups == 0 && weight.count == channels && bias.count == channels
                && (scaleShift.map { $0.count == batch * 2 * channels } ?? true),
            "group norm of \(x.shape) in \(groups) groups by \(weight.shape)")
        let sums = try Tensor(zeros: [batch, channels]), means = try Tensor(zeros: [batch, channels])
        let scale = try Tensor(zeros: [batch, channels]), shift = try Tensor(zeros: [batch, channels])
        let y = try Tensor(zeros: x.shape)
        let size = channels / groups
        let units = batch * ((channels + 15) / 16)
        withExtendedLifetime((sums, means, scale, shift, y)) {
            var reduce = nephele_channel_sums_f32_args(
                isa: instructionSet.isa, x: x.f32, mean: nil, sums: sums.f32, pixels: pixels, channels: channels)
            run(nephele_channel_sums_f32, reduce, count: units)
            for first in stride(from: 0, to: batch * channels, by: size) {
                var total: Float = 0
                for c in first..<first + size { total += sums[c] }
                let mean = total / Float(pixels * size)
                for c in first..<first + size { means[c] = mean }
            }
            reduce.mean = UnsafePointer(means.f32)
            run(nephele_channel_sums_f32, reduce, count: units)
            for first in stride(from: 0, to: batch * channels, by: size) {
                var total: Float = 0
                for c in first..<first + size { total += sums[c] }
                let inverse = 1 / (total / Float(pixels * size) + epsilon).squareRoot()
                for at in first..<first + size {
                    let (b, c) = (at / channels, at % channels)
                    var factor = inverse * weight[c]
                    var offset = bias[c] - means[at] * factor
                    if let scaleShift {
                        let gain = 1 + scaleShift[b * 2 * channels + c]
                        factor *= gain
                        offset = offset * gain + scaleShift[b * 2 * channels + channels + c]
                    }
                    (scale[at], shift[at]) = (factor, offset)
                }
            }
        }
        affine(x, scale: scale, shift: shift, silu: silu, into: y)
        return y
    }

    /// y[b, p, c] = x[b, p, c] · scale[b, c] + shift[b, c], then SiLU where asked; x is `[B, H, W, C]`, y may be x.
    package func affine(_ x: Tensor, scale: Tensor, shift: Tensor, silu: Bool, into y: Tensor) {
        let (batch, pixels, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
        precondition(
            scale.count == batch * channels && shift.count == scale.count && y.count == x.count,
            "affine map of \(x.shape) by \(scale.shape)")
        let args = nephele_affine_f32_args(
            isa: instructionSet.isa, x: x.f32, scale: scale.f32, shift: shift.f32, y: y.f32, pixels: pixels,
            channels: channels, silu: silu ? 1 : 0)
        run(nephele_affine_f32, args, count: batch * pixels, grain: max(1, 8_192 / max(1, channels)))
    }
}
