internal import Synchronization
package import Tensors

/// A linear layer as the checkpoint names it, and the layers of the model that it became: one, or several where the
/// file joins their outputs in one matrix. Adapters name what they change in this way.
package struct LinearModule: Sendable {
    package struct Part: Sendable {
        /// The number of a `Linear`.
        package var number: Int
        /// Which of the module's outputs it gives.
        package var outputs: Range<Int>
        package var weight: PackedMatrix  // [outputs, inputs]
        package var bias: Tensor?  // [outputs]
    }

    /// Within the Transformer, without what a file calls that: `layers.0.self_attn.q_proj`, `h.0.attn.c_attn`.
    package let name: String
    package let inputs: Int
    package let parts: [Part]

    package var outputs: Int { parts.last?.outputs.upperBound ?? 0 }

    /// What a file may call the Transformer, outside of which the head stands.
    package static let roots = ["model.", "transformer."]
}

/// Numbers a model's linear layers as they are loaded.
package final class LinearModuleList: Sendable {
    private let state = Mutex<(modules: [LinearModule], count: Int)>(([], 0))

    package var modules: [LinearModule] { state.withLock { $0.modules } }

    /// - Parameter name: nil for one that adapters cannot name.
    /// - Returns: the linear layers, one for each of the `parts`.
    func add(_ name: String?, inputs: Int, parts: [(weight: PackedMatrix, bias: Tensor?)]) -> [Linear] {
        let root = LinearModule.roots.first { name?.hasPrefix($0) == true } ?? ""
        return state.withLock { state in
            var first = 0
            var made: [LinearModule.Part] = []
            for part in parts {
                let outputs = first..<first + part.weight.columns
                made.append(.init(number: state.count, outputs: outputs, weight: part.weight, bias: part.bias))
                first = outputs.upperBound
                state.count += 1
            }
            if let name = name?.dropFirst(root.count) {
                state.modules.append(LinearModule(name: String(name), inputs: inputs, parts: made))
            }
            return made.map { Linear(weight: $0.weight, bias: $0.bias, number: $0.number) }
        }
    }
}
