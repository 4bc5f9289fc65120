import Foundation
import Messages

/// One value, or a list of them.
struct OneOrMany<Value: Decodable & Sendable>: Decodable, Sendable {
    var values: [Value]

    init(values: [Value]) { self.values = values }

    init(from decoder: any Decoder) throws {
        // An error in a list names its element.
        if (try? decoder.unkeyedContainer()) != nil {
            values = try [Value](from: decoder)
        } else {
            values = [try Value(from: decoder)]
        }
    }
}

struct StreamOptions: Decodable, Sendable {
    var include_usage: Bool?
    /// Every chunk says what has been used so far.
    var continuous_usage_stats: Bool?
}

/// The parameters that chat and plain completions share.
struct GenerationParameters: Decodable, Sendable {
    var model: String
    var max_tokens: Int?
    var max_completion_tokens: Int?
    var n: Int?
    var seed: Int64?
    var temperature: Float?
    var top_k: Int?
    var top_p: Float?
    var min_p: Float?
    var repetition_penalty: Float?
    var presence_penalty: Float?
    var frequency_penalty: Float?
    var logit_bias: [String: Float]?
    var stop: OneOrMany<String>?
    var ignore_eos: Bool?
    var stream: Bool?
    var stream_options: StreamOptions?
    /// Who asks, as the client knows them.
    var user: String?
    /// The name of a prompt's template, and values for its variables.
    var preset: String?
    var preset_variables: [String: String]?
    /// What the preset gives an answer where the client says nothing, and what the route gives at most.
    var presetMaxTokens: Int?
    var routeMaxTokens: Int?
    /// The form that an answer is held to; nil for any.
    var grammar: Wire.Grammar?
    /// Whether an answer may have less tokens than are asked for where there is no room for them.
    var capsMaxTokens = false
    /// What the route calls `max_tokens`.
    var maxTokensName = "max_tokens"

    private enum CodingKeys: String, CodingKey {
        case model, max_tokens, max_completion_tokens, n, seed, temperature, top_k, top_p, min_p, repetition_penalty
        case presence_penalty, frequency_penalty, logit_bias, stop, ignore_eos, stream, stream_options
        case user, preset, preset_variables
    }

    /// The call to the text-model, all its values fixed: a call that is made again gives the same.
    ///
    /// - Parameter field: what the client gave the prompt in.
    /// - Throws: `APIError` for a value that no call can carry.
    func request(
        prompt: Wire.TokensReply, from field: String, for description: ModelDescription, defaultMaxTokens: Int?
    ) throws -> Wire.GenerateRequest {
        let context = description.contextLength
        let room = context - prompt.ids.count
        guard room >= 1 else {
            throw APIError.invalidRequest(
                "prompt is too long: this model's maximum context length is \(context) tokens, and the prompt has "
                    + "\(prompt.ids.count)",
                parameter: field, code: "context_length_exceeded")
        }
        let defaults = description.sampling
        let asked = max_completion_tokens ?? max_tokens
        var wanted = asked ?? min(presetMaxTokens ?? defaultMaxTokens ?? room, room)
        if let routeMaxTokens { wanted = min(wanted, routeMaxTokens) }
        if capsMaxTokens { wanted = min(wanted, room) }
        guard wanted <= room else {
            throw APIError.invalidRequest(
                "\(tokensField) is \(wanted), but this model's maximum context length is \(context) tokens and the prompt "
                    + "has \(prompt.ids.count): an answer may have \(room).",
                parameter: tokensField, code: "context_length_exceeded")
        }
        var request = Wire.GenerateRequest(
            model: description.base, prompt: prompt.ids, maxTokens: try Self.count(wanted, tokensField, atLeast: 0),
            seed: seed.map { UInt64(bitPattern: $0) } ?? .random(in: 0...UInt64.max))
        request.adapter = description.parent == nil ? "" : description.name
        request.tokenizerHash = prompt.tokenizerHash
        request.n = try Self.count(n ?? 1, "n", atLeast: 1, most: UInt32(CompletionRequest.choiceLimit))
        request.temperature = temperature ?? defaults.temperature ?? 1
        // vLLM's clients say −1 for all tokens.
        request.topK = top_k == -1 ? 0 : try top_k.map { try Self.count($0, "top_k", atLeast: 0) } ?? defaults.topK ?? 0
        // OpenAI takes 0, which leaves the likeliest token alone.
        request.topP = top_p == 0 ? .leastNormalMagnitude : top_p ?? defaults.topP ?? 1
        request.minP = min_p ?? defaults.minP ?? 0
        request.repetitionPenalty = repetition_penalty ?? defaults.repetitionPenalty ?? 1
        request.presencePenalty = presence_penalty ?? 0
        request.frequencyPenalty = frequency_penalty ?? 0
        request.logitBias = try (logit_bias ?? [:]).map { key, bias in
            guard let id = Int32(key) else {
                throw APIError.invalidRequest(
                    "logit_bias takes token ids, not '\(key.prefix(40))'.", parameter: "logit_bias")
            }
            return Wire.LogitBias(id: id, bias: bias)
        }
        request.stop = stop?.values ?? []
        request.ignoresEndOfText = ignore_eos ?? false
        request.grammar = grammar
        // A caller that waits for the whole answer is not woken with each token, but ten times a second.
        if stream != true { request.batchingDelay = .milliseconds(100) }
        return request
    }

    /// Tokens that are asked for, of all answers, as far as that is known before the prompts are encoded.
    ///
    /// - Parameter count: of one answer where the request does not say; nil for all that there is room for.
    func tokens(default count: Int?, prompts: Int = 1) -> Int {
        let asked = max_completion_tokens ?? max_tokens ?? presetMaxTokens ?? count ?? .max
        return Wire.GenerateRequest.tokens(of: min(asked, routeMaxTokens ?? .max), choices: n ?? 1)
            * min(max(prompts, 0), 1 << 10)
    }

    static func count(
        _ value: Int, _ field: String, atLeast least: Int, most: UInt32 = .max
    ) throws -> UInt32 {
        guard value >= least, let count = UInt32(exactly: value), count <= most else {
            throw APIError.invalidRequest(
                "\(field) is \(value); it must lie in \(least)…\(most).", parameter: field)
        }
        return count
    }

    /// The field in which the client said how many tokens an answer may have.
    private var tokensField: String {
        if max_completion_tokens != nil { return "max_completion_tokens" }
        return max_tokens == nil ? "max_tokens" : maxTokensName
    }
}

/// What a plain completion starts from.
enum CompletionPrompt: Decodable, Sendable, Equatable {
    case text(String)
    case tokens([Int32])
}

/// A text, texts, token ids, or lists of them.
struct PromptList: Decodable, Sendable {
    var prompts: [CompletionPrompt]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            prompts = [.text(text)]
            return
        }
        // The first element says what kind of list it is; an error in another element names that one.
        var elements = try decoder.unkeyedContainer()
        if elements.isAtEnd {
            prompts = []
        } else if (try? elements.decode(String.self)) != nil {
            prompts = try container.decode([String].self).map { .text($0) }
        } else if (try? elements.nestedUnkeyedContainer()) != nil {
            prompts = try container.decode([[Int32]].self).map { .tokens($0) }
        } else {
            prompts = [.tokens(try container.decode([Int32].self))]
        }
    }
}

/// `POST /v1/completions`.
struct CompletionRequest: Decodable, Sendable {
    /// Prompts times choices of one request, at most.
    static let choiceLimit = 128

    var prompts: [CompletionPrompt]
    var echo: Bool?
    /// Alternatives beside each token's log-probability.
    var logprobs: Int?
    var parameters: GenerationParameters

    private enum Key: String, CodingKey { case prompt, echo, logprobs, best_of }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        prompts = try container.decode(PromptList.self, forKey: .prompt).prompts
        echo = try container.decodeIfPresent(Bool.self, forKey: .echo)
        logprobs = try container.decodeIfPresent(Int.self, forKey: .logprobs)
        parameters = try GenerationParameters(from: decoder)
        parameters.grammar = try AnswerForm(from: decoder).grammar
        if let best = try container.decodeIfPresent(Int.self, forKey: .best_of), best != parameters.n ?? 1 {
            throw DecodingError.dataCorruptedError(
                forKey: .best_of, in: container,
                debugDescription: "is \(best); best_of other than n is not supported: use n")
        }
    }
}
