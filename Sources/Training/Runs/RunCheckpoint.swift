import Autograd
import Foundation
import Tensors

/// All that a run needs to go on to the bit: what is trained, the optimizer's moments, the step, and what the run is.
struct RunCheckpoint {
    private static let name = "checkpoint.safetensors", stateName = "state"

    private struct State: Codable {
        var step: Int
        var run: RunIdentity
    }

    /// - Parameter averages: of the parameters; nil where none are kept.
    /// - Throws: `TrainingError.unwritable`; the checkpoint before is then untouched.
    static func write(
        _ parameters: [Parameter], _ optimizer: AdamW, averages: WeightAverages?, _ run: RunIdentity,
        to directory: RunDirectory
    ) throws(TrainingError) {
        var tensors: [String: Tensor] = [:]
        for (parameter, moments) in zip(parameters, optimizer.moments) {
            tensors[parameter.name] = parameter.value
            tensors[parameter.name + ".momentum"] = moments.momentum
            tensors[parameter.name + ".variance"] = moments.variance
        }
        for (parameter, average) in zip(parameters, averages?.values ?? []) {
            tensors[parameter.name + ".average"] = average
        }
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            let state = [UInt8](try encoder.encode(State(step: optimizer.steps, run: run)))
            tensors[stateName] = try Tensor(u8: state, shape: [state.count])
            try DurableFile.write(tensors, to: "\(directory.path)/\(name)")
        } catch let error as TrainingError {
            throw error
        } catch {
            throw TrainingError(.unwritable, "cannot write a checkpoint to \(directory.path): \(error)")
        }
    }

    static func exists(in directory: RunDirectory) -> Bool {
        FileManager.default.fileExists(atPath: "\(directory.path)/\(name)")
    }

    /// Puts a run back to where its checkpoint was written.
    ///
    /// - Returns: the optimizer; the parameters, and their averages, have the checkpoint's values.
    /// - Throws: `TrainingError` that says how the run differs from the checkpoint's.
    static func restore(
        _ parameters: [Parameter], _ configuration: AdamW.Configuration, averages: WeightAverages?, _ run: RunIdentity,
        from directory: RunDirectory
    ) throws -> AdamW {
        let path = "\(directory.path)/\(name)", file = try SafetensorsFile(path: path)
        guard let state = try? JSONDecoder().decode(State.self, from: Data(try file.tensor(stateName).bytes)) else {
            throw TrainingError(.invalidOption, "\(path) is no checkpoint of a run")
        }
        if let difference = run.difference(from: state.run) {
            throw TrainingError(
                .invalidOption,
                "\(path) is of another run: \(difference); resume with the options of then, or give --output another directory"
            )
        }
        func tensor(_ name: String, like value: Tensor) throws -> Tensor {
            let stored = try file.tensor(name)
            guard stored.dtype == .f32, stored.shape == value.shape else {
                throw TrainingError(.invalidOption, "\(path): \"\(name)\" is \(stored.shape), not \(value.shape)")
            }
            return stored
        }
        let moments = try parameters.map { parameter in
            parameter.value.copy(from: try tensor(parameter.name, like: parameter.value))
            return AdamW.Moments(
                momentum: try tensor(parameter.name + ".momentum", like: parameter.value),
                variance: try tensor(parameter.name + ".variance", like: parameter.value))
        }
        for (parameter, average) in zip(parameters, averages?.values ?? []) {
            average.copy(from: try tensor(parameter.name + ".average", like: average))
        }
        return try AdamW(configuration, parameters, steps: state.step, moments: moments)
    }
}

/// What decides about the bits of a run, by names that a user knows.
package struct RunIdentity: Sendable, Hashable, Codable {
    package var parts: [String: String]

    package init(_ parts: [String: String]) { self.parts = parts }

    /// What is not as it was; nil for nothing.
    func difference(from other: RunIdentity) -> String? {
        Set(parts.keys).union(other.parts.keys).sorted().first { parts[$0] != other.parts[$0] }.map {
            "\($0) was \(other.parts[$0] ?? "not there") and is \(parts[$0] ?? "not there")"
        }
    }
}
