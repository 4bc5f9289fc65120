package import Foundation
package import Tensors

/// An algorithm that takes noisy pictures to less noisy ones, set up for one run.
///
/// It is a value: a copy runs independently. What it remembers of earlier steps is its `history`, which a checkpoint holds,
/// so that a run of a multistep solver resumes like any other. A new algorithm is a file with its type and a row in
/// ``NoiseSchedulerFactory``.
package protocol NoiseScheduler: Sendable {
    /// What a checkpoint's `scheduler_config.json` says.
    associatedtype Configuration: NoiseSchedulerConfiguration
    /// What the steps to come depend on beside the sample.
    associatedtype History: NoiseHistory

    /// Its name in pictures' metadata: `DDIM`.
    static var name: String { get }
    /// Whether `eta` changes what it does.
    static var takesEta: Bool { get }

    /// - Parameters:
    ///   - steps: 1 to `configuration.maximumSteps`.
    ///   - eta: the share of DDPM's noise that each step adds, 0 to 1.
    /// - Throws: `DiffusionError.invalidRequest` for values out of range.
    init(_ configuration: Configuration, steps: Int, eta: Float) throws(DiffusionError)

    /// The timestep at which each step begins, descending.
    var timesteps: [Float] { get }
    /// σ, the standard deviation of the noise for a signal of scale 1: where each step begins, and where the last one ends.
    var sigmas: [Float] { get }
    /// What standard normal noise is multiplied by to begin with.
    var initialNoiseScale: Float { get }
    var history: History { get set }

    /// One denoising step.
    ///
    /// - Parameters:
    ///   - sample: the noisy pictures, `[B, h, w, C]`; stays as it is.
    ///   - index: of the step; steps come in order.
    ///   - context: asks the model, once or several times, and draws noise.
    /// - Throws: what the context throws, and `TensorError.tooLarge` when memory cannot be had.
    mutating func step(
        _ sample: FeatureMap, at index: Int, in context: some DenoisingContext
    ) throws -> DenoisedSample
}

/// What a step leaves.
package struct DenoisedSample: Sendable {
    /// The less noisy pictures, `[B, h, w, C]`.
    package var next: FeatureMap
    /// x_0, the pictures without noise, as this step predicts them.
    package var original: FeatureMap

    package init(next: FeatureMap, original: FeatureMap) { (self.next, self.original) = (next, original) }
}

/// What a noise scheduler works with during one step.
package protocol DenoisingContext {
    var device: Device { get }

    /// The model's output for pictures that are scaled as it wants them.
    func predict(_ x: FeatureMap, timestep: Float) throws -> FeatureMap

    /// Standard normal noise of the sample's shape.
    ///
    /// - Parameter draw: counts the draws of one step, from 0; equal draws of a step are equal.
    func noise(draw: Int) throws -> FeatureMap
}

/// A noise scheduler's configuration, before the number of steps is known.
package protocol NoiseSchedulerConfiguration: Sendable {
    /// Steps of a run, at most.
    var maximumSteps: Int { get }

    /// - Parameters:
    ///   - json: the content of a `scheduler_config.json`.
    ///   - path: the file's, for errors.
    /// - Throws: `DiffusionError` that names the field.
    init(json: Data, path: String) throws(DiffusionError)
}

/// What a noise scheduler remembers of the steps that are done.
package protocol NoiseHistory: Codable, Sendable {
    /// All feature maps in it: each has the shape of the sample.
    var featureMaps: [FeatureMap] { get }
}

/// The history of an algorithm whose steps depend on the sample alone.
package struct NoHistory: NoiseHistory {
    package init() {}
    package var featureMaps: [FeatureMap] { [] }
}

extension NoiseScheduler {
    /// The history for a checkpoint: a property list, or nothing where there is none.
    func encodedHistory() throws(DiffusionError) -> [UInt8] {
        if history is NoHistory { return [] }
        let encoder = PropertyListEncoder()
        encoder.outputFormat = .binary
        do { return Array(try encoder.encode(history)) } catch {
            throw DiffusionError(.invalidRequest, "the noise scheduler's history cannot be saved")
        }
    }

    /// Takes over the history of a checkpoint.
    ///
    /// - Parameter sample: whose shape the history's feature maps must have.
    /// - Throws: `DiffusionError.invalidRequest` for bytes of another noise scheduler.
    mutating func restoreHistory(_ bytes: [UInt8], for sample: FeatureMap) throws(DiffusionError) {
        if history is NoHistory, bytes.isEmpty { return }
        guard !(history is NoHistory), let read = try? PropertyListDecoder().decode(History.self, from: Data(bytes)),
            read.featureMaps.allSatisfy({ $0.hasShape(of: sample) })
        else {
            throw DiffusionError(
                .invalidRequest, "\(bytes.count) bytes that are no history of the noise scheduler \(Self.name)")
        }
        history = read
    }
}
