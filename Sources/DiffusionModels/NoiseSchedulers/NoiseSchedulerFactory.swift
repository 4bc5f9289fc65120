package import Foundation

/// A checkpoint's noise scheduler before a run: it makes one for each drawing.
package struct NoiseSchedulerFactory: Sendable {
    /// The noise schedulers that there are, by diffusers' `_class_name`.
    private static let kinds: [String: any NoiseScheduler.Type] = [
        "DDPMScheduler": DDPMNoiseScheduler.self,
        "DDIMScheduler": DDIMNoiseScheduler.self,
    ]

    /// The algorithm's name in pictures' metadata: `DDIM`.
    package let name: String
    /// Whether `eta` changes what it does.
    package let takesEta: Bool
    /// Steps of a run, at most.
    package let maximumSteps: Int
    private let make: @Sendable (_ steps: Int, _ eta: Float) throws(DiffusionError) -> any NoiseScheduler

    package init<Scheduler: NoiseScheduler>(_ kind: Scheduler.Type, _ configuration: Scheduler.Configuration) {
        name = kind.name
        takesEta = kind.takesEta
        maximumSteps = configuration.maximumSteps
        make = { (steps, eta) throws(DiffusionError) in try Scheduler(configuration, steps: steps, eta: eta) }
    }

    /// Reads a pipeline's `scheduler_config.json`.
    ///
    /// - Throws: `DiffusionError` that names the field.
    package init(json: Data, path: String) throws(DiffusionError) {
        struct Kind: Decodable {
            var _class_name: String?
        }
        let name = (try? JSONDecoder().decode(Kind.self, from: json))?._class_name
        guard let kind = name.flatMap({ Self.kinds[$0] }) else {
            // A file that is no JSON is refused as such.
            _ = try NoiseSchedule(json: json, path: path)
            throw DiffusionError(
                .unsupported,
                "\(path): the scheduler \(name ?? "without a name") is not supported, only \(Self.kinds.keys.sorted().joined(separator: " and "))"
            )
        }
        self = try Self.read(kind, json: json, path: path)
    }

    private static func read<Scheduler: NoiseScheduler>(
        _ kind: Scheduler.Type, json: Data, path: String
    ) throws(DiffusionError) -> NoiseSchedulerFactory {
        NoiseSchedulerFactory(kind, try Scheduler.Configuration(json: json, path: path))
    }

    /// - Throws: `DiffusionError.invalidRequest` for values out of range.
    package func make(steps: Int, eta: Float) throws(DiffusionError) -> any NoiseScheduler { try make(steps, eta) }
}
