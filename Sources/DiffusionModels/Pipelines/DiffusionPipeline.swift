package import Tensors

/// A diffusion model with what belongs to it: what a prompt means, what is noise, how noise is taken away, and how the rest
/// becomes pictures.
package struct DiffusionPipeline: Sendable {
    /// What a request that does not say otherwise gets.
    package struct Defaults: Sendable {
        package var steps: Int
        package var guidanceScale: Float
        package var eta: Float
    }

    package let device: Device
    /// nil: the model draws without a prompt.
    package let encoder: (any PromptEncoder)?
    package let denoiser: any DenoisingModel
    package let decoder: any LatentDecoder
    package var noiseScheduler: NoiseSchedulerFactory
    package let defaults: Defaults

    /// Pixels of the pictures that the model was made for.
    package let width: Int, height: Int
    /// Pixels of a side of a picture, at most.
    package let largestSide: Int
    /// Pictures of a request, at most.
    package static let maximumPictures = 16

    /// - Parameter largestSide: nil for twice what the model was made for, beyond which pictures take long and show little.
    init(
        device: Device, encoder: (any PromptEncoder)?, denoiser: any DenoisingModel,
        decoder: any LatentDecoder, noiseScheduler: NoiseSchedulerFactory, defaults: Defaults, largestSide: Int?
    ) {
        self.device = device
        (self.encoder, self.denoiser, self.decoder) = (encoder, denoiser, decoder)
        (self.noiseScheduler, self.defaults) = (noiseScheduler, defaults)
        width = (denoiser.width ?? 32) * decoder.scale
        height = (denoiser.height ?? 32) * decoder.scale
        self.largestSide = largestSide ?? 2 * max(width, height)
    }

    /// Checks a request and prepares its job; no step is computed yet.
    ///
    /// - Throws: `DiffusionError.invalidRequest` that says what is out of range.
    package func makeJob(_ request: DiffusionRequest) throws(DiffusionError) -> DiffusionJob {
        try DiffusionJob(self, request)
    }
}
