package import Tensors

/// Ancestral sampling of «Denoising Diffusion Probabilistic Models», arXiv 2006.11239, equation 7.
package struct DDPMNoiseScheduler: NoiseScheduler {
    package static let name = "DDPM"
    package static let takesEta = false

    package let timesteps: [Float]
    package let sigmas: [Float]
    package let initialNoiseScale: Float = 1
    package var history = NoHistory()
    private let schedule: NoiseSchedule
    private let indices: [Int]

    package init(_ schedule: NoiseSchedule, steps: Int, eta: Float = 0) throws(DiffusionError) {
        self.schedule = schedule
        indices = try schedule.timesteps(steps)
        timesteps = indices.map { Float($0) }
        sigmas = schedule.sigmas(at: indices)
    }

    package mutating func step(
        _ sample: FeatureMap, at index: Int, in context: some DenoisingContext
    ) throws -> DenoisedSample {
        let device = context.device
        let output = try context.predict(sample, timestep: timesteps[index])
        // 1. ᾱ and β between this timestep and the next of the run
        let t = indices[index]
        let bar = schedule.alphasCumulative[t]
        let barNext = index + 1 < indices.count ? schedule.alphasCumulative[indices[index + 1]] : 1
        let alpha = bar / barNext
        let beta = 1 - alpha
        // 2. x_0
        let original = try schedule.original(output: output, sample: sample, timestep: t, on: device)
        // 3. the posterior's mean
        let weightOriginal = barNext.squareRoot() * beta / (1 - bar)
        let weightSample = alpha.squareRoot() * (1 - barNext) / (1 - bar)
        let next = try device.weightedSum(weightOriginal, original, weightSample, sample)
        // 4. its deviation
        if t > 0 {
            let posterior = max((1 - barNext) / (1 - bar) * beta, 1e-20)
            let deviation = schedule.variance == .fixedLarge ? beta.squareRoot() : posterior.squareRoot()
            device.weightedSum(1, next.pixels, deviation, try context.noise(draw: 0).pixels, into: next.pixels)
        }
        return DenoisedSample(next: next, original: original)
    }
}
