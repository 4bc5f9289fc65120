import Layers

/// What checkpoints say of RoPE.
extension RotaryFrequencies {
    private static let standardBase = 10_000.0
    private static let contexts = 2...1_048_576

    // MARK: config.json

    /// - Parameters:
    ///   - partial: how many elements of a head are turned where the file does not say it, as a part of 1; nil for an
    ///     architecture that turns all.
    ///   - standardBase: θ where the file does not say it.
    /// - Throws: `TextModelError.unsupported` for a scaling that is not known here, `.invalidCheckpoint` for one that is
    ///   incomplete.
    init(
        _ file: ConfigurationFile, shape: DecoderShape, partial: Double? = nil, standardBase: Double = standardBase
    ) throws(TextModelError) {
        try self.init(
            file, try Self.scaling(file, standardBase: standardBase), shape, partial: partial,
            standardBase: standardBase)
    }

    /// The rotation of one type of layers: `rope_parameters` of transformers 5 has an object for each. Earlier versions
    /// have the full layers' in `rope_theta` and `rope_scaling`, and the base of the others in a field of its own.
    ///
    /// - Parameters:
    ///   - type: `full_attention` or `sliding_attention`.
    ///   - localBase: that field, for the others.
    ///   - standardBase: θ where the file does not say it.
    init(
        _ file: ConfigurationFile, shape: DecoderShape, type: String, localBase: String? = nil, standardBase: Double
    ) throws(TextModelError) {
        if let own = try file.fields("rope_parameters")?.fields(type) {
            try self.init(file, own, shape, partial: nil, standardBase: standardBase)
        } else if let localBase {
            self.init(base: try file.positive(localBase, absent: standardBase), width: shape.headDim)
        } else {
            try self.init(
                file, try Self.scaling(file, standardBase: standardBase), shape, partial: nil,
                standardBase: standardBase)
        }
    }

    private init(
        _ file: ConfigurationFile, _ scaling: ConfigurationFile?, _ shape: DecoderShape, partial: Double?,
        standardBase: Double
    ) throws(TextModelError) {
        let kind = try scaling.flatMap { fields throws(TextModelError) in try Self.kind(fields) }
        let ownBase = try scaling?.number("rope_theta")
        if scaling != nil, kind == nil, ownBase == nil {
            throw TextModelError(
                .unsupported,
                "\(file.path): RoPE parameters without \"rope_type\" (by layer type?) are not supported")
        }
        if file.isNull("rope_theta"), ownBase == nil {
            throw file.refusal("rope_theta", "is null; give the number, or leave it out", .unsupported)
        }
        let base: Double
        if let scaling, ownBase != nil {
            base = try scaling.positive("rope_theta")
        } else {
            base = try file.positive("rope_theta", absent: standardBase)
        }
        let width = try Self.width(file, scaling, shape, partial: partial)
        self.init(
            base: base, width: width,
            scaling: try Self.scaling(file, scaling, kind: kind ?? "default", shape, width: width))
    }

    private static func kind(_ fields: ConfigurationFile) throws(TextModelError) -> String? {
        let kind = try fields.text("rope_type")
        return try kind == nil ? fields.text("type") : kind
    }

    /// transformers 5 writes `rope_parameters`, earlier versions `rope_theta` and `rope_scaling`. Where both are there, as
    /// when a card's scaling for long texts was added to a newer file, transformers takes `rope_scaling` and forgets the
    /// base that stands in `rope_parameters`: a model with another base would go wrong, and is refused.
    private static func scaling(
        _ file: ConfigurationFile, standardBase: Double
    ) throws(TextModelError) -> ConfigurationFile? {
        let scaling = try file.fields("rope_scaling")
        guard let parameters = try file.fields("rope_parameters") else { return scaling }
        guard let scaling else { return parameters }
        let outer = try file.number("rope_theta") ?? standardBase
        let bases = (try parameters.number("rope_theta") ?? outer, try scaling.number("rope_theta") ?? outer)
        let isPlain = try ["default", nil].contains(kind(parameters))
        let isSamePart = try parameters.number("partial_rotary_factor") == scaling.number("partial_rotary_factor")
        let hasSameEffect = isPlain ? true : try hasSameEffect(parameters, scaling)
        guard hasSameEffect, bases.0 == bases.1, isSamePart else {
            throw TextModelError(
                .unsupported,
                "\(file.path) has both \"rope_parameters\" and \"rope_scaling\", which disagree; put what is meant, with its "
                    + "\"rope_theta\", into \"rope_parameters\" alone")
        }
        return scaling
    }

    /// Whether two scalings are equal but for the base.
    private static func hasSameEffect(
        _ a: ConfigurationFile, _ b: ConfigurationFile
    ) throws(TextModelError) -> Bool {
        let kinds = (try kind(a) ?? "default", try kind(b) ?? "default")
        guard kinds.0 == kinds.1 else { return false }
        let numbers = [
            "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings",
            "partial_rotary_factor", "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim",
        ]
        for name in numbers where try a.number(name) != b.number(name) { return false }
        for name in ["short_factor", "long_factor"] where try a.numbers(name) != b.numbers(name) { return false }
        return true
    }

    /// How many elements of a head are turned.
    private static func width(
        _ file: ConfigurationFile, _ scaling: ConfigurationFile?, _ shape: DecoderShape, partial: Double?
    ) throws(TextModelError) -> Int {
        let name = "partial_rotary_factor"
        let own = try scaling?.number(name), outer = try file.number(name)
        guard let factor = own ?? outer ?? partial, factor != 1 else { return shape.headDim }
        guard partial != nil else {
            throw file.refusal(name, "is \(factor); only 1 is supported here", .unsupported)
        }
        let width = factor > 0 && factor < 1 ? Int(Double(shape.headDim) * factor) : 0
        guard width > 0, width % 2 == 0 else {
            throw file.refusal(name, "is \(factor), which is no even part of a head of \(shape.headDim)")
        }
        return width
    }

    private static func scaling(
        _ file: ConfigurationFile, _ scaling: ConfigurationFile?, kind: String, _ shape: DecoderShape, width: Int
    ) throws(TextModelError) -> Scaling {
        guard let scaling else { return .none }
        switch kind {
        case "default": return .none
        case "dynamic":
            // It changes nothing within the context, and no sequence outgrows that here.
            _ = try scaling.positive("factor")
            return .none
        case "yarn": return try yarn(file, scaling, shape)
        case "linear": return .linear(factor: Float(try scaling.positive("factor")))
        case "llama3":
            let factor = Float(try scaling.positive("factor"))
            let low = Float(try scaling.positive("low_freq_factor"))
            let high = Float(try scaling.positive("high_freq_factor"))
            let original = Float(try scaling.extent("original_max_position_embeddings", in: 1...1_048_576))
            guard high > low else {
                throw scaling.refusal("high_freq_factor", "is \(high); it must exceed \"low_freq_factor\", \(low)")
            }
            return .llama3(factor: factor, low: low, high: high, originalContext: original)
        case "longrope", "su": return try longRoPE(file, scaling, shape, pairs: width / 2)
        default:
            throw TextModelError(.unsupported, "\(file.path): RoPE scaling \"\(kind)\" is not supported")
        }
    }

    private static func yarn(
        _ file: ConfigurationFile, _ scaling: ConfigurationFile, _ shape: DecoderShape
    ) throws(TextModelError) -> Scaling {
        let original = try originalContext(file, scaling, absent: shape.context)
        let factor = try scaling.positive("factor", absent: Double(shape.context) / Double(original))
        let attention: Double
        if let own = try scaling.number("attention_factor") {
            attention = own
        } else if let m = try scaling.number("mscale"), let all = try scaling.number("mscale_all_dim"), m != 0, all != 0
        {
            attention = yarnAttention(factor, m) / yarnAttention(factor, all)
        } else {
            attention = yarnAttention(factor)
        }
        // As in Python, 0 stands for none.
        func turns(_ name: String, absent: Double) throws(TextModelError) -> Double {
            guard let value = try scaling.number(name), value != 0 else { return absent }
            return try scaling.positive(name)
        }
        return .yarn(
            factor: factor, attention: Float(attention), fast: try turns("beta_fast", absent: 32),
            slow: try turns("beta_slow", absent: 1), originalContext: Double(original),
            truncates: try scaling.bool("truncate") ?? true)
    }

    /// The context of which a scaling stretches the rotation; the file's own field comes before the scaling's.
    private static func originalContext(
        _ file: ConfigurationFile, _ scaling: ConfigurationFile, absent: Int? = nil
    ) throws(TextModelError) -> Int {
        let key = "original_max_position_embeddings"
        return try file.integer(key) != nil
            ? file.extent(key, in: contexts) : scaling.extent(key, in: contexts, absent: absent)
    }

    /// transformers changes from the short factors to the long ones when a sequence outgrows the original context. Here
    /// the checkpoint's context decides once for all sequences, because keys in the cache keep the rotation that they were
    /// written with.
    private static func longRoPE(
        _ file: ConfigurationFile, _ scaling: ConfigurationFile, _ shape: DecoderShape, pairs: Int
    ) throws(TextModelError) -> Scaling {
        let original = try originalContext(file, scaling)
        let name = shape.context > original ? "long_factor" : "short_factor"
        let factors = try scaling.numbers(name) ?? []
        guard factors.count == pairs, factors.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw scaling.refusal(name, "has \(factors.count) factors; \(pairs) positive ones are needed")
        }
        if scaling.has("attention_factor"), !scaling.isNull("attention_factor") {
            return .stretched(factors, attention: Float(try scaling.positive("attention_factor")))
        }
        let factor = try scaling.positive("factor", absent: Double(shape.context) / Double(original))
        return .stretched(factors, attention: attentionFactor(factor, originalContext: original))
    }

    // MARK: GGUF

    /// - Parameters:
    ///   - partial: whether the architecture may turn only the first elements of a head.
    ///   - truncates: whether YaRN's bounds are whole pairs.
    ///   - scaleOfAll: of YaRN, `mscale_all_dim`, which takes back what the scale of attention grows by; 0 for nothing.
    /// - Throws: `TextModelError` that names the key.
    init(
        _ file: GGUFMetadata, shape: DecoderShape, partial: Bool = false, standardBase: Double = standardBase,
        truncates: Bool = true, scaleOfAll: Double = 0
    ) throws(TextModelError) {
        let key = "rope.dimension_count"
        let width = try file.integer(key) ?? shape.headDim
        guard width == shape.headDim || partial else {
            throw file.refusal(
                key, "is \(width); only all \(shape.headDim) elements of a head can be turned here", .unsupported)
        }
        guard (2...shape.headDim).contains(width), width % 2 == 0 else {
            throw file.refusal(key, "is \(width), which is no even part of a head of \(shape.headDim)")
        }
        self.init(
            base: try file.positive("rope.freq_base", absent: standardBase), width: width,
            scaling: try Self.scaling(
                file, shape, pairs: width / 2, truncates: truncates, scaleOfAll: scaleOfAll))
    }

    private static func scaling(
        _ file: GGUFMetadata, _ shape: DecoderShape, pairs: Int, truncates: Bool, scaleOfAll: Double
    ) throws(TextModelError) -> Scaling {
        if let factors = try factors(file, shape) {
            guard factors.count == pairs, factors.allSatisfy({ $0 > 0 && $0.isFinite }) else {
                throw file.refusal(
                    "rope.dimension_count", "needs \(pairs) positive factors; the file has \(factors.count)")
            }
            return .stretched(factors, attention: Float(try file.positive("rope.scaling.attn_factor", absent: 1)))
        }
        switch file.text("rope.scaling.type") {
        case "none": return .none
        case "linear": return .linear(factor: Float(try file.positive("rope.scaling.factor")))
        case "yarn":
            let factor = try file.positive("rope.scaling.factor")
            let original = try file.extent(
                "rope.scaling.original_context_length", in: contexts, absent: shape.context)
            return .yarn(
                factor: factor,
                attention: Float(
                    try file.positive("rope.scaling.yarn_attn_factor", absent: 1) * yarnAttention(factor)
                        / (scaleOfAll == 0 ? 1 : yarnAttention(factor, scaleOfAll))),
                fast: try file.positive("rope.scaling.yarn_beta_fast", absent: 32),
                slow: try file.positive("rope.scaling.yarn_beta_slow", absent: 1),
                originalContext: Double(original), truncates: truncates)
        case let kind?: throw file.refusal("rope.scaling.type", "is \"\(kind)\", which is not supported", .unsupported)
        case nil:
            // Before `rope.scaling.type` there was this key.
            let factor = try file.number("rope.scale_linear") ?? 1
            return factor == 1 ? .none : .linear(factor: Float(try file.positive("rope.scale_linear")))
        }
    }

    /// A factor for each wavelength: Llama 3.1's, or those of LongRoPE that the context asks for.
    private static func factors(_ file: GGUFMetadata, _ shape: DecoderShape) throws(TextModelError) -> [Double]? {
        guard let long = try file.numbers(tensor: "rope_factors_long.weight") else {
            return try file.numbers(tensor: "rope_freqs.weight")
        }
        let original = try file.extent(
            "rope.scaling.original_context_length", in: contexts, absent: shape.context)
        if shape.context > original { return long }
        return try file.numbers(tensor: "rope_factors_short.weight") ?? long
    }
}
