import GGUF
import Tensors

/// What a GGUF file says of its model under `general.architecture`'s own keys, each read as what it must be.
package struct GGUFMetadata: Sendable {
    let file: GGUFFile
    /// `general.architecture`, which stands before every key.
    let architecture: String

    private func value(_ key: String) -> GGUFValue? { file.header.metadata[architecture + "." + key] }

    /// The error of a key that cannot be taken: `FILE: "ARCHITECTURE.KEY" what`.
    func refusal(_ key: String, _ what: String, _ code: TextModelError.Code = .invalidCheckpoint) -> TextModelError {
        TextModelError(code, "\(file.path): \"\(architecture).\(key)\" \(what)")
    }

    /// A number, or the one that every layer has in a list; nil where the key is missing.
    ///
    /// - Parameter ignoringZeros: whether layers for which the list has 0 do not count: they have no such thing.
    func integer(_ key: String, ignoringZeros: Bool = false) throws(TextModelError) -> Int? {
        guard let value = value(key) else { return nil }
        guard let list = value.array else {
            guard let integer = value.integer else { throw refusal(key, "is not a whole number") }
            return integer
        }
        var integers = list.compactMap(\.integer)
        guard integers.count == list.count else {
            throw refusal(key, "is a list that holds something else than whole numbers")
        }
        if ignoringZeros { integers.removeAll { $0 == 0 } }
        guard let first = integers.first else { throw refusal(key, "is a list without a number") }
        guard integers.allSatisfy({ $0 == first }) else {
            throw refusal(key, "differs from layer to layer, which is not supported", .unsupported)
        }
        return first
    }

    /// A number for each layer: those of a list, or one for all.
    func integers(_ key: String, in range: ClosedRange<Int>, layers: Int) throws(TextModelError) -> [Int] {
        guard let list = value(key)?.array else {
            return Array(repeating: try extent(key, in: range), count: layers)
        }
        let integers = list.compactMap(\.integer)
        guard integers.count == list.count, integers.count == layers, integers.allSatisfy({ range.contains($0) }) else {
            throw refusal(key, "is no list of \(layers) numbers in \(range.lowerBound)…\(range.upperBound)")
        }
        return integers
    }

    func number(_ key: String) throws(TextModelError) -> Double? {
        guard let value = value(key) else { return nil }
        guard let number = value.number else { throw refusal(key, "is not a number") }
        return number
    }

    func flag(_ key: String) -> Bool? { if case .bool(let flag) = value(key) { flag } else { nil } }

    func text(_ key: String) -> String? { value(key)?.text }

    func texts(_ key: String) throws(TextModelError) -> [String]? {
        guard let value = value(key) else { return nil }
        let texts = (value.array ?? []).compactMap(\.text)
        guard let list = value.array, texts.count == list.count else { throw refusal(key, "is no list of texts") }
        return texts
    }

    /// A whole number within its sane range.
    ///
    /// - Throws: `TextModelError.invalidCheckpoint` where it is missing or lies outside.
    func extent(
        _ key: String, in range: ClosedRange<Int>, absent: Int? = nil, ignoringZeros: Bool = false
    ) throws(TextModelError) -> Int {
        guard let value = try integer(key, ignoringZeros: ignoringZeros) ?? absent else {
            throw refusal(key, "is missing")
        }
        guard range.contains(value) else {
            throw refusal(key, "is \(value), outside \(range.lowerBound)…\(range.upperBound)")
        }
        return value
    }

    /// A number above 0.
    ///
    /// - Throws: `TextModelError.invalidCheckpoint` where it is missing or is not positive.
    func positive(_ key: String, absent: Double? = nil) throws(TextModelError) -> Double {
        let value = try number(key) ?? absent
        guard let value, value > 0, value.isFinite else {
            throw refusal(key, "is \(value.map { "\($0)" } ?? "missing"); it must be positive")
        }
        return value
    }

    /// How many of the last positions a row of a windowed layer sees; nil for all.
    func window(absent: Int? = nil) throws(TextModelError) -> Int? {
        let window = try integer("attention.sliding_window") ?? absent ?? 0
        return window == 0 ? nil : try extent("attention.sliding_window", in: 1...Int(Int32.max), absent: window)
    }

    /// The window of each layer, 0 for none: as a list of flags says, or else in all but every so many-th.
    ///
    /// - Parameter isFullFirst: whether the first of every so many layers has none, and not the last.
    /// - Throws: `TextModelError` that names the key.
    func windows(
        _ window: Int, layers: Int, pattern: Int, isFullFirst: Bool = false
    ) throws(TextModelError) -> [Int] {
        let key = "attention.sliding_window_pattern"
        guard let list = value(key)?.array else {
            let pattern = try extent(key, in: 1...1_024, absent: pattern)
            return (0..<layers).map { ($0 + (isFullFirst ? 0 : 1)) % pattern != 0 ? window : 0 }
        }
        let flags = list.compactMap { if case .bool(let flag) = $0 { flag } else { nil } }
        guard flags.count == list.count, flags.count == layers else {
            throw refusal(key, "is no list of \(layers) flags")
        }
        return flags.map { $0 ? window : 0 }
    }

    /// V, the rows of the embedding.
    var vocabulary: Int? { file.header.tensors["token_embd.weight"]?.shape.first }

    /// Whether the embedding is the head: there is no `output.weight`.
    var isTied: Bool { !hasTensor("output.weight") }

    func hasTensor(_ name: String) -> Bool { file.header.tensors[name] != nil }

    /// The numbers of a small tensor; nil where the file has none of that name.
    func numbers(tensor name: String) throws(TextModelError) -> [Double]? {
        guard hasTensor(name) else { return nil }
        do {
            return try file.tensor(name).widened().floats.map { Double($0) }
        } catch {
            throw TextModelError(error)
        }
    }

    // MARK: What is not known

    /// How many layers at the end draft tokens (multi-token prediction).
    static let draftLayers = "nextn_predict_layers"

    /// Keys that every architecture reads, or that change nothing here.
    private static let known: Set<String> = [
        "attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.layer_norm_epsilon",
        "attention.layer_norm_rms_epsilon", "attention.sliding_window", "attention.value_length", "block_count",
        "context_length", "embedding_length", "feed_forward_length", "rope.dimension_count", "rope.freq_base",
        "rope.scale_linear", "rope.scaling.attn_factor", "rope.scaling.factor", "rope.scaling.finetuned",
        "rope.scaling.original_context_length", "rope.scaling.type", "rope.scaling.yarn_attn_factor",
        "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "tensor_data_layout", "vocab_size",
        "pooling_type", draftLayers,
    ]

    /// Refuses a key that is not known unless it is 0 or false: it may say that the model computes otherwise.
    ///
    /// - Parameter own: keys that the architecture reads besides the common ones.
    /// - Throws: `TextModelError.unsupported` that names the file and the key.
    func refuseUnknownKeys(own: Set<String>) throws(TextModelError) {
        if !own.contains("expert_count"), let experts = try integer("expert_count"), experts > 0 {
            throw TextModelError(.unsupported, "\(file.path): a mixture of \(experts) experts is not supported")
        }
        let prefix = architecture + "."
        for (key, value) in file.header.metadata.sorted(by: { $0.key < $1.key }) where key.hasPrefix(prefix) {
            let name = String(key.dropFirst(prefix.count))
            if Self.known.contains(name) || own.contains(name) { continue }
            let isOff: Bool =
                switch value {
                // The one flag that is on by default.
                case .bool(let flag): name == "attention.causal" ? flag : !flag
                case .integer(let number): number == 0
                case .float(let number):
                    number == 0 || number == 1 && ["logit_scale", "residual_scale", "embedding_scale"].contains(name)
                case .string, .array: false
                }
            guard isOff else {
                throw TextModelError(
                    .unsupported, "\(file.path): the key \"\(key)\" asks for something that is not computed here")
            }
        }
    }
}
