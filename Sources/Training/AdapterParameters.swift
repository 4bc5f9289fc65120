package import Autograd
import Foundation
package import Layers
package import Tensors
package import TextModels

/// What is trained of an adapter: A and B of each linear layer that it changes, and perhaps magnitudes, in the order of the
/// model.
package struct AdapterParameters {
    package struct Configuration: Sendable, Hashable, Codable {
        /// r.
        package var rank = 16
        /// α: what is added to a layer is multiplied by α/r, or by α/√r of rank-stabilized LoRA (arXiv 2312.03732).
        package var alpha = 32.0
        package var usesRootScale = false
        /// Whether each output has a length of its own (DoRA, arXiv 2402.09353).
        package var hasMagnitudes = false
        /// What the names of the linear layers end with that are changed; all of the layers where it is empty.
        package var targets: [String] = []

        package init() {}

        package var scale: Float { Float(alpha / (usesRootScale ? Double(rank).squareRoot() : Double(rank))) }
    }

    package let configuration: Configuration
    package struct Module {
        package let module: LinearModule
        package let down: Parameter  // A, [r, K]
        package let up: Parameter  // B, [N, r]
        package let magnitude: Parameter?  // m, [N]
    }

    /// The values of a module.
    package struct Values {
        package var down: Tensor
        package var up: Tensor
        package var magnitude: Tensor?
    }

    package let modules: [Module]
    private let byNumber: [Int: LowRankParameters]

    /// A of random numbers, U(−1/√K, 1/√K), B of zeros, and magnitudes that the weights have, as PEFT begins: the model is not
    /// changed yet. The numbers depend on the seed, the module's name and the place alone.
    ///
    /// - Throws: `TrainingError.invalidOption` for targets that the model does not have.
    package init(
        _ configuration: Configuration, for parts: DecoderParts, seed: UInt64, on device: Device
    ) throws {
        let chosen = try Self.modules(configuration.targets, of: parts)
        self = try AdapterParameters(configuration, chosen) { module in
            let bound = 1 / Float(module.inputs).squareRoot(), count = configuration.rank * module.inputs
            let random = Philox(seed: seed), stream = RandomStream.number(of: module.name)
            let numbers = (0..<(count + 3) / 4).flatMap { block -> [Float] in
                let words = random.block((UInt32(block), stream.0, stream.1, 0x4C6F_5241))
                return [words.0, words.1, words.2, words.3].map { (2 * Philox.unit($0) - 1) * bound }
            }
            var values = Values(
                down: try Tensor(Array(numbers.prefix(count)), shape: [configuration.rank, module.inputs]),
                up: try Tensor(zeros: [module.outputs, configuration.rank]))
            if configuration.hasMagnitudes {
                let lengths = try module.parts.flatMap { try device.rowNorms(of: $0.weight).floats }
                values.magnitude = try Tensor(lengths, shape: [module.outputs])
            }
            return values
        }
    }

    package init(
        _ configuration: Configuration, _ modules: [LinearModule], values: (LinearModule) throws -> Values
    ) throws {
        var byNumber: [Int: LowRankParameters] = [:]
        self.configuration = configuration
        self.modules = try modules.map { module in
            let values = try values(module), name = module.name
            let own = Module(
                module: module, down: try Parameter("\(name).lora_A.weight", values.down),
                up: try Parameter("\(name).lora_B.weight", values.up),
                magnitude: try values.magnitude.map { try Parameter("\(name).lora_magnitude_vector", $0) })
            for part in module.parts {
                byNumber[part.number] = LowRankParameters(
                    down: own.down, up: own.up, scale: configuration.scale, outputs: part.outputs,
                    magnitude: own.magnitude)
            }
            return own
        }
        self.byNumber = byNumber
    }

    /// What is trained beside a layer; nil for one that stays as it is.
    package subscript(layer: Linear) -> LowRankParameters? { byNumber[layer.number] }

    /// All that is trained, in a fixed order.
    package var parameters: [Parameter] { modules.flatMap { [$0.down, $0.up] + [$0.magnitude].compactMap { $0 } } }

    package var count: Int { parameters.reduce(0) { $0 + $1.value.count } }

    /// The linear layers that targets name.
    package static func modules(_ targets: [String], of parts: DecoderParts) throws(TrainingError) -> [LinearModule] {
        let all = parts.linearModules
        let endings = Set(all.map { String($0.name.split(separator: ".").last ?? "") })
        for target in targets where !all.contains(where: { Self.matches($0.name, target) }) {
            throw TrainingError(
                .invalidOption,
                "--targets: the model has no linear layer \"\(target)\"; it has \(endings.sorted().joined(separator: ", "))"
            )
        }
        return targets.isEmpty ? all : all.filter { module in targets.contains { Self.matches(module.name, $0) } }
    }

    private static func matches(_ name: String, _ target: String) -> Bool {
        name == target || name.hasSuffix("." + target)
    }
}

/// Random numbers by what they are for.
enum RandomStream {
    /// FNV-1a of a name: what bears it draws from a stream of its own.
    static func number(of name: String) -> (UInt32, UInt32) {
        let hash = name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return (UInt32(truncatingIfNeeded: hash), UInt32(truncatingIfNeeded: hash >> 32))
    }
}
