import Layers
import Tensors

/// What an adapter changes in a model, or in the part of it that is here: the modules with their tensors, in the order of
/// the model. Those of other parts are looked at there.
struct AdapterPlan {
    /// A module with matrices, or with a trained bias alone.
    struct Module {
        let name: String
        let inputs: Int
        let outputs: Int
        let tensors: [AdapterTensors.Role: String]
        /// 0 without matrices.
        let rank: Int
        let scale: Float
    }

    private(set) var modules: [(planned: Module, module: LinearModule)] = []
    /// Of the head.
    private(set) var head: Module?
    /// Tensors in the place of embedding and head, by their names in the file.
    private(set) var embeddingTable: String?
    private(set) var headTable: String?
    /// Of the embedding: its matrices, their rank and their scale.
    private(set) var embedding: (down: String, up: String, rank: Int, scale: Float)?
    /// Tokens with rows of their own, and the tensor of these.
    private(set) var tokens: (ids: [Int32], rows: String)?

    /// Bytes of what is loaded.
    private(set) var byteCount = 0

    private let file: AdapterTensors
    private let configuration: AdapterConfiguration
    /// What is not yet taken, by module.
    private var rest: [String: [AdapterTensors.Role: String]]

    /// - Throws: `TextModelError` when file, configuration and model do not agree on modules or shapes.
    init(
        _ file: AdapterTensors, _ configuration: AdapterConfiguration, for model: any TextModel
    ) throws(TextModelError) {
        (self.file, self.configuration, rest) = (file, configuration, file.modules)
        let known = Dictionary(uniqueKeysWithValues: model.linearModules.map { ($0.name, $0) })
        let elsewhere = rest.keys.filter { Self.isElsewhere($0, model) }
        for name in elsewhere { rest[name] = nil }
        // All of a file's names begin alike.
        let root =
            file.modules.keys.sorted().map(Self.split)
            .first { known[$0.module] != nil || Self.embeddings.contains($0.module) && !$0.root.isEmpty }?.root ?? ""
        try checkNames(root, known, model)
        for module in model.linearModules {
            let name = root + module.name
            guard let planned = try take(name, inputs: module.inputs, outputs: module.outputs) else { continue }
            modules.append((planned, module))
            byteCount += module.parts.reduce(PackedMatrix.plainByteCount(columns: planned.rank, depth: module.inputs)) {
                $0 + PackedMatrix.plainByteCount(columns: $1.outputs.count, depth: planned.rank) + 8 * $1.outputs.count
            }
        }
        if model.layers.lowerBound == 0 { try takeOutside(root, model) }
        if let (module, tensors) = rest.sorted(by: { $0.key < $1.key }).first(where: { !$0.value.isEmpty }),
            let tensor = tensors.values.min()
        {
            throw TextModelError(
                .unsupported, "\(file.path): tensor \"\(tensor)\" of \(module) is not supported; \(Self.reason(tensor))"
            )
        }
        guard
            !modules.isEmpty || !elsewhere.isEmpty || head != nil || embedding != nil || embeddingTable != nil
                || headTable != nil
                || tokens != nil
        else { throw file.failure("has no matrices for any linear layer of this model") }
    }

    private static let embeddings = ["embed_tokens", "wte"], headName = "lm_head"

    private static func reason(_ name: String) -> String {
        if name.contains("lora_magnitude_vector") { return "DoRA is where \"use_dora\" is set, but not of embeddings" }
        if name.contains("lora_embedding_") { return "adapters of the embedding are only where it is one" }
        if name.hasSuffix(".bias") { return "biases are of linear layers, where \"bias\" or \"lora_bias\" says so" }
        return "a whole tensor is for embedding and head, where \"modules_to_save\" names them"
    }

    /// A module's name without what the trained model called the Transformer.
    static func split(_ name: String) -> (root: String, module: String) {
        let root = LinearModule.roots.first { name.hasPrefix($0) } ?? ""
        return (root, String(name.dropFirst(root.count)))
    }

    /// Whether the module is in another part of a model that is cut by layers.
    private static func isElsewhere(_ name: String, _ model: any TextModel) -> Bool {
        guard let layer = LayerCut.layer(of: name) else { return model.layers.lowerBound > 0 }
        return layer < model.shape.layers && !model.layers.contains(layer)
    }

    private func checkNames(
        _ root: String, _ known: [String: LinearModule], _ model: any TextModel
    ) throws(TextModelError) {
        for (name, tensors) in file.modules.sorted(by: { $0.key < $1.key }) where !Self.isElsewhere(name, model) {
            guard tensors[.down] != nil || tensors[.up] != nil else { continue }
            let parts = Self.split(name)
            guard name == Self.headName || parts.root == root && known[parts.module] != nil else {
                throw file.failure(
                    "has matrices for \(name), which is no linear layer of this model that can be adapted")
            }
            guard configuration.isTarget(name) else {
                throw file.failure(
                    "has matrices for \(name), which \"target_modules\" in adapter_config.json leaves out")
            }
        }
    }

    private mutating func take(_ name: String, _ role: AdapterTensors.Role) -> String? {
        rest[name]?.removeValue(forKey: role)
    }

    private func check(_ tensor: String?, _ shape: [Int]) throws(TextModelError) {
        guard let tensor else { return }
        let found = file.shape(tensor) ?? []
        guard found == shape else {
            throw file.failure("has \"\(tensor)\" in shape \(found); the model and the adapter's rank need \(shape)")
        }
    }

    /// A module's tensors, where it has any.
    private mutating func take(_ name: String, inputs: Int, outputs: Int) throws(TextModelError) -> Module? {
        let isTarget = configuration.isTarget(name)
        var tensors: [AdapterTensors.Role: String] = [:]
        if isTarget {
            guard let down = take(name, .down), let up = take(name, .up) else {
                let missing = file.modules[name]?[.down] == nil ? "lora_A" : "lora_B"
                throw file.failure(
                    "has no \(missing) for \(name), which \"target_modules\" in adapter_config.json names")
            }
            let rank = configuration.rank(of: name)
            try check(down, [rank, inputs])
            try check(up, [outputs, rank])
            (tensors[.down], tensors[.up]) = (down, up)
            if configuration.usesDoRA {
                guard let magnitude = take(name, .magnitude) else {
                    throw file.failure("has no lora_magnitude_vector for \(name), which \"use_dora\" needs")
                }
                tensors[.magnitude] = magnitude
            }
            if configuration.hasUpBias {
                guard let bias = take(name, .upBias) else {
                    throw file.failure("has no lora_B.bias for \(name), which \"lora_bias\" needs")
                }
                tensors[.upBias] = bias
            }
        }
        if configuration.trainsBiases { tensors[.baseBias] = take(name, .baseBias) ?? take(name, .bias) }
        for role in [AdapterTensors.Role.magnitude, .upBias, .baseBias] { try check(tensors[role], [outputs]) }
        guard !tensors.isEmpty else { return nil }
        return Module(
            name: name, inputs: inputs, outputs: outputs, tensors: tensors,
            rank: isTarget ? configuration.rank(of: name) : 0, scale: isTarget ? try configuration.scale(of: name) : 0)
    }

    /// What is for embedding and head.
    private mutating func takeOutside(_ root: String, _ model: any TextModel) throws(TextModelError) {
        let (vocabulary, c) = (model.shape.vocabulary, model.shape.hidden)
        for own in Self.embeddings.map({ root + $0 }) {
            let isTarget = configuration.isTarget(own)
            if configuration.isSaved(own), let table = take(own, .weight) { embeddingTable = table }
            if isTarget, let down = take(own, .embeddingDown), let up = take(own, .embeddingUp) {
                let rank = configuration.rank(of: own)
                try check(down, [rank, vocabulary])
                try check(up, [c, rank])
                embedding = (down, up, rank, try configuration.scale(of: own))
                embeddingTable = take(own, .baseWeight)
                byteCount += PackedMatrix.plainByteCount(columns: vocabulary, depth: rank)
                byteCount += PackedMatrix.plainByteCount(columns: c, depth: rank)
            }
            if let rows = take(own, .tokens) {
                guard let ids = configuration.tokens(of: own) else {
                    throw file.failure("has \"\(rows)\", but \"trainable_token_indices\" names no tokens of \(own)")
                }
                try check(rows, [ids.count, c])
                guard ids.allSatisfy({ $0 >= 0 && $0 < vocabulary }) else {
                    throw file.failure("has rows for tokens \(ids); ids are below \(vocabulary)")
                }
                tokens = (ids.map { Int32($0) }, rows)
                byteCount += 2 * ids.count * c * 4
            }
        }
        for own in Self.embeddings where configuration.isTarget(own) && embedding == nil {
            throw file.failure("has no lora_embedding_A or lora_embedding_B for \(own), which \"target_modules\" names")
        }
        for own in Self.embeddings where configuration.isSaved(own) && embeddingTable == nil {
            throw file.failure("has no weight of \(own), which \"modules_to_save\" names")
        }
        if configuration.namesTokens, tokens == nil {
            throw file.failure("has no rows for the tokens that \"trainable_token_indices\" names")
        }
        if configuration.isSaved(Self.headName), let table = take(Self.headName, .weight) { headTable = table }
        if configuration.isTarget(Self.headName), model.hasHead {
            head = try take(Self.headName, inputs: c, outputs: vocabulary)
            headTable = take(Self.headName, .baseWeight)
            byteCount += PackedMatrix.plainByteCount(columns: head?.rank ?? 0, depth: c)
            byteCount += PackedMatrix.plainByteCount(columns: vocabulary, depth: head?.rank ?? 0)
        }
        if configuration.isSaved(Self.headName), headTable == nil {
            throw file.failure("has no weight of lm_head, which \"modules_to_save\" names")
        }
        for table in [embeddingTable, headTable].compactMap({ $0 }) {
            try check(table, [vocabulary, c])
            byteCount += PackedMatrix.plainByteCount(columns: vocabulary, depth: c)
        }
        if configuration.tiesWeights, embedding != nil || embeddingTable != nil || head != nil || headTable != nil {
            throw TextModelError(
                .unsupported, "\(file.path): \"ensure_weight_tying\" with an adapted embedding or head is not supported"
            )
        }
    }
}
