internal import CKernels

extension Device {
    /// Group normalisation (arXiv 1803.08494) of pictures x `[B, H, W, C]`, per picture and group:
    /// (x − mean) / √(var + ε) · weight + bias, then · (1 + scale) + shift where given, then SiLU where asked.
    ///
    /// - Parameters:
    ///   - weight, bias: `[C]`.
    ///   - scaleShift: `[B, 2C]`, scale first, as the time embedding is projected in arXiv 2105.05233.
    /// - Throws: `TensorError.tooLarge` when the memory cannot be had.
    package func groupNorm(
        _ x: FeatureMap, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float, scaleShift: Tensor? = nil,
        silu: Bool
    ) throws(TensorError) -> FeatureMap {
        let channels = x.channels
        precondition(
            channels % groups == 0 && weight.count == channels && bias.count == channels
                && (scaleShift.map { $0.count == x.batch * 2 * channels } ?? true),
            "group norm of \(x.shape) in \(groups) groups by \(weight.shape)")
        let sums = try makeRows(x.batch, width: channels), means = try makeRows(x.batch, width: channels)
        let scale = try makeRows(x.batch, width: channels), shift = try makeRows(x.batch, width: channels)
        let size = channels / groups, all = x.batch * channels
        let count = Float(x.height * x.width * size)
        // 1. the mean of each group
        channelSums(x, around: nil, into: sums)
        for first in stride(from: 0, to: all, by: size) {
            var total: Float = 0
            for c in first..<first + size { total += sums[c] }
            let mean = total / count
            for c in first..<first + size { means[c] = mean }
        }
        // 2. its variance, and what both make of each channel
        channelSums(x, around: means, into: sums)
        for first in stride(from: 0, to: all, by: size) {
            var total: Float = 0
            for c in first..<first + size { total += sums[c] }
            let inverse = 1 / (total / count + epsilon).squareRoot()
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
        // 3. each pixel
        let y = try makeFeatureMap(like: x)
        affine(x, scale: scale, shift: shift, silu: silu, into: y)
        return y
    }

    /// The sum of each picture's channel over its pixels, or of the squares of its distances from `means`: all `[B, C]`.
    private func channelSums(_ x: FeatureMap, around means: Tensor?, into sums: Tensor) {
        let args = nephele_channel_sums_f32_args(
            isa: instructionSet.isa, x: x.pixels.f32, mean: means?.f32, sums: sums.f32, pixels: x.height * x.width,
            channels: x.channels)
        run(nephele_channel_sums_f32, args, count: x.batch * ((x.channels + 15) / 16))
    }
}
