/// PEFT's `adapter_config.json`, as far as it bears on what a LoRA adapter computes. What is not known here must be off.
struct AdapterConfiguration: Sendable {
    /// The largest rank that is accepted.
    static let rankLimit = 1_024

    /// A number for all modules, and other ones for those whose names match a pattern.
    struct Patterned<Value: Sendable & Equatable>: Sendable {
        var value: Value
        var patterns: [(name: String, pattern: ModulePattern, value: Value)] = []
    }

    let baseModel: String?
    private let rank: Patterned<Int>
    private let alpha: Patterned<Double>
    private let usesRootScale: Bool
    private let targets: ModulePattern
    private let exclusions: ModulePattern?
    /// Only these layers; all where nil.
    private let layers: Set<Int>?
    /// What stands before a layer's number; anything where empty.
    private let layerNames: [String]
    private let path: String
    /// Of a file whose tensors say them themselves.
    private var ownRanks: [String: Int] = [:]

    /// Whether outputs have lengths of their own (DoRA), B has biases, and the model's biases were trained.
    let usesDoRA: Bool
    let hasUpBias: Bool
    let trainsBiases: Bool
    /// Whether what is changed of the embedding is changed of a head that is the same matrix.
    let tiesWeights: Bool
    private let saved: [String]
    /// Tokens with rows of their own, by the embedding's name; the empty name for any.
    private let tokens: [String: [Int]]

    /// Has no effect on what a saved adapter computes.
    private static let harmless: Set<String> = [
        "auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode", "peft_version",
        "lora_dropout", "fan_in_fan_out", "megatron_core", "loftq_config", "eva_config", "corda_config",
        "lora_ga_config", "qalora_group_size", "runtime_config",
    ]
    private static let read: Set<String> = [
        "peft_type", "r", "lora_alpha", "use_rslora", "target_modules", "exclude_modules", "layers_to_transform",
        "layers_pattern", "rank_pattern", "alpha_pattern", "bias", "init_lora_weights", "use_dora", "lora_bias",
        "modules_to_save", "trainable_token_indices",
        "ensure_weight_tying",
    ]
    /// Other ways to begin a training (PiSSA, OLoRA, CorDA, …) take a part out of the base model's weights.
    private static let beginnings: Set<String> = ["gaussian", "eva", "orthogonal", "mica"]

    /// - Throws: `TextModelError` that names the file and the field.
    init(path: String) throws(TextModelError) {
        let file = try ConfigurationFile(path: path)
        let kind = try file.text("peft_type") ?? "none"
        guard kind == "LORA" else { throw file.refusal("peft_type", "is \"\(kind)\"; only LORA is supported") }
        let bias = try file.text("bias") ?? "none"
        guard ["none", "all", "lora_only"].contains(bias) else {
            throw file.refusal("bias", "is \"\(bias)\"; known: none, all, lora_only")
        }
        trainsBiases = bias != "none"
        usesDoRA = try file.bool("use_dora") ?? false
        hasUpBias = try file.bool("lora_bias") ?? false
        tiesWeights = try file.bool("ensure_weight_tying") ?? false
        saved = try file.oneOrMoreTexts("modules_to_save")
        if let other = saved.first(where: { name in !Self.savable.contains { name == $0 || name.hasSuffix(".\($0)") } })
        {
            throw file.refusal(
                "modules_to_save", "names \"\(other)\"; known: \(Self.savable.joined(separator: ", "))", .unsupported)
        }
        tokens = try Self.tokens(file)
        if let beginning = file.optionalText("init_lora_weights"), !Self.beginnings.contains(beginning.lowercased()) {
            throw file.refusal(
                "init_lora_weights",
                "is \"\(beginning)\", which changes the base model's weights; save the adapter converted to plain LoRA")
        }
        for name in file.names where !Self.harmless.contains(name) && !Self.read.contains(name) {
            guard file.isOff(name) else { throw file.refusal(name, "is set, which is not supported") }
        }
        self.path = path
        baseModel = file.optionalText("base_model_name_or_path")
        rank = Patterned(
            value: try Self.checkedRank(try file.integer("r") ?? 8, "r", file),
            patterns: try file.patterns("rank_pattern") { name, number throws(TextModelError) in
                try Self.checkedRank(Int(exactly: number) ?? 0, "rank_pattern.\(name)", file)
            })
        alpha = Patterned(
            value: try file.number("lora_alpha") ?? 8,
            patterns: try file.patterns("alpha_pattern") { _, number throws(TextModelError) in number })
        usesRootScale = try file.bool("use_rslora") ?? false
        guard let targets = try file.modules("target_modules") else {
            throw file.refusal("target_modules", "is missing; it says which modules the adapter changes")
        }
        self.targets = targets
        exclusions = try file.modules("exclude_modules")
        let layers = try file.oneOrMoreIntegers("layers_to_transform")
        self.layers = layers.isEmpty ? nil : Set(layers)
        layerNames = try file.oneOrMoreTexts("layers_pattern")
    }

    /// What a file's own tensors say.
    ///
    /// - Parameter alpha: 0 for one that is the rank.
    init(_ tensors: AdapterTensors, alpha: Double) throws(TextModelError) {
        (path, baseModel) = (tensors.path, nil)
        for (module, roles) in tensors.modules {
            guard let rank = roles[.down].flatMap({ tensors.shape($0) })?.first, (1...Self.rankLimit).contains(rank)
            else {
                throw tensors.failure("has no lora_a of rank 1…\(Self.rankLimit) for \(module)")
            }
            ownRanks[module] = rank
        }
        guard alpha.isFinite else { throw tensors.failure("has an \"adapter.lora.alpha\" of \(alpha)") }
        (rank, self.alpha) = (Patterned(value: 1), Patterned(value: alpha))
        (usesRootScale, targets, exclusions) = (false, .names(Array(tensors.modules.keys)), nil)
        (layers, layerNames) = (nil, [])
        (usesDoRA, hasUpBias, trainsBiases, tiesWeights) = (false, false, false, false)
        (saved, tokens) = ([], [:])
    }

    /// Modules that may be saved whole.
    private static let savable = ["embed_tokens", "wte", "lm_head"]

    private static func tokens(_ file: ConfigurationFile) throws(TextModelError) -> [String: [Int]] {
        let name = "trainable_token_indices"
        guard !file.isOff(name) else { return [:] }
        guard file.value(name)?.elements == nil else { return ["": try file.oneOrMoreIntegers(name)] }
        guard let fields = try file.fields(name) else { return [:] }
        var tokens: [String: [Int]] = [:]
        for module in fields.names {
            guard ["embed_tokens", "wte"].contains(where: { module == $0 || module.hasSuffix(".\($0)") }) else {
                throw fields.refusal(
                    module, "is not the embedding (embed_tokens, wte), which alone is supported", .unsupported)
            }
            tokens[module] = try fields.oneOrMoreIntegers(module)
        }
        return tokens
    }

    /// Whether the module was saved whole.
    func isSaved(_ name: String) -> Bool { saved.contains { name == $0 || name.hasSuffix(".\($0)") } }

    var namesTokens: Bool { !tokens.isEmpty }

    /// The tokens that have rows of their own in an embedding of that name.
    func tokens(of name: String) -> [Int]? {
        tokens.first { $0.key.isEmpty || name == $0.key || name.hasSuffix(".\($0.key)") }?.value
    }

    private static func checkedRank(_ rank: Int, _ field: String, _ file: ConfigurationFile) throws(TextModelError)
        -> Int
    {
        guard (1...rankLimit).contains(rank) else {
            throw file.refusal(field, "is \(rank); a rank lies in 1…\(rankLimit)")
        }
        return rank
    }

    /// Whether the adapter changes the module: what PEFT's `check_target_module_exists` says.
    ///
    /// - Parameter name: as the model that was trained calls it, `model.layers.0.self_attn.q_proj`.
    func isTarget(_ name: String) -> Bool {
        if let exclusions, exclusions.matches(name) { return false }
        guard targets.matches(name) else { return false }
        // `all-linear` leaves out the head, and an embedding is no linear layer.
        if case .allLinear = targets, Self.savable.contains(where: { name == $0 || name.hasSuffix(".\($0)") }) {
            return false
        }
        guard let layers, case .names(let names) = targets, !names.contains(name) else { return true }
        return layerNumber(name).map { layers.contains($0) } ?? false
    }

    /// The first number that stands as a part of its own, behind one of `layerNames` where there are any.
    private func layerNumber(_ name: String) -> Int? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
        for index in parts.indices.dropFirst().dropLast() where parts[index].allSatisfy(\.isNumber) {
            let before = parts[..<index].joined(separator: ".")
            let isLayer =
                layerNames.isEmpty ? index >= 2 : layerNames.contains { before == $0 || before.hasSuffix("." + $0) }
            if isLayer { return Int(parts[index]) }
        }
        return nil
    }

    func rank(of module: String) -> Int { ownRanks[module] ?? value(rank, of: module) }

    /// What the product of the module's matrices is multiplied by: α/r, or α/√r.
    ///
    /// - Throws: `TextModelError` when it is not a finite number in f32.
    func scale(of module: String) throws(TextModelError) -> Float {
        let rank = Double(rank(of: module)), own = value(alpha, of: module)
        let alpha = own == 0 && !ownRanks.isEmpty ? rank : own
        let scale = Float(alpha / (usesRootScale ? rank.squareRoot() : rank))
        guard scale.isFinite else {
            throw TextModelError(.invalidCheckpoint, "\(path): \"lora_alpha\" gives \(module) a scale of \(scale)")
        }
        return scale
    }

    private func value<Value>(_ patterned: Patterned<Value>, of module: String) -> Value {
        // PEFT takes the first in the order of the file.
        patterned.patterns.first { $0.pattern.matches(module) }?.value ?? patterned.value
    }
}
