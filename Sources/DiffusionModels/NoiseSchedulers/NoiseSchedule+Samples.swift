package import Tensors

extension NoiseSchedule {
    /// A sample of q(x_t | x_0): √ᾱ_t x_0 + √(1 − ᾱ_t) ε.
    ///
    /// - Parameters:
    ///   - original: x_0.
    ///   - noise: ε, standard normal, of the same shape.
    package func addNoise(
        _ original: FeatureMap, noise: FeatureMap, timestep: Int, on device: Device
    ) throws(TensorError) -> FeatureMap {
        let bar = alphasCumulative[timestep]
        return try device.weightedSum(bar.squareRoot(), original, (1 - bar).squareRoot(), noise)
    }

    /// x_0 as the model's output says, clipped.
    func original(
        output: FeatureMap, sample: FeatureMap, timestep: Int, on device: Device
    ) throws(TensorError) -> FeatureMap {
        let (a, s) = signalAndNoise(timestep)
        let original: FeatureMap
        switch prediction {
        case .epsilon: original = try device.weightedSum(1, sample, -s, output, over: a)
        case .sample:
            original = try device.makeFeatureMap(like: output)
            original.pixels.copy(from: output.pixels)
        case .v: original = try device.weightedSum(a, sample, -s, output)
        }
        if let threshold {
            for picture in 0..<original.batch {
                let x = original.picture(picture)
                let limit = min(max(x.magnitudeQuantile(threshold.ratio), 1), max(1, threshold.maximum))
                device.clamp(x, to: limit, over: limit, into: x)
            }
        } else if let clipRange {
            device.clamp(original.pixels, to: clipRange, into: original.pixels)
        }
        return original
    }

    /// ε as the model's output says: what goes with x_0 as it is before it is clipped.
    func noise(
        output: FeatureMap, sample: FeatureMap, timestep: Int, on device: Device
    ) throws(TensorError) -> FeatureMap {
        let (a, s) = signalAndNoise(timestep)
        switch prediction {
        case .epsilon: return output
        case .sample: return try device.weightedSum(1, sample, -a, output, over: s)
        case .v: return try device.weightedSum(a, output, s, sample)
        }
    }

    /// √ᾱ_t and √(1 − ᾱ_t).
    private func signalAndNoise(_ timestep: Int) -> (Float, Float) {
        let bar = alphasCumulative[timestep]
        return (bar.squareRoot(), (1 - bar).squareRoot())
    }
}

extension Device {
    /// scaleA · a + scaleB · b, divided by `divisor`, as a new feature map.
    func weightedSum(
        _ scaleA: Float, _ a: FeatureMap, _ scaleB: Float, _ b: FeatureMap, over divisor: Float = 1
    ) throws(TensorError) -> FeatureMap {
        let y = try makeFeatureMap(like: a)
        weightedSum(scaleA, a.pixels, scaleB, b.pixels, over: divisor, into: y.pixels)
        return y
    }
}
