import Foundation
import GGUF
import Layers
import Tensors

/// The tensors of an adapter's file, by the module that each is for.
struct AdapterTensors {
    /// What a tensor is to its module.
    enum Role: String, CaseIterable {
        /// A `[r, K]`, and B `[N, r]`.
        case down = "lora_A.weight"
        case up = "lora_B.weight"
        /// Of B, `[N]`.
        case upBias = "lora_B.bias"
        /// DoRA's, `[N]`.
        case magnitude = "lora_magnitude_vector"
        /// Of the embedding: `[r, V]` and `[C, r]`.
        case embeddingDown = "lora_embedding_A"
        case embeddingUp = "lora_embedding_B"
        /// The module's own, which PEFT saves with an adapter of embedding or head.
        case baseWeight = "base_layer.weight"
        /// The module's own where it was trained: of one with matrices, and of one without.
        case baseBias = "base_layer.bias"
        case bias = "bias"
        /// In the place of the module's own.
        case weight = "weight"
        /// Rows of tokens, in the order of `trainable_token_indices`.
        case tokens = "token_adapter.trainable_tokens_delta"
    }

    private enum Source {
        case safetensors(SafetensorsFile)
        /// Rows of some tensors stand in another order.
        case gguf(GGUFFile, orders: [String: [Int]])
    }

    private let source: Source
    /// The tensors' names by module, as the trained model calls it, and role.
    let modules: [String: [Role: String]]
    let path: String

    /// PEFT's `adapter_model.safetensors`.
    ///
    /// - Throws: `TextModelError` or `TensorError` that names the file or the tensor.
    init(directory: String) throws {
        path = directory + "/adapter_model.safetensors"
        if !FileManager.default.fileExists(atPath: path),
            FileManager.default.fileExists(atPath: directory + "/adapter_model.bin")
        {
            throw TextModelError(
                .unsupported, "\(directory) holds adapter_model.bin; save the adapter as adapter_model.safetensors")
        }
        let file = try SafetensorsFile(path: path)
        var modules: [String: [Role: String]] = [:]
        for name in file.entries.keys.sorted() {
            let (module, role) = try Self.place(name, path)
            if let taken = modules[module]?[role] {
                throw TextModelError(.invalidCheckpoint, "\(path): \"\(taken)\" and \"\(name)\" are for one matrix")
            }
            modules[module, default: [:]][role] = name
        }
        (self.modules, source) = (modules, .safetensors(file))
    }

    /// The module that a tensor is for: `base_model.model.MODULE.lora_A.weight`, sometimes with the adapter's name
    /// behind `lora_A`.
    private static func place(_ name: String, _ path: String) throws(TextModelError) -> (module: String, role: Role) {
        let prefix = "base_model.model."
        let own = name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
        let parts = own.split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
        for start in parts.indices.dropFirst() {
            let rest = Array(parts[start...])
            // The adapter's name is the second part, or the last.
            let spellings = [rest, rest.count > 1 ? [rest[0]] + rest[2...] : rest, rest.dropLast()]
            for spelling in spellings {
                let spelled = spelling.joined(separator: ".")
                let role = Role(rawValue: spelled) ?? (spelled == "lora_magnitude_vector.weight" ? .magnitude : nil)
                guard let role, spelling == rest || role != .weight && role != .bias else { continue }
                return (parts[..<start].joined(separator: "."), role)
            }
        }
        throw TextModelError(.unsupported, "\(path): tensor \"\(name)\" is not known, and would be left out")
    }

    /// llama.cpp's file of an adapter: `blk.0.attn_q.weight.lora_a` `[r, K]` and `….lora_b` `[N, r]`.
    ///
    /// - Parameters:
    ///   - layout: of the files of the model's architecture.
    ///   - model: that it is for.
    /// - Throws: `TextModelError` that names the file and the tensor.
    init(_ file: GGUFFile, layout: GGUFLayout, for model: any TextModel) throws(TextModelError) {
        (path, modules) = try Self.place(file, layout, model)
        var orders: [String: [Int]] = [:]
        for (module, tensors) in modules where layout.interleavesRotaryRows {
            guard let up = tensors[.up], let rows = file.header.tensors[up]?.shape.first else { continue }
            let heads =
                module.hasSuffix("self_attn.q_proj")
                ? model.shape.heads : module.hasSuffix("self_attn.k_proj") ? model.shape.kvHeads : 0
            orders[up] = GGUFLayout.rotaryRowOrder(rows: rows, heads: heads)
        }
        source = .gguf(file, orders: orders)
    }

    private static func place(
        _ file: GGUFFile, _ layout: GGUFLayout, _ model: any TextModel
    ) throws(TextModelError) -> (String, [String: [Role: String]]) {
        var modules: [String: [Role: String]] = [:]
        var placed: Set<String> = []
        let own = model.linearModules.map(\.name)
        for name in (own + elsewhere(model, own, layout)).flatMap({ ["model." + $0, $0] }) + ["lm_head"] {
            guard let own = layout.own(name + ".weight") else { continue }
            for (role, suffix) in [(Role.down, ".lora_a"), (.up, ".lora_b")] {
                guard file.header.tensors[own + suffix] != nil else { continue }
                modules[name, default: [:]][role] = own + suffix
                placed.insert(own + suffix)
            }
        }
        if let unknown = file.header.tensors.keys.sorted().first(where: { !placed.contains($0) }) {
            throw TextModelError(
                .unsupported,
                "\(file.path): tensor \"\(unknown)\" is for no linear layer of this model, and would be left out")
        }
        return (file.path, modules)
    }

    /// Modules that the layers of other parts may have: what a layer here has, and what the architecture's files name.
    private static func elsewhere(_ model: any TextModel, _ own: [String], _ layout: GGUFLayout) -> [String] {
        let mark = ".\(model.layers.lowerBound)."
        guard model.layers.count < model.shape.layers, let some = own.first, let end = some.firstRange(of: mark) else {
            return []
        }
        let prefix = some[..<end.lowerBound] + mark
        var stems = own.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        var known = Set(stems.compactMap { layout.layers[$0] })
        for (stem, file) in layout.layers.sorted(by: { $0.key < $1.key }) where known.insert(file).inserted {
            stems.append(stem)
        }
        let layers = (0..<model.shape.layers).filter { !model.layers.contains($0) }
        return layers.flatMap { layer in stems.map { "\(some[..<end.lowerBound]).\(layer).\($0)" } }
    }

    func shape(_ name: String) -> [Int]? {
        switch source {
        case .safetensors(let file): file.entries[name]?.shape
        case .gguf(let file, _): file.header.tensors[name]?.shape
        }
    }

    /// A tensor in f32.
    ///
    /// - Throws: `TensorError`, or `TextModelError` for values that are no numbers.
    func tensor(_ name: String) throws -> Tensor {
        let tensor: Tensor
        switch source {
        case .safetensors(let file): tensor = try file.tensor(name).widened()
        case .gguf(let file, let orders):
            let stored = try file.tensor(name).widened()
            tensor = try orders[name].map { try stored.selectingRows($0) } ?? stored
        }
        guard tensor.isFinite else { throw failure("has values in \"\(name)\" that are not finite") }
        return tensor
    }

    func failure(_ what: String) -> TextModelError { TextModelError(.invalidCheckpoint, "\(path) \(what)") }
}
