package import Tensors

/// «Denoising Diffusion Implicit Models», arXiv 2010.02502, equations 12 and 16.
package struct DDIMNoiseScheduler: NoiseScheduler {
    package static let name = "DDIM"
    package static let takesEta = true

    package let timesteps: [Float]
    package let sigmas: [Float]
    package let initialNoiseScale: Float = 1
    package var history = NoHistory()
    /// η. 0: deterministic; 1: as noisy as DDPM.
    package let eta: Float
    private let schedule: NoiseSchedule
    private let indices: [Int]

    package init(_ schedule: NoiseSchedule, steps: Int, eta: Float = 0) throws(DiffusionError) {
        guard eta >= 0 && eta <= 1 else { throw DiffusionError(.invalidRequest, "eta is \(eta), not 0 to 1") }
        self.schedule = schedule
        self.eta = eta
        indices = try schedule.timesteps(steps)
        timesteps = indices.map { Float($0) }
        sigmas = schedule.sigmas(at: indices)
    }

    package mutating func step(
        _ sample: FeatureMap, at index: Int, in context: some DenoisingContext
    ) throws -> DenoisedSample {
        let device = context.device
        let output = try context.predict(sample, timestep: timesteps[index])
        // 1. ᾱ_t and ᾱ of the timestep one stride before
        let t = indices[index]
        let before = t - schedule.count / indices.count
        let bar = schedule.alphasCumulative[t]
        let barNext =
            before >= 0
            ? schedule.alphasCumulative[before] : schedule.finalAlphaIsOne ? 1 : schedule.alphasCumulative[0]
        // 2. x_0 and ε
        let original = try schedule.original(output: output, sample: sample, timestep: t, on: device)
        let epsilon = try schedule.noise(output: output, sample: sample, timestep: t, on: device)
        // 3. σ_t(η)
        let deviation = eta * ((1 - barNext) / (1 - bar) * (1 - bar / barNext)).squareRoot()
        // 4. x_0, the direction that points to x_t, and noise
        let signal = barNext.squareRoot(), direction = max(0, 1 - barNext - deviation * deviation).squareRoot()
        let next = try device.weightedSum(signal, original, direction, epsilon)
        if eta > 0 {
            device.weightedSum(1, next.pixels, deviation, try context.noise(draw: 0).pixels, into: next.pixels)
        }
        return DenoisedSample(next: next, original: original)
    }
}
