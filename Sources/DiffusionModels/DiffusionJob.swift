import Foundation
package import Tensors

/// How far a job is.
package struct DiffusionProgress: Sendable, Equatable {
    package var step: Int
    package var steps: Int
    package var timestep: Int
}

/// One request on its way: `step()` until `isFinished`, then `pictures()`. A picture depends on its own seed and the
/// request's parameters, never on the pictures beside it.
package struct DiffusionJob: Sendable {
    package let pipeline: DiffusionPipeline
    package let steps: Int
    package let guidanceScale: Float
    package private(set) var completedSteps = 0
    package private(set) var isCancelled = false

    private let scheduler: any NoiseScheduler
    private let seeds: [UInt64]
    private let labels: [Int]?
    private let condition: Tensor?  // [pictures, width], and as many rows for the negative prompt when guided
    private let noise: [Float]?
    private let channels: Int, h: Int, w: Int
    /// [C, h, w] of each picture.
    private var samples: [[Float]]
    /// x_0 of each picture as the last step foresaw it, where it was asked to.
    private var foreseen: [[Float]] = []
    /// Passes of the model over a pixel that a step makes of all its pictures: what it costs at least grows with it.
    package var pixelsPerStep: Int { samples.count * (isGuided ? 2 : 1) * h * w }
    /// Numbers in a checkpoint.
    package var checkpointSize: Int { samples.count * size }

    package var isFinished: Bool { completedSteps == steps }
    /// `DDPM` or `DDIM`.
    package var sampler: String { pipeline.sampler.rawValue }
    private var size: Int { channels * h * w }
    private var isGuided: Bool { condition != nil && guidanceScale != 1 }

    init(_ pipeline: DiffusionPipeline, _ request: DiffusionRequest) throws(DiffusionError) {
        func require(_ holds: Bool, _ field: String? = nil, _ what: String) throws(DiffusionError) {
            if !holds { throw DiffusionError(.invalidRequest, what, field: field) }
        }
        let unet = pipeline.unet.configuration
        let count = request.seeds.count
        try require(
            (1...DiffusionPipeline.maximumPictures).contains(count), "n",
            "\(count) pictures: 1 to \(DiffusionPipeline.maximumPictures) a request")
        let (width, height) = (request.width ?? pipeline.width, request.height ?? pipeline.height)
        let unit = pipeline.unshuffle << pipeline.unet.halvings
        try require(
            width > 0 && height > 0 && width % unit == 0 && height % unit == 0
                && max(width, height) <= pipeline.largestSide, "size",
            "size \(width)x\(height): this model draws \(pipeline.width)x\(pipeline.height), and sides that are multiples of \(unit) up to \(pipeline.largestSide); its operator may allow larger ones (--largest-side)"
        )
        let guidance = request.guidanceScale ?? pipeline.defaultGuidanceScale
        try require(guidance >= 0 && guidance <= 100, "guidance_scale", "guidance scale \(guidance): 0 to 100")
        let eta = request.eta ?? pipeline.defaultEta
        try require((0...1).contains(eta), "eta", "eta \(eta): 0 (no noise is added) to 1 (as much as DDPM adds)")
        try require(
            request.eta == nil || pipeline.sampler == .ddim, "eta",
            "eta has no effect here: this model's sampler is \(pipeline.sampler.rawValue), which always adds noise")
        let isConditioned = pipeline.encoder != nil
        try require(
            isConditioned || request.guidanceScale ?? 1 == 1, "guidance_scale",
            "guidance_scale has no effect here: this model draws without a prompt")
        try require(
            request.negativePrompt?.isEmpty ?? true || isConditioned && guidance != 1, "negative_prompt",
            isConditioned
                ? "negative_prompt has no effect at a guidance scale of 1: give 'guidance_scale', for example 3"
                : "negative_prompt has no effect here: this model draws without a prompt")
        self.pipeline = pipeline
        steps = request.steps ?? pipeline.defaultSteps
        scheduler = try pipeline.makeScheduler(steps: steps, eta: eta)
        guidanceScale = guidance
        seeds = request.seeds
        (channels, h, w) = (unet.inChannels, height / pipeline.unshuffle, width / pipeline.unshuffle)
        switch unet.classEmbedding {
        case .table, .timestep:
            try require(request.labels?.count == count, nil, "this model needs one class label a picture")
        default: break
        }
        labels = request.labels
        if let encoder = pipeline.encoder {
            var prompts = [String](repeating: request.prompt, count: count)
            if guidance != 1 { prompts += [String](repeating: request.negativePrompt ?? "", count: count) }
            condition = try encoder.encode(prompts)
        } else {
            try require(
                unet.classEmbedding != .identity, nil, "this model needs a text encoder, and its directory has none")
            condition = nil
        }
        let shape = [count, channels, h, w], size = channels * h * w
        if let latents = request.latents {
            try require(
                latents.shape == shape && latents.dtype == .f32, nil,
                "latents of shape \(latents.shape) \(latents.dtype): f32 \(shape) is needed")
            let all = latents.floats
            samples = (0..<count).map { Array(all[$0 * size..<($0 + 1) * size]) }
        } else {
            samples = request.seeds.map { Self.normal(count: size, seed: $0, step: 0) }
        }
        if let given = request.noise {
            try require(
                given.shape == [steps] + shape && given.dtype == .f32, nil,
                "noise of shape \(given.shape) \(given.dtype): f32 \([steps] + shape) is needed")
            noise = given.floats
        } else {
            noise = nil
        }
    }

    /// Stops the job: no further step is taken.
    package mutating func cancel() { isCancelled = true }

    /// One denoising step of every picture.
    ///
    /// - Parameter foresees: whether ``previews()`` are wanted after it; they change nothing.
    /// - Throws: `DiffusionError.cancelled` after `cancel()`.
    package mutating func step(foresees: Bool = false) throws(DiffusionError) -> DiffusionProgress {
        if isCancelled {
            throw DiffusionError(.cancelled, "the drawing was cancelled after \(completedSteps) of \(steps) steps")
        }
        precondition(!isFinished, "a finished job has no further step")
        let index = completedSteps, t = scheduler.timesteps[index], count = samples.count
        let outputs = try predict(timestep: t)
        foreseen = []
        if foresees {
            foreseen = zip(outputs, samples).map {
                scheduler.schedule.predicted(output: $0, sample: $1, timestep: t).original
            }
        }
        for i in 0..<count {
            var drawn: [Float] = []
            if scheduler.needsNoise(at: index) {
                if let noise {
                    let from = (index * count + i) * size
                    drawn = Array(noise[from..<from + size])
                } else {
                    drawn = Self.normal(count: size, seed: seeds[i], step: index + 1)
                }
            }
            samples[i] = scheduler.step(output: outputs[i], sample: samples[i], index: index, noise: drawn)
        }
        completedSteps += 1
        return DiffusionProgress(step: completedSteps, steps: steps, timestep: t)
    }

    /// The model's output for each picture, guided (arXiv 2207.12598): u + s (c − u).
    private func predict(timestep: Int) throws(DiffusionError) -> [[Float]] {
        let count = samples.count
        let x = samples.flatMap { Self.channelsLast($0, channels: channels) }
        let batch = isGuided ? 2 * count : count
        let given: UNet2DModel.Condition
        if let condition {
            given = .vectors(condition)
        } else if let labels, pipeline.unet.configuration.classEmbedding != .none {
            given = .labels(labels)
        } else {
            given = .none
        }
        let output: [Float]
        do {
            let input = try Tensor(isGuided ? x + x : x, shape: [batch, h, w, channels])
            output = try pipeline.unet(input, timesteps: [Int](repeating: timestep, count: batch), condition: given)
                .floats
        } catch { throw DiffusionError(error) }
        return (0..<count).map { i in
            let conditional = output[i * size..<(i + 1) * size]
            guard isGuided else { return Self.channelsFirst(Array(conditional), channels: channels) }
            let plain = output[(count + i) * size..<(count + i + 1) * size]
            return Self.channelsFirst(
                zip(plain, conditional).map { $0 + guidanceScale * ($1 - $0) }, channels: channels)
        }
    }

    /// The pictures as they are now: the result when finished.
    package func pictures() throws(DiffusionError) -> [Picture] { try decoded(samples) }

    /// The pictures as the last step foresaw them: x_0 by equation 15 of arXiv 2006.11239. None, unless it was asked to.
    package func previews() throws(DiffusionError) -> [Picture] { try decoded(foreseen) }

    private func decoded(_ samples: [[Float]]) throws(DiffusionError) -> [Picture] {
        var all: [Picture] = []
        for sample in samples {
            all.append(
                try Picture(latents: sample, channels: channels, height: h, width: w, unshuffle: pipeline.unshuffle))
        }
        return all
    }

    /// `[pictures, C, h, w]`.
    package func latents() throws(DiffusionError) -> Tensor {
        do { return try Tensor(samples.flatMap { $0 }, shape: [samples.count, channels, h, w]) } catch {
            throw DiffusionError(error)
        }
    }

    /// All that the rest of the drawing depends on and its request does not say.
    ///
    /// The noise schedulers that there are look at one step alone, so they have no history to keep.
    package var checkpoint: DiffusionCheckpoint {
        DiffusionCheckpoint(
            step: completedSteps, steps: steps, shape: [samples.count, channels, h, w], samples: samples)
    }

    /// Goes on from a checkpoint of the same drawing.
    ///
    /// - Throws: `DiffusionError.invalidRequest` for one of another drawing.
    package mutating func resume(_ checkpoint: DiffusionCheckpoint) throws(DiffusionError) {
        let shape = [samples.count, channels, h, w]
        guard checkpoint.steps == steps, checkpoint.shape == shape else {
            throw DiffusionError(
                .invalidRequest,
                "a checkpoint of \(checkpoint.shape) in \(checkpoint.steps) steps; this drawing is \(shape) in \(steps)"
            )
        }
        (completedSteps, samples) = (checkpoint.step, checkpoint.samples)
    }

    /// Standard normal numbers, a pure function of (seed, step, position): Box–Muller on Philox4x32-10.
    static func normal(count: Int, seed: UInt64, step: Int) -> [Float] {
        let philox = Philox(seed: seed)
        var out: [Float] = []
        out.reserveCapacity(count + 3)
        for block in 0..<(count + 3) / 4 {
            let words = philox.block((UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: step), 0, 0xD1FF))
            for (a, b) in [(words.0, words.1), (words.2, words.3)] {
                // In double precision, rounded once: the same on every C library.
                let radius = (-2 * log((Double(a) + 1) * 0x1p-32)).squareRoot(),
                    angle = 2 * Double.pi * Double(b) * 0x1p-32
                out.append(Float(radius * cos(angle)))
                out.append(Float(radius * sin(angle)))
            }
        }
        return Array(out.prefix(count))
    }

    static func channelsLast(_ x: [Float], channels: Int) -> [Float] {
        let pixels = x.count / channels
        return (0..<x.count).map { x[$0 % channels * pixels + $0 / channels] }
    }

    static func channelsFirst(_ x: [Float], channels: Int) -> [Float] {
        let pixels = x.count / channels
        return (0..<x.count).map { x[$0 % pixels * channels + $0 / pixels] }
    }
}
