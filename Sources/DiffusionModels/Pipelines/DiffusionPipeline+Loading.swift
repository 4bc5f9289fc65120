import Foundation
package import Tensors

extension DiffusionPipeline {
    /// What Nephele reads of a `model_index.json`.
    private struct Index: Decodable {
        var pixel_unshuffle, default_steps: Int?
        var default_guidance_scale, default_eta: Float?

        /// The file's, or one without any field where there is none.
        static func read(_ path: String) throws -> Index {
            guard let json = FileManager.default.contents(atPath: path) else { return Index() }
            do { return try JSONDecoder().decode(Index.self, from: json) } catch {
                throw DiffusionError(.invalidCheckpoint, "\(path): \(DiffusionError.brief(error))")
            }
        }
    }

    /// Loads a diffusers directory.
    ///
    /// - Parameters:
    ///   - directory: a pipeline (`unet/`, `scheduler/`, …), or a U-Net with its files at the root.
    ///   - largestSide: pixels of a side of a picture, at most; nil for twice what the model was made for, beyond which
    ///     pictures take long and show little.
    /// - Throws: `DiffusionError` that names the file, field or tensor.
    package init(directory: String, device: Device, largestSide: Int? = nil) throws(DiffusionError) {
        do {
            let files = FileManager.default
            let unetDirectory = files.fileExists(atPath: directory + "/unet") ? directory + "/unet" : directory
            let unet = try UNet2DModel(directory: unetDirectory, device: device)
            let noiseScheduler = try Self.noiseScheduler(directory)
            let index = try Index.read(directory + "/model_index.json")
            let unshuffle = index.pixel_unshuffle ?? 1
            guard (1...64).contains(unshuffle) else {
                throw DiffusionError(.invalidCheckpoint, "pixel_unshuffle is \(unshuffle)")
            }
            let encoder =
                files.fileExists(atPath: directory + "/text_encoder")
                ? try WordBagEncoder(directory: directory, device: device) : nil
            if let encoder, encoder.conditionKind != unet.conditionKind {
                throw DiffusionError(
                    .invalidCheckpoint,
                    "the text encoder of \(directory) gives a condition of kind \(encoder.conditionKind), the U-Net takes \(unet.conditionKind)"
                )
            }
            let c = unet.configuration
            guard c.inChannels == c.outChannels else {
                throw DiffusionError(
                    .unsupported,
                    "the U-Net of \(directory) has \(c.inChannels) channels in and \(c.outChannels) out: learned variances are not supported"
                )
            }
            self.init(
                device: device, encoder: encoder, denoiser: unet,
                decoder: PixelShuffleDecoder(scale: unshuffle), noiseScheduler: noiseScheduler,
                defaults: Defaults(
                    steps: min(noiseScheduler.maximumSteps, max(1, index.default_steps ?? 50)),
                    guidanceScale: index.default_guidance_scale ?? 1, eta: index.default_eta ?? 0),
                largestSide: largestSide)
        } catch { throw DiffusionError(error) }
    }

    private static func noiseScheduler(_ directory: String) throws(DiffusionError) -> NoiseSchedulerFactory {
        let files = FileManager.default
        let paths = [directory + "/scheduler/scheduler_config.json", directory + "/scheduler_config.json"]
        guard let path = paths.first(where: files.fileExists(atPath:)), let json = files.contents(atPath: path) else {
            throw DiffusionError(
                .invalidCheckpoint, "no readable scheduler_config.json in \(directory) or its folder \"scheduler\"")
        }
        return try NoiseSchedulerFactory(json: json, path: path)
    }
}
