import JSON

/// `POST /v1/chat/completions`.
struct ChatCompletionRequest: Decodable, Sendable {
    /// One turn of a conversation: text, by one of the known roles.
    struct Message: Decodable, Sendable {
        /// The roles that clients may name, and what each one is to a model. OpenAI's newer models call the system developer.
        static let roles = ["assistant": "assistant", "developer": "system", "system": "system", "user": "user"]
        private static let toolRoles = ["tool", "function"]

        var role: String
        var content: String

        private enum Key: String, CodingKey, CaseIterable {
            case role, content, refusal, name
            case tool_calls, function_call, tool_call_id, audio, reasoning_content, reasoning, prefix
        }

        private static let unsupported: [(key: Key, why: String)] = [
            (.tool_calls, "the models here call no tools"), (.function_call, "the models here call no tools"),
            (.tool_call_id, "the models here call no tools"), (.audio, "the models here read text only"),
            (.name, "turns carry no names; write it into 'content'"),
            (.prefix, "the model answers with a message of its own"),
        ]

        init(role: String, content: String) { (self.role, self.content) = (role, content) }

        /// Content is a text, or a list of text parts. An assistant's turn may have none.
        ///
        /// - Throws: `JSONError` that names the field.
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            let path = JSONPath(decoder.codingPath)
            role = try Self.role(try container.decode(String.self, forKey: .role), at: .member(of: path, "role"))
            for (key, why) in Self.unsupported {
                let value = try container.decodeIfPresent(IsEmptyJSON.self, forKey: key)
                guard value?.isEmpty == false else { continue }
                throw JSONError(.member(of: path, key.rawValue), "is not supported: \(why)")
            }
            if let given = try container.decodeIfPresent(MessageText.self, forKey: .content) {
                content = given.text
            } else if role == "assistant" {
                content = try container.decodeIfPresent(String.self, forKey: .refusal) ?? ""
            } else {
                // Says that it is required, or what it is instead.
                content = try container.decode(MessageText.self, forKey: .content).text
            }
        }

        /// - Throws: `JSONError` for a role that there is not: a role becomes part of the prompt's frame.
        static func role(_ given: String, at path: JSONPath) throws -> String {
            if let role = roles[given] { return role }
            if toolRoles.contains(given) {
                throw JSONError(path, "is '\(given)', which is not supported: the models here call no tools")
            }
            throw JSONError(path, "is no role that is known here; roles: \(roles.keys.sorted())")
        }
    }

    var messages: [Message]
    var logprobs: Bool?
    var top_logprobs: Int?
    /// What an answer may be made of; nil for whatever the model makes.
    var modalities: [String]?
    var parameters: GenerationParameters

    private enum Key: String, CodingKey { case messages, logprobs, top_logprobs, modalities }

    init(messages: [Message], parameters: GenerationParameters) {
        (self.messages, self.parameters) = (messages, parameters)
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        messages = try container.decode([Message].self, forKey: .messages)
        logprobs = try container.decodeIfPresent(Bool.self, forKey: .logprobs)
        top_logprobs = try container.decodeIfPresent(Int.self, forKey: .top_logprobs)
        modalities = try container.decodeIfPresent([String].self, forKey: .modalities)
        parameters = try GenerationParameters(from: decoder)
        parameters.grammar = try AnswerForm(from: decoder).grammar
    }
}

/// A message's content: a text, or a list of text parts.
struct MessageText: Decodable, Sendable {
    private struct Part: Decodable {
        var text: String

        private enum Key: String, CodingKey { case type, text, refusal }

        /// `input_text` and `output_text` are Responses' names.
        private static let textTypes = ["text", "input_text", "output_text"]

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            let type = try container.decode(String.self, forKey: .type)
            if type == "refusal" {
                text = try container.decode(String.self, forKey: .refusal)
                return
            }
            guard Self.textTypes.contains(type) else {
                throw JSONError(
                    .member(of: JSONPath(decoder.codingPath), "type"),
                    "is '\(type.prefix(40))'; only parts of type text are supported")
            }
            text = try container.decode(String.self, forKey: .text)
        }
    }

    let parts: [String]

    var text: String { parts.count == 1 ? parts[0] : parts.joined() }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            parts = [text]
        } else if (try? decoder.unkeyedContainer()) != nil {
            parts = try [Part](from: decoder).map(\.text)
        } else {
            parts = [try container.decode(String.self)]
        }
    }
}

/// Whether a value says nothing: null, false, 0, or empty, whatever its type.
struct IsEmptyJSON: Decodable {
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
        } else if let list = try? container.decode([IsEmptyJSON].self) {
            isEmpty = list.isEmpty
        } else {
            isEmpty = try container.decode([String: IsEmptyJSON].self).values.allSatisfy(\.isEmpty)
        }
    }
}
