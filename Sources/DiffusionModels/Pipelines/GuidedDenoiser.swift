import Tensors

/// A denoising model with what the pictures are to show, and how strongly (classifier-free guidance, arXiv 2207.12598).
struct GuidedDenoiser: Sendable {
    private let model: any DenoisingModel
    private let condition: Condition
    private let scale: Float
    /// Whether the model is asked with the prompt and without it.
    let isGuided: Bool
    let device: Device

    /// - Parameter request: for the pipeline.
    init(_ pipeline: DiffusionPipeline, _ valid: ValidDiffusionRequest) throws(DiffusionError) {
        (model, device) = (pipeline.denoiser, pipeline.device)
        scale = valid.guidanceScale
        let request = valid.request, count = request.seeds.count
        isGuided = pipeline.encoder != nil && scale != 1
        if let encoder = pipeline.encoder {
            var prompts = [String](repeating: request.prompt, count: count)
            if isGuided { prompts += [String](repeating: request.negativePrompt ?? "", count: count) }
            condition = try encoder.encode(prompts)
        } else if let labels = request.labels, model.conditionKind == .label {
            condition = .labels(labels.map { Int32($0) })
        } else {
            condition = .none
        }
    }

    /// The model's output for x `[B, h, w, C]`, guided: u + s (c − u).
    func callAsFunction(_ x: FeatureMap, timestep: Float) throws -> FeatureMap {
        guard isGuided else { return try model.predict(x, timestep: timestep, condition: condition) }
        let both = try model.predict(try device.doubled(x), timestep: timestep, condition: condition)
        let output = try device.makeFeatureMap(like: x)
        device.guide(both.pixels, scale: scale, into: output.pixels)
        return output
    }
}
