import Foundation
import Messages

/// One value, or a list of them.
struct OneOrMany<Value: Decodable & Sendable>: Decodable, Sendable {
    var values: [Value]

    init(values: [Value]) { self.values = values }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let one = try? container.decode(Value.self) {
            values = [one]
        } else {
            values = try container.decode([Value].self)
        }
    }
}

struct StreamOptions: Decodable, Sendable {
    var include_usage: Bool?
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
        prompt: TokensReply, from field: String, for description: ModelDescription, defaultMaxTokens: Int?
    ) throws -> GenerateRequest {
        let context = description.contextLength
        let room = context - prompt.ids.count
        guard room >= 1 else {
            throw APIError.invalidRequest(
                "The prompt has \(prompt.ids.count) tokens; the model's context is \(context).", parameter: field,
                code: "context_length_exceeded")
        }
        // A newer service may say more than this gateway can read: then the protocol's own defaults hold.
        let defaults = (try? SamplingDefaults(decoding: description.metadata)) ?? SamplingDefaults()
        var wanted = max_completion_tokens ?? max_tokens ?? min(presetMaxTokens ?? defaultMaxTokens ?? room, room)
        if let routeMaxTokens { wanted = min(wanted, routeMaxTokens) }
        var request = GenerateRequest(
            model: description.base, prompt: prompt.ids, maxTokens: try Self.count(wanted, "max_tokens", atLeast: 0),
            seed: seed.map { UInt64(bitPattern: $0) } ?? .random(in: 0...UInt64.max))
        request.adapter = description.parent == nil ? "" : description.name
        request.tokenizerHash = prompt.tokenizerHash
        request.n = try Self.count(n ?? 1, "n", atLeast: 1)
        request.temperature = temperature ?? defaults.temperature ?? 1
        // vLLM's clients say −1 for all tokens.
        request.topK = top_k == -1 ? 0 : try top_k.map { try Self.count($0, "top_k", atLeast: 0) } ?? defaults.topK ?? 0
        request.topP = top_p ?? defaults.topP ?? 1
        request.minP = min_p ?? defaults.minP ?? 0
        request.repetitionPenalty = repetition_penalty ?? defaults.repetitionPenalty ?? 1
        request.presencePenalty = presence_penalty ?? 0
        request.frequencyPenalty = frequency_penalty ?? 0
        request.logitBias = try (logit_bias ?? [:]).map { key, bias in
            guard let id = Int32(key) else {
                throw APIError.invalidRequest(
                    "logit_bias takes token ids, not '\(key.prefix(40))'.", parameter: "logit_bias")
            }
            return LogitBias(id: id, bias: bias)
        }
        request.stop = stop?.values ?? []
        request.ignoresEndOfText = ignore_eos ?? false
        // Who waits for the whole answer is not woken with each token, but ten times a second.
        if stream != true { request.patience = 100 }
        return request
    }

    /// Tokens that are asked for, of all answers; as far as that can be told before the prompts are encoded.
    ///
    /// - Parameter count: of one answer where the request does not say; nil for all that there is room for.
    func tokens(default count: Int?, prompts: Int = 1) -> Int {
        let asked = max_completion_tokens ?? max_tokens ?? presetMaxTokens ?? count ?? .max
        return GenerateRequest.tokens(of: min(asked, routeMaxTokens ?? .max), choices: n ?? 1)
            * min(max(prompts, 0), 1 << 10)
    }

    static func count(_ value: Int, _ field: String, atLeast least: Int) throws -> UInt32 {
        guard value >= least, let count = UInt32(exactly: value) else {
            throw APIError.invalidRequest("\(field) is \(value); it must be at least \(least).", parameter: field)
        }
        return count
    }
}

/// `POST /v1/chat/completions`.
struct ChatCompletionRequest: Decodable, Sendable {
    struct Message: Decodable, Sendable {
        private struct Part: Decodable {
            var type: String
            var text: String?
        }

        var role: String
        var content: String

        private enum Key: String, CodingKey { case role, content }

        init(role: String, content: String) { (self.role, self.content) = (role, content) }

        /// Content is a text, or a list of text parts.
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            role = try container.decode(String.self, forKey: .role)
            if let text = try? container.decode(String.self, forKey: .content) {
                content = text
            } else {
                let parts = try container.decode([Part].self, forKey: .content)
                guard parts.allSatisfy({ $0.type == "text" && $0.text != nil }) else {
                    throw DecodingError.dataCorruptedError(
                        forKey: .content, in: container, debugDescription: "only parts of type text are supported")
                }
                content = parts.compactMap { $0.text }.joined()
            }
        }
    }

    var messages: [Message]
    var logprobs: Bool?
    var top_logprobs: Int?
    var parameters: GenerationParameters

    private enum Key: String, CodingKey { case messages, logprobs, top_logprobs }

    init(messages: [Message], parameters: GenerationParameters) {
        (self.messages, self.parameters) = (messages, parameters)
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        messages = try container.decode([Message].self, forKey: .messages)
        logprobs = try container.decodeIfPresent(Bool.self, forKey: .logprobs)
        top_logprobs = try container.decodeIfPresent(Int.self, forKey: .top_logprobs)
        parameters = try GenerationParameters(from: decoder)
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
        } else if let texts = try? container.decode([String].self) {
            prompts = texts.map { .text($0) }
        } else if let ids = try? container.decode([Int32].self) {
            prompts = [.tokens(ids)]
        } else {
            prompts = try container.decode([[Int32]].self).map { .tokens($0) }
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

    private enum Key: String, CodingKey { case prompt, echo, logprobs, suffix, best_of }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        prompts = try container.decode(PromptList.self, forKey: .prompt).prompts
        echo = try container.decodeIfPresent(Bool.self, forKey: .echo)
        logprobs = try container.decodeIfPresent(Int.self, forKey: .logprobs)
        parameters = try GenerationParameters(from: decoder)
        if try container.decodeIfPresent(String.self, forKey: .suffix)?.isEmpty == false {
            throw DecodingError.dataCorruptedError(
                forKey: .suffix, in: container, debugDescription: "insertion before a suffix is not supported")
        }
        if let best = try container.decodeIfPresent(Int.self, forKey: .best_of), best != parameters.n ?? 1 {
            throw DecodingError.dataCorruptedError(
                forKey: .best_of, in: container, debugDescription: "best_of other than n is not supported; use n")
        }
    }
}
