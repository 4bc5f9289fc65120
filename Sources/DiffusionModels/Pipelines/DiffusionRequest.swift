package import Tensors

/// What to draw.
package struct DiffusionRequest: Sendable {
    package var prompt: String
    package var negativePrompt: String?
    /// One a picture.
    package var seeds: [UInt64]
    /// Denoising steps; nil: the model's own.
    package var steps: Int?
    /// How strongly the prompt is followed, 0 to 100; nil: the model's own.
    package var guidanceScale: Float?
    /// The share of DDPM's noise that each step adds, 0 to 1; nil: the model's own.
    package var eta: Float?
    /// In pixels; nil: the model's own.
    package var width: Int?, height: Int?
    /// The noise to begin with, `[pictures, C, h, w]`; nil: drawn from the seeds.
    package var latents: Tensor?
    /// What each step adds, `[steps, pictures, C, h, w]`; nil: drawn from the seeds.
    package var noise: Tensor?
    /// For models conditioned on a class: one a picture.
    package var labels: [Int]?

    package init(prompt: String, seeds: [UInt64]) {
        (self.prompt, self.seeds) = (prompt, seeds)
    }
}

/// A request with the model's own values filled in; that it exists means that every value is in range.
struct ValidDiffusionRequest {
    let request: DiffusionRequest
    let steps: Int
    let guidanceScale: Float
    let scheduler: any NoiseScheduler
    /// Height and width of the latents.
    let height: Int, width: Int
    /// `[pictures, C, h, w]`.
    let shape: [Int]

    /// - Throws: `DiffusionError.invalidRequest` that names the field.
    init(_ request: DiffusionRequest, for pipeline: DiffusionPipeline) throws(DiffusionError) {
        func require(_ holds: Bool, _ field: String? = nil, _ what: String) throws(DiffusionError) {
            if !holds { throw DiffusionError(.invalidRequest, what, field: field) }
        }
        let count = request.seeds.count, sampler = pipeline.noiseScheduler, isConditioned = pipeline.encoder != nil
        try require(
            (1...DiffusionPipeline.maximumPictures).contains(count), "n",
            "\(count) pictures: 1 to \(DiffusionPipeline.maximumPictures) a request")
        let (width, height) = (request.width ?? pipeline.width, request.height ?? pipeline.height)
        let unit = pipeline.decoder.scale * pipeline.denoiser.sideMultiple
        try require(
            width > 0 && height > 0 && width % unit == 0 && height % unit == 0
                && max(width, height) <= pipeline.largestSide, "size",
            "size \(width)x\(height): this model draws \(pipeline.width)x\(pipeline.height), and sides that are multiples of \(unit) up to \(pipeline.largestSide); its operator may allow larger ones (--largest-side)"
        )
        guidanceScale = request.guidanceScale ?? pipeline.defaults.guidanceScale
        try require(
            guidanceScale >= 0 && guidanceScale <= 100, "guidance_scale", "guidance scale \(guidanceScale): 0 to 100")
        let eta = request.eta ?? pipeline.defaults.eta
        try require((0...1).contains(eta), "eta", "eta \(eta): 0 (no noise is added) to 1 (as much as DDPM adds)")
        try require(
            request.eta == nil || sampler.takesEta, "eta",
            "eta has no effect here: this model's sampler is \(sampler.name), which always adds noise")
        try require(
            isConditioned || request.guidanceScale ?? 1 == 1, "guidance_scale",
            "guidance_scale has no effect here: this model draws without a prompt")
        try require(
            request.negativePrompt?.isEmpty ?? true || isConditioned && guidanceScale != 1, "negative_prompt",
            isConditioned
                ? "negative_prompt has no effect at a guidance scale of 1: give 'guidance_scale', for example 3"
                : "negative_prompt has no effect here: this model draws without a prompt")
        steps = request.steps ?? pipeline.defaults.steps
        scheduler = try sampler.make(steps: steps, eta: eta)
        (self.width, self.height) = (width / pipeline.decoder.scale, height / pipeline.decoder.scale)
        shape = [count, pipeline.denoiser.channels, self.height, self.width]
        if pipeline.denoiser.conditionKind == .label {
            try require(request.labels?.count == count, nil, "this model needs one class label a picture")
            try require(
                request.labels?.allSatisfy { Int32(exactly: $0) != nil } ?? true, nil, "a class label is out of range")
        }
        if case .vector = pipeline.denoiser.conditionKind {
            try require(isConditioned, nil, "this model needs a text encoder, and its directory has none")
        }
        if let latents = request.latents {
            try require(
                latents.shape == shape && latents.dtype == .f32, nil,
                "latents of shape \(latents.shape) \(latents.dtype): f32 \(shape) is needed")
        }
        if let noise = request.noise {
            try require(
                noise.shape == [steps] + shape && noise.dtype == .f32, nil,
                "noise of shape \(noise.shape) \(noise.dtype): f32 \([steps] + shape) is needed")
        }
        self.request = request
    }
}
