import JSON

/// `options` of Ollama's requests, of which each is honoured, changes no answer, or is refused by name.
struct OllamaOptions: Decodable, Sendable {
    var seed: Int64?
    var num_predict: Int?
    var num_ctx: Int?
    var temperature: Float?
    var top_k: Int?
    var top_p: Float?
    var min_p: Float?
    var repeat_penalty: Float?
    var presence_penalty: Float?
    var frequency_penalty: Float?
    var stop: OneOrMany<String>?

    init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case seed, num_predict, num_ctx, temperature, top_k, top_p, min_p, repeat_penalty, presence_penalty
        case frequency_penalty, stop
    }

    /// How a model is loaded, which is the operator's affair and changes no answer.
    private static let harmless: Set<String> = [
        "numa", "num_batch", "num_gpu", "main_gpu", "low_vram", "use_mmap", "use_mlock", "num_thread", "num_keep",
        "mirostat_tau", "mirostat_eta",
    ]

    private static let refused = RefusedFields([
        refuse("repeat_last_n", because: "'repeat_penalty' looks at all of the text", unless: isNumber(-1)),
        refuse(
            "tfs_z", "typical_p", because: "'top_p', 'top_k' and 'min_p' cut the choice of tokens", unless: isNumber(1)),
        refuse("mirostat", because: "'top_p', 'top_k' and 'min_p' cut the choice of tokens"),
        refuse("penalize_newline", because: "a line's end is a token as others are", unless: isTrue),
        refuse("f16_kv", because: "the operator says how the cache is kept", unless: isTrue),
        refuse("logits_all", "vocab_only", "embedding_only", because: "a model is loaded as its operator says"),
    ])

    /// - Throws: `APIError` that names an option which is not known.
    static func check(_ value: JSONValue) throws {
        guard case .object(let object) = value else { return }
        try refused.check(object, within: "options")
        let known = Set(CodingKeys.allCases.map(\.rawValue)).union(harmless).union(refused.names)
        guard let other = object.members.first(where: { !known.contains($0.key) && !$0.value.isNull }) else { return }
        let name = "options.\(other.key.prefix(60))"
        throw APIError.invalidRequest("'\(name)' is not known here.", parameter: name)
    }

    /// - Parameter model: as the client names it.
    func parameters(of model: String) -> GenerationParameters {
        var parameters = GenerationParameters(model: model)
        parameters.capsMaxTokens = true
        // Below 0 there is no limit but the context.
        parameters.max_tokens = num_predict.flatMap { $0 < 0 ? nil : $0 }
        (parameters.seed, parameters.temperature) = (seed, temperature)
        (parameters.top_k, parameters.top_p, parameters.min_p) = (top_k, top_p, min_p)
        parameters.repetition_penalty = repeat_penalty
        (parameters.presence_penalty, parameters.frequency_penalty) = (presence_penalty, frequency_penalty)
        parameters.stop = stop
        return parameters
    }

    /// - Throws: `APIError` where more context is asked for than the model has.
    func check(for model: String, contextLength: Int) throws {
        guard let num_ctx, num_ctx > contextLength else { return }
        throw APIError.invalidRequest(
            "'options.num_ctx' is \(num_ctx); the context of '\(model)' has \(contextLength) tokens.",
            parameter: "options.num_ctx")
    }
}
