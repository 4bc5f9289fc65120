import Foundation
import Layers
import Tensors

/// PEFT's `adapter_model.safetensors`: two matrices for each module that the adapter changes.
struct AdapterFile {
    /// A module, and what the adapter adds to it.
    struct PlannedModule {
        let module: LinearModule
        /// The names of A `[r, K]` and B `[N, r]` in the file.
        let down: String
        let up: String
        let rank: Int
        let scale: Float

        /// What the packed matrices take.
        var byteCount: Int {
            let panels = PackedMatrix.plainByteCount(columns: rank, depth: module.inputs)
            return module.parts.reduce(panels) {
                $0 + PackedMatrix.plainByteCount(columns: $1.outputs.count, depth: rank)
            }
        }
    }

    /// The two tensors of one module, as far as they were found.
    private struct Pair {
        var down: String?
        var up: String?
    }

    private let file: SafetensorsFile
    /// By the module as the trained model calls it.
    private let pairs: [String: Pair]

    /// - Throws: `TextModelError` or `TensorError` that names the file or the tensor.
    init(directory: String) throws {
        let path = directory + "/adapter_model.safetensors"
        if !FileManager.default.fileExists(atPath: path),
            FileManager.default.fileExists(atPath: directory + "/adapter_model.bin")
        {
            throw TextModelError(
                .unsupported, "\(directory) holds adapter_model.bin; save the adapter as adapter_model.safetensors")
        }
        file = try SafetensorsFile(path: path)
        var pairs: [String: Pair] = [:]
        for name in file.entries.keys {
            let (module, isDown) = try Self.place(name, path)
            let taken = isDown ? pairs[module]?.down : pairs[module]?.up
            if let taken {
                throw TextModelError(.invalidCheckpoint, "\(path): \"\(taken)\" and \"\(name)\" are for one matrix")
            }
            if isDown { pairs[module, default: Pair()].down = name } else { pairs[module, default: Pair()].up = name }
        }
        self.pairs = pairs
    }

    /// The module that a tensor is for: `base_model.model.MODULE.lora_A.weight`, sometimes with the adapter's name
    /// before the last part.
    private static func place(_ name: String, _ path: String) throws(TextModelError) -> (module: String, isDown: Bool) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
        let wrapping = name.hasPrefix("base_model.model.") ? 2 : 0
        guard let matrix = parts.lastIndex(where: { $0 == "lora_A" || $0 == "lora_B" }), matrix > wrapping,
            parts.last == "weight", (matrix + 2...matrix + 3).contains(parts.count)
        else {
            throw TextModelError(.unsupported, "\(path): tensor \"\(name)\" is not supported; \(Self.reason(name))")
        }
        return (parts[wrapping..<matrix].joined(separator: "."), parts[matrix] == "lora_A")
    }

    private static func reason(_ name: String) -> String {
        if name.contains("lora_magnitude_vector") { return "DoRA is not" }
        if name.contains("lora_embedding_") { return "adapters of the embedding are not" }
        if name.contains("lora_"), name.hasSuffix(".bias") { return "an adapter's biases are not" }
        return "only the matrices lora_A and lora_B of linear layers are"
    }

    /// What the adapter adds to which module, in the order of the model.
    ///
    /// - Throws: `TextModelError` when file, configuration and model do not agree on modules or shapes.
    func plan(
        _ configuration: AdapterConfiguration, for modules: [LinearModule]
    ) throws(TextModelError) -> [PlannedModule] {
        let known = Dictionary(uniqueKeysWithValues: modules.map { ($0.name, $0) })
        // All of a file's names begin alike.
        let root = pairs.keys.map { Self.split($0) }.first { known[$0.module] != nil }?.root ?? ""
        for name in pairs.keys.sorted() {
            let parts = Self.split(name)
            guard parts.root == root, known[parts.module] != nil else {
                throw failure("has matrices for \(name), which is no linear layer of this model that can be adapted")
            }
            guard configuration.isTarget(name) else {
                throw failure("has matrices for \(name), which \"target_modules\" in adapter_config.json leaves out")
            }
        }
        var plan: [PlannedModule] = []
        for module in modules {
            let name = root + module.name
            guard configuration.isTarget(name) else { continue }
            guard let down = pairs[name]?.down, let up = pairs[name]?.up else {
                let missing = pairs[name]?.down == nil ? "lora_A" : "lora_B"
                throw failure("has no \(missing) for \(name), which \"target_modules\" in adapter_config.json names")
            }
            let rank = configuration.rank(of: name)
            try check(down, [rank, module.inputs], of: name)
            try check(up, [module.outputs, rank], of: name)
            plan.append(
                PlannedModule(
                    module: module, down: down, up: up, rank: rank, scale: try configuration.scale(of: name)))
        }
        guard !plan.isEmpty else { throw failure("has no matrices for any linear layer of this model") }
        return plan
    }

    /// A module's name without what the trained model called the Transformer.
    private static func split(_ name: String) -> (root: String, module: String) {
        let root = LinearModule.roots.first { name.hasPrefix($0) } ?? ""
        return (root, String(name.dropFirst(root.count)))
    }

    private func check(_ tensor: String, _ shape: [Int], of module: String) throws(TextModelError) {
        guard let found = file.entries[tensor]?.shape, found == shape else {
            let found = file.entries[tensor]?.shape ?? []
            throw failure("has \"\(tensor)\" in shape \(found); the model and the adapter's rank need \(shape)")
        }
    }

    private func failure(_ what: String) -> TextModelError {
        TextModelError(.invalidCheckpoint, "\(file.path) \(what)")
    }

    /// Reads a module's matrices and packs them for the linear layers that it became.
    ///
    /// - Throws: `TensorError`, or `TextModelError` for matrices with values that are no numbers.
    func load(
        _ planned: PlannedModule, into updates: inout [LowRankUpdate?], _ digest: inout NumericsDigest,
        on device: Device
    ) throws {
        let down = try file.tensor(planned.down).widened()  // [r, K]
        let up = try file.tensor(planned.up).widened()  // [N, r]
        device.scale(up, by: planned.scale, into: up)
        for (name, tensor) in [(planned.down, down), (planned.up, up)] where !tensor.isFinite {
            throw failure("has values in \"\(name)\" that are not finite, or not with its scale")
        }
        digest.add(planned.module.name + ".A", down)
        digest.add(planned.module.name + ".B", up)
        let packed = try PackedMatrix(down, on: device)
        for part in planned.module.parts {
            updates[part.number] = LowRankUpdate(
                down: packed, up: try PackedMatrix(up, outputs: part.outputs, on: device))
        }
    }
}
