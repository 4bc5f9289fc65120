package import Tensors

/// How far a job is.
package struct DiffusionProgress: Sendable, Equatable {
    package var step: Int
    package var steps: Int
    package var timestep: Float
}

/// One request on its way: `step()` until `isFinished`, then `pictures()`. A picture depends on its own seed and the
/// request's parameters, never on the pictures beside it.
package struct DiffusionJob: Sendable {
    package let pipeline: DiffusionPipeline
    package let steps: Int
    package let guidanceScale: Float
    package private(set) var completedSteps = 0
    package private(set) var isCancelled = false

    private let denoiser: GuidedDenoiser
    private let noise: DrawingNoise
    private var scheduler: any NoiseScheduler
    /// The noisy pictures, `[pictures, h, w, C]`; no step changes them in place, so a copy of the job keeps its own.
    private var samples: FeatureMap
    /// x_0 as the last step predicted it, when previews were wanted.
    private var predicted: FeatureMap?

    /// - Throws: `DiffusionError.invalidRequest` that says what is out of range.
    init(_ pipeline: DiffusionPipeline, _ request: DiffusionRequest) throws(DiffusionError) {
        let valid = try ValidDiffusionRequest(request, for: pipeline)
        self.pipeline = pipeline
        (steps, guidanceScale, scheduler) = (valid.steps, valid.guidanceScale, valid.scheduler)
        denoiser = try GuidedDenoiser(pipeline, valid)
        noise = DrawingNoise(
            seeds: request.seeds, given: request.noise, channels: valid.shape[1], height: valid.height,
            width: valid.width)
        let device = pipeline.device
        do {
            if let latents = request.latents {
                samples = try noise.map(latents, on: device)
            } else {
                samples = try noise(step: 0, on: device)
            }
        } catch { throw DiffusionError(error) }
        let scale = scheduler.initialNoiseScale
        if scale != 1 { device.scale(samples.pixels, by: scale, into: samples.pixels) }
    }

    package var isFinished: Bool { completedSteps == steps }
    /// The noise scheduler's name: `DDPM` or `DDIM`.
    package var sampler: String { pipeline.noiseScheduler.name }
    /// Passes of the model over a pixel that a step makes of all its pictures: what it costs at least grows with it.
    package var pixelsPerStep: Int { (denoiser.isGuided ? 2 : 1) * samples.batch * samples.height * samples.width }
    /// Numbers in a checkpoint.
    package var checkpointSize: Int { scheduler.history.featureMaps.reduce(samples.count) { $0 + $1.count } }

    /// Stops the job: no further step is taken.
    package mutating func cancel() { isCancelled = true }

    private struct StepContext: DenoisingContext {
        let step: Int
        let denoiser: GuidedDenoiser
        let noise: DrawingNoise

        var device: Device { denoiser.device }

        func predict(_ x: FeatureMap, timestep: Float) throws -> FeatureMap { try denoiser(x, timestep: timestep) }

        func noise(draw: Int) throws -> FeatureMap { try noise(step: step, draw: draw, on: device) }
    }

    /// One denoising step of every picture.
    ///
    /// - Parameter previews: whether ``previews()`` are wanted after the step; they change nothing.
    /// - Throws: `DiffusionError.cancelled` after `cancel()`, or when the device was interrupted.
    package mutating func step(previews: Bool = false) throws(DiffusionError) -> DiffusionProgress {
        if isCancelled {
            throw DiffusionError(.cancelled, "the drawing was cancelled after \(completedSteps) of \(steps) steps")
        }
        precondition(!isFinished, "a finished job has no further step")
        let index = completedSteps, timestep = scheduler.timesteps[index]
        let context = StepContext(step: index + 1, denoiser: denoiser, noise: noise)
        do {
            var scheduler = scheduler
            let denoised = try scheduler.step(samples, at: index, in: context)
            // What was interrupted means nothing.
            if pipeline.device.isInterrupted {
                throw DiffusionError(.cancelled, "the drawing was cancelled within a step")
            }
            (samples, predicted) = (denoised.next, previews ? denoised.original : nil)
            self.scheduler = scheduler
        } catch { throw DiffusionError(error) }
        completedSteps += 1
        return DiffusionProgress(step: completedSteps, steps: steps, timestep: timestep)
    }

    /// The pictures as they are now: the result when finished.
    package func pictures() throws(DiffusionError) -> [Picture] { try pipeline.decoder.decode(samples) }

    /// The pictures as the last step predicted them: x_0 by equation 15 of arXiv 2006.11239. Empty, unless that step was told
    /// to predict.
    package func previews() throws(DiffusionError) -> [Picture] {
        guard let predicted else { return [] }
        return try pipeline.decoder.decode(predicted)
    }

    /// `[pictures, C, h, w]`.
    package func latents() throws(DiffusionError) -> Tensor {
        do { return try pipeline.device.channelsFirst(samples) } catch { throw DiffusionError(error) }
    }

    /// All that the rest of the drawing depends on and its request does not say.
    package var checkpoint: DiffusionCheckpoint {
        get throws(DiffusionError) {
            DiffusionCheckpoint(
                step: completedSteps, steps: steps, latents: try latents(), history: try scheduler.encodedHistory())
        }
    }

    /// Continues from a checkpoint of the same drawing.
    ///
    /// - Throws: `DiffusionError.invalidRequest` for one of another drawing.
    package mutating func resume(_ checkpoint: DiffusionCheckpoint) throws(DiffusionError) {
        let shape = [samples.batch, samples.channels, samples.height, samples.width]
        guard checkpoint.steps == steps, checkpoint.latents.shape == shape else {
            throw DiffusionError(
                .invalidRequest,
                "a checkpoint of \(checkpoint.latents.shape) in \(checkpoint.steps) steps; this drawing is \(shape) in \(steps)"
            )
        }
        var scheduler = scheduler
        try scheduler.restoreHistory(checkpoint.history, for: samples)
        do { samples = try noise.map(checkpoint.latents, on: pipeline.device) } catch { throw DiffusionError(error) }
        (completedSteps, self.scheduler, predicted) = (checkpoint.step, scheduler, nil)
    }
}
