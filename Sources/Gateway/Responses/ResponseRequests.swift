import Foundation

/// `POST /v1/responses`: text in, text out. Nothing is kept, so that each request brings its whole conversation.
struct ResponseRequest: Decodable, Sendable {
    var conversation: ChatCompletionRequest
    var instructions: String?
    /// Given back as it came.
    var metadata: [String: String]?

    private static let metadataLimit = 16

    private enum Key: String, CodingKey {
        case input, instructions, max_output_tokens, metadata, n, text, truncation, tool_choice, service_tier, store
        // What nobody here can do. Whatever is not empty is refused.
        case tools, previous_response_id, conversation, prompt, background, include, max_tool_calls, reasoning
        case top_logprobs
    }

    private static let unsupported: [(key: Key, why: String)] = [
        (.previous_response_id, "nothing is kept here; send the whole conversation in 'input'"),
        (.conversation, "nothing is kept here; send the whole conversation in 'input'"),
        (.store, "nothing is kept here; leave it out or send false"),
        (.background, "nothing is kept here; wait for the answer, or stream it"),
        (.tools, "the models here call no tools"), (.max_tool_calls, "the models here call no tools"),
        (.prompt, "there are no stored prompts; 'preset' names a template of the gateway"),
        (.reasoning, "the models here do not reason apart from their answers"),
        (.include, "there is nothing to include"), (.top_logprobs, "/v1/chat/completions has log-probabilities"),
    ]

    /// - Throws: `APIError` that names the field.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        for (key, why) in Self.unsupported {
            let value = try container.decodeIfPresent(Emptiness.self, forKey: key)
            guard value?.isEmpty == false else { continue }
            throw APIError.invalidRequest("'\(key.rawValue)' is not supported: \(why).", parameter: key.rawValue)
        }
        try Self.check(container)
        var parameters = try GenerationParameters(from: decoder)
        parameters.max_tokens = try container.decodeIfPresent(Int.self, forKey: .max_output_tokens)
        parameters.max_completion_tokens = nil
        if let count = parameters.max_tokens, count < 1 {
            throw APIError.invalidRequest(
                "max_output_tokens is \(count); it must be at least 1.", parameter: "max_output_tokens")
        }
        instructions = try container.decodeIfPresent(String.self, forKey: .instructions)
        metadata = try container.decodeIfPresent([String: String].self, forKey: .metadata)
        guard metadata?.count ?? 0 <= Self.metadataLimit,
            metadata?.allSatisfy({ $0.utf8.count <= 64 && $1.utf8.count <= 512 }) ?? true
        else {
            throw APIError.invalidRequest(
                "'metadata' takes \(Self.metadataLimit) names of 64 bytes and values of 512 at most.",
                parameter: "metadata")
        }
        let messages = try container.decode(ResponseInput.self, forKey: .input).messages
        guard !messages.isEmpty else {
            throw APIError.invalidRequest("'input' holds no message.", parameter: "input")
        }
        let opening = instructions.map { [ChatCompletionRequest.Message(role: "system", content: $0)] } ?? []
        conversation = ChatCompletionRequest(messages: opening + messages, parameters: parameters)
    }

    private struct Text: Decodable {
        struct Format: Decodable { var type: String }
        var format: Format?
        var verbosity: String?
    }

    /// What may be said, as long as it changes nothing.
    private static func check(_ container: KeyedDecodingContainer<Key>) throws {
        func require(_ holds: Bool, _ parameter: String, _ only: String) throws {
            guard holds else {
                throw APIError.invalidRequest("'\(parameter)' takes \(only) only.", parameter: parameter)
            }
        }
        let text = try container.decodeIfPresent(Text.self, forKey: .text)
        try require(text?.format?.type ?? "text" == "text", "text.format", "{\"type\": \"text\"}")
        try require(text?.verbosity ?? "medium" == "medium", "text.verbosity", "'medium'")
        try require(try container.decodeIfPresent(Int.self, forKey: .n) ?? 1 == 1, "n", "1")
        let truncation = try container.decodeIfPresent(String.self, forKey: .truncation) ?? "disabled"
        try require(truncation == "disabled", "truncation", "'disabled'")
        let tier = try container.decodeIfPresent(String.self, forKey: .service_tier) ?? "auto"
        try require(["auto", "default"].contains(tier), "service_tier", "'auto' or 'default'")
        guard container.contains(.tool_choice), try !container.decodeNil(forKey: .tool_choice) else { return }
        let choice = try? container.decode(String.self, forKey: .tool_choice)
        try require(["auto", "none"].contains(choice), "tool_choice", "'auto' or 'none'")
    }
}

/// Whether a value says nothing: null, false, 0, or empty, whatever its type.
private struct Emptiness: Decodable {
    let isEmpty: Bool

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            isEmpty = true
        } else if let flag = try? container.decode(Bool.self) {
            isEmpty = !flag
        } else if let number = try? container.decode(Double.self) {
            isEmpty = number == 0
        } else if let text = try? container.decode(String.self) {
            isEmpty = text.isEmpty
        } else if let list = try? container.decode([Emptiness].self) {
            isEmpty = list.isEmpty
        } else {
            isEmpty = try container.decode([String: Emptiness].self).values.allSatisfy(\.isEmpty)
        }
    }
}

/// A text, or a list of messages.
struct ResponseInput: Decodable, Sendable {
    private struct Item: Decodable {
        struct Part: Decodable {
            var type: String
            var text: String?
        }

        private static let roles = [
            "user": "user", "assistant": "assistant", "system": "system", "developer": "system",
        ]

        var message: ChatCompletionRequest.Message

        private enum Key: String, CodingKey { case type, role, content }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            let type = try container.decodeIfPresent(String.self, forKey: .type) ?? "message"
            guard type == "message" else {
                throw ResponseInput.refusal("items of type 'message', not '\(type.prefix(40))'")
            }
            let given = try container.decode(String.self, forKey: .role)
            guard let role = Self.roles[given] else {
                throw ResponseInput.refusal("messages of \(Self.roles.keys.sorted()), not of '\(given.prefix(40))'")
            }
            if let text = try? container.decode(String.self, forKey: .content) {
                message = .init(role: role, content: text)
                return
            }
            let parts = try container.decode([Part].self, forKey: .content)
            if let other = parts.first(where: { !["input_text", "output_text", "text"].contains($0.type) }) {
                throw ResponseInput.refusal(
                    "content of type 'input_text' or 'output_text', not '\(other.type.prefix(40))'")
            }
            guard parts.allSatisfy({ $0.text != nil }) else { throw ResponseInput.refusal("parts with a 'text'") }
            message = .init(role: role, content: parts.compactMap(\.text).joined())
        }
    }

    var messages: [ChatCompletionRequest.Message]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            messages = [.init(role: "user", content: text)]
        } else {
            messages = try container.decode([Item].self).map(\.message)
        }
    }

    private static func refusal(_ what: String) -> APIError {
        APIError.invalidRequest("'input' takes a text, or \(what).", parameter: "input")
    }
}
