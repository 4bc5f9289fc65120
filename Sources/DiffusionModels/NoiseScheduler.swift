/// Takes x_t to the next, less noisy x. Values: all elements of one picture, in any order.
package protocol NoiseScheduler: Sendable {
    var schedule: NoiseSchedule { get }
    /// Descending timesteps of this run.
    var timesteps: [Int] { get }

    /// Whether the step at `index` of `timesteps` uses noise.
    func needsNoise(at index: Int) -> Bool

    /// - Parameters:
    ///   - output: what the model says at `timesteps[index]`.
    ///   - noise: standard normal; read only where `needsNoise(at:)`.
    func step(output: [Float], sample: [Float], index: Int, noise: [Float]) -> [Float]
}

/// Ancestral sampling of «Denoising Diffusion Probabilistic Models», arXiv 2006.11239, equation 7.
package struct DDPMNoiseScheduler: NoiseScheduler {
    package let schedule: NoiseSchedule
    package let timesteps: [Int]

    package init(_ schedule: NoiseSchedule, steps: Int) throws(DiffusionError) {
        self.schedule = schedule
        timesteps = try schedule.timesteps(steps)
    }

    package func needsNoise(at index: Int) -> Bool { timesteps[index] > 0 }

    package func step(output: [Float], sample: [Float], index: Int, noise: [Float]) -> [Float] {
        // 1. ᾱ and β between this timestep and the next of the run
        let t = timesteps[index]
        let bar = schedule.alphasCumulative[t]
        let barNext = index + 1 < timesteps.count ? schedule.alphasCumulative[timesteps[index + 1]] : 1
        let alpha = bar / barNext
        let beta = 1 - alpha
        // 2. x_0
        let original = schedule.predicted(output: output, sample: sample, timestep: t).original
        // 3. the posterior's mean
        let weightOriginal = barNext.squareRoot() * beta / (1 - bar)
        let weightSample = alpha.squareRoot() * (1 - barNext) / (1 - bar)
        var next = zip(original, sample).map { weightOriginal * $0 + weightSample * $1 }
        // 4. its deviation
        guard needsNoise(at: index) else { return next }
        let posterior = max((1 - barNext) / (1 - bar) * beta, 1e-20)
        let deviation = schedule.variance == .fixedLarge ? beta.squareRoot() : posterior.squareRoot()
        for i in next.indices { next[i] += deviation * noise[i] }
        return next
    }
}

/// «Denoising Diffusion Implicit Models», arXiv 2010.02502, equations 12 and 16.
package struct DDIMNoiseScheduler: NoiseScheduler {
    package let schedule: NoiseSchedule
    package let timesteps: [Int]
    /// 0: deterministic; 1: as noisy as DDPM.
    package let eta: Float

    package init(_ schedule: NoiseSchedule, steps: Int, eta: Float = 0) throws(DiffusionError) {
        guard eta >= 0 && eta <= 1 else { throw DiffusionError(.invalidRequest, "eta is \(eta), not 0 to 1") }
        self.schedule = schedule
        self.eta = eta
        timesteps = try schedule.timesteps(steps)
    }

    package func needsNoise(at index: Int) -> Bool { eta > 0 }

    package func step(output: [Float], sample: [Float], index: Int, noise: [Float]) -> [Float] {
        // 1. ᾱ_t and ᾱ of the timestep one stride before
        let t = timesteps[index]
        let before = t - schedule.count / timesteps.count
        let bar = schedule.alphasCumulative[t]
        let barNext =
            before >= 0
            ? schedule.alphasCumulative[before] : schedule.finalAlphaIsOne ? 1 : schedule.alphasCumulative[0]
        // 2. x_0 and ε
        let (original, epsilon) = schedule.predicted(output: output, sample: sample, timestep: t)
        // 3. σ_t(η)
        let deviation = eta * ((1 - barNext) / (1 - bar) * (1 - bar / barNext)).squareRoot()
        // 4. x_0, the direction that points to x_t, and noise
        let signal = barNext.squareRoot(), direction = max(0, 1 - barNext - deviation * deviation).squareRoot()
        var next = zip(original, epsilon).map { signal * $0 + direction * $1 }
        if eta > 0 { for i in next.indices { next[i] += deviation * noise[i] } }
        return next
    }
}
