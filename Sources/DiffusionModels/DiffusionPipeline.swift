import Foundation
package import Tensors

/// What to draw.
package struct DiffusionRequest: Sendable {
    package var prompt: String
    package var negativePrompt: String?
    /// One a picture.
    package var seeds: [UInt64]
    /// nil: the model's own.
    package var steps: Int?
    package var guidanceScale: Float?
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

/// A diffusion model with what belongs to it, loaded from a diffusers directory.
package final class DiffusionPipeline: Sendable {
    private struct Index: Decodable {
        var pixel_unshuffle, default_steps: Int?
        var default_guidance_scale, default_eta: Float?
    }
    private struct SchedulerKind: Decodable {
        var _class_name: String?
    }
    enum Sampler: String, Sendable { case ddpm = "DDPM", ddim = "DDIM" }

    package let name: String
    package let device: Device
    package let unet: UNet2DModel
    package let schedule: NoiseSchedule
    package let encoder: WordBagEncoder?
    package let defaultSteps: Int
    package let defaultGuidanceScale: Float
    package let defaultEta: Float
    let sampler: Sampler
    let unshuffle: Int

    /// Pixels of the pictures that the model was made for.
    package let width: Int, height: Int
    /// Pixels of a side of a picture, at most.
    package let largestSide: Int
    package var maximumSteps: Int { schedule.count }
    package var isTextConditioned: Bool { encoder != nil }
    package static let maximumPictures = 16

    /// - Parameters:
    ///   - directory: a pipeline (`unet/`, `scheduler/`, …), or a U-Net with its files at the root.
    ///   - largestSide: pixels of a side of a picture, at most; nil for twice what the model was made for, beyond which
    ///     pictures take long and show little.
    /// - Throws: `DiffusionError` that names the file, field or tensor.
    package init(directory: String, device: Device, largestSide: Int? = nil) throws(DiffusionError) {
        do {
            let files = FileManager.default
            name = (directory as NSString).lastPathComponent
            self.device = device
            let unetDirectory = files.fileExists(atPath: directory + "/unet") ? directory + "/unet" : directory
            unet = try UNet2DModel(directory: unetDirectory, device: device)
            let paths = [directory + "/scheduler/scheduler_config.json", directory + "/scheduler_config.json"]
            guard let path = paths.first(where: files.fileExists(atPath:)), let json = files.contents(atPath: path)
            else {
                throw DiffusionError(
                    .invalidCheckpoint, "no readable scheduler_config.json in \(directory) or its folder \"scheduler\"")
            }
            schedule = try NoiseSchedule(json: json, path: path)
            switch try? JSONDecoder().decode(SchedulerKind.self, from: json)._class_name {
            case "DDPMScheduler": sampler = .ddpm
            case "DDIMScheduler": sampler = .ddim
            case let other:
                throw DiffusionError(
                    .unsupported,
                    "\(path): the scheduler \(other ?? "without a name") is not supported, only DDPMScheduler and DDIMScheduler"
                )
            }
            var index = Index()
            if let json = files.contents(atPath: directory + "/model_index.json") {
                do { index = try JSONDecoder().decode(Index.self, from: json) } catch {
                    throw DiffusionError(
                        .invalidCheckpoint, "\(directory)/model_index.json: \(UNet2DConfiguration.brief(error))")
                }
            }
            unshuffle = index.pixel_unshuffle ?? 1
            guard (1...64).contains(unshuffle) else {
                throw DiffusionError(.invalidCheckpoint, "pixel_unshuffle is \(unshuffle)")
            }
            encoder =
                files.fileExists(atPath: directory + "/text_encoder")
                ? try WordBagEncoder(directory: directory, device: device) : nil
            if let encoder {
                guard unet.configuration.classEmbedding == .identity, encoder.width == unet.configuration.timeWidth
                else {
                    throw DiffusionError(
                        .invalidCheckpoint,
                        "the text encoder of \(directory) gives \(encoder.width) numbers, the U-Net takes \(unet.configuration.classEmbedding) of \(unet.configuration.timeWidth)"
                    )
                }
            }
            guard unet.configuration.inChannels == unet.configuration.outChannels else {
                throw DiffusionError(
                    .unsupported,
                    "the U-Net of \(directory) has \(unet.configuration.inChannels) channels in and \(unet.configuration.outChannels) out: learned variances are not supported"
                )
            }
            width = (unet.configuration.width ?? 32) * unshuffle
            height = (unet.configuration.height ?? 32) * unshuffle
            self.largestSide = largestSide ?? 2 * max(width, height)
            defaultSteps = min(schedule.count, max(1, index.default_steps ?? 50))
            defaultGuidanceScale = index.default_guidance_scale ?? 1
            defaultEta = index.default_eta ?? 0
        } catch { throw DiffusionError(error) }
    }

    /// Checks a request and prepares its job; nothing is computed yet.
    ///
    /// - Throws: `DiffusionError.invalidRequest` that says what is out of range.
    package func makeJob(_ request: DiffusionRequest) throws(DiffusionError) -> DiffusionJob {
        try DiffusionJob(self, request)
    }

    func makeScheduler(steps: Int, eta: Float) throws(DiffusionError) -> any NoiseScheduler {
        switch sampler {
        case .ddpm: try DDPMNoiseScheduler(schedule, steps: steps)
        case .ddim: try DDIMNoiseScheduler(schedule, steps: steps, eta: eta)
        }
    }
}
