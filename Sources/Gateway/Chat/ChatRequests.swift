import JSON

/// `POST /v1/chat/completions`.
struct ChatCompletionRequest: Decodable, Sendable {
    var messages: [Message]
    var logprobs: Bool?
    var top_logprobs: Int?
    /// What an answer may be made of; nil for whatever the model makes.
    var modalities: [String]?
    /// What the model's chat template is given beside the messages.
    var template = TemplateOptions()
    /// What the model may call.
    var tools = ToolDemand()
    var parameters: GenerationParameters

    private enum Key: String, CodingKey { case messages, logprobs, top_logprobs, modalities }

    init(messages: [Message], parameters: GenerationParameters) {
        (self.messages, self.parameters) = (messages, parameters)
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        messages = try Message.linked(try container.decode([Message].self, forKey: .messages))
        logprobs = try container.decodeIfPresent(Bool.self, forKey: .logprobs)
        top_logprobs = try container.decodeIfPresent(Int.self, forKey: .top_logprobs)
        modalities = try container.decodeIfPresent([String].self, forKey: .modalities)
        template = try TemplateOptions(from: decoder)
        try template.requireShownThoughts()
        tools = try ToolDemand(from: decoder)
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

    /// A line for each part, as vLLM and llama.cpp join them.
    var text: String { parts.count == 1 ? parts[0] : parts.joined(separator: "\n") }

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
