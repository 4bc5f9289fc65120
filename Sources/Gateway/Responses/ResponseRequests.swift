import JSON
import Messages

/// `POST /v1/responses`.
struct ResponseRequest: Decodable, Sendable {
    var conversation: ChatCompletionRequest
    var instructions: String?
    /// Given back as it came.
    var metadata: [String: String]?
    /// Given back as they came.
    var tools: [JSONValue] = []
    var toolChoice: JSONValue?
    var textFormat: JSONValue?
    /// Whether the response can be had again by its id; nil where the request does not say.
    var store: Bool?
    /// Whether it is made while nobody waits for it.
    var background = false
    /// What was said before, by the response that ended it or by the conversation's id.
    var previousResponseID: String?
    var conversationID: String?

    private enum Key: String, CodingKey {
        case input, instructions, max_output_tokens, metadata, text, tool_choice, reasoning
        case store, background, previous_response_id, conversation
    }

    /// - Throws: `APIError` that names the field.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let form = try container.decodeIfPresent(TextForm.self, forKey: .text)
        guard ["low", "medium", "high"].contains(form?.verbosity ?? "medium") else {
            throw APIError.invalidRequest("'text.verbosity' is low, medium or high.", parameter: "text.verbosity")
        }
        var parameters = try GenerationParameters(from: decoder)
        parameters.grammar = try AnswerForm(from: decoder).grammar
        if let format = form?.format, !format.isNull,
            let schema = try AnswerForm.schema(ofFormat: format, field: "text.format")
        {
            parameters.grammar = Wire.Grammar(jsonSchema: schema, field: "text.format")
        }
        parameters.max_tokens = try container.decodeIfPresent(Int.self, forKey: .max_output_tokens)
        parameters.maxTokensName = "max_output_tokens"
        if let count = parameters.max_tokens, count < 1 {
            throw APIError.invalidRequest(
                "max_output_tokens is \(count); it must be at least 1.", parameter: "max_output_tokens")
        }
        instructions = try container.decodeIfPresent(String.self, forKey: .instructions)
        metadata = try container.decodeIfPresent([String: String].self, forKey: .metadata)
        try ClientMetadata.check(metadata)
        let messages = try container.decode(ResponseInput.self, forKey: .input).messages
        guard !messages.isEmpty else {
            throw APIError.invalidRequest("'input' holds no message.", parameter: "input")
        }
        let opening = instructions.map { [ChatCompletionRequest.Message(role: "system", content: $0)] } ?? []
        conversation = ChatCompletionRequest(
            messages: opening + (try ChatCompletionRequest.Message.linked(messages, in: "input")),
            parameters: parameters)
        conversation.tools = try ToolDemand(from: decoder)
        conversation.template = try TemplateOptions(from: decoder)
        try conversation.template.requireShownThoughts()
        tools = conversation.template.tools
        toolChoice = try container.decodeIfPresent(JSONValue.self, forKey: .tool_choice)
        // A function's fields stand beside its type here; templates look for them where chats have them.
        conversation.template.tools = tools.map { tool in
            guard case .object(let object) = tool, object["function"] == nil else { return tool }
            return .object(
                JSONObject([
                    ("type", .string("function")),
                    ("function", .object(JSONObject(object.members.filter { $0.key != "type" }))),
                ]))
        }
        let reasoning = try container.decodeIfPresent(JSONValue.self, forKey: .reasoning) ?? .null
        if let effort = reasoning["effort"], !effort.isNull {
            guard let text = effort.text else {
                throw APIError.invalidRequest("'reasoning.effort' must be a text.", parameter: "reasoning.effort")
            }
            conversation.template.add(effort: text)
        }
        if let tokens = reasoning["max_tokens"], !tokens.isNull {
            guard case .number(let number) = tokens, let count = Int(exactly: number.double), count >= 0 else {
                throw APIError.invalidRequest(
                    "'reasoning.max_tokens' must be an integer of at least 0.", parameter: "reasoning.max_tokens")
            }
            conversation.template.limitThoughts(to: count, asked: "reasoning.max_tokens")
        }
        textFormat = form?.format
        try readState(container)
    }

    private mutating func readState(_ container: KeyedDecodingContainer<Key>) throws {
        store = try container.decodeIfPresent(Bool.self, forKey: .store)
        background = try container.decodeIfPresent(Bool.self, forKey: .background) ?? false
        previousResponseID = try container.decodeIfPresent(String.self, forKey: .previous_response_id)
        let conversation = try container.decodeIfPresent(JSONValue.self, forKey: .conversation) ?? .null
        conversationID = conversation.text ?? conversation["id"]?.text
        guard conversation.isNull || conversationID != nil else {
            throw APIError.invalidRequest(
                "'conversation' is a conversation's id, or an object with its 'id'.", parameter: "conversation")
        }
        guard previousResponseID == nil || conversationID == nil else {
            throw APIError.invalidRequest(
                "'previous_response_id' and 'conversation' say what was before: give one of them.",
                parameter: "previous_response_id")
        }
        guard !background || store != false else {
            throw APIError.invalidRequest(
                "A response in the background has to be kept: 'store' is false.", parameter: "background")
        }
    }

    private struct TextForm: Decodable {
        var format: JSONValue?
        /// How long answers should be, which is the model's own affair.
        var verbosity: String?
    }
}

/// A text, or a list of items: messages, and what the model thought and called before.
struct ResponseInput: Decodable, Sendable {
    private enum Item: Decodable {
        case message(ChatCompletionRequest.Message)
        case call(ToolCall)
        case result(id: String, text: String)
        case reasoning(String)

        private enum Key: String, CodingKey { case type, call_id, name, arguments, output, content, summary }

        private struct Part: Decodable { var text: String? }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            switch try container.decodeIfPresent(String.self, forKey: .type) ?? "message" {
            case "message": self = .message(try ChatCompletionRequest.Message(from: decoder))
            case "function_call":
                self = .call(
                    ToolCall(
                        id: try container.decode(String.self, forKey: .call_id),
                        function: try ToolCall.Function(from: decoder)))
            case "function_call_output":
                self = .result(
                    id: try container.decode(String.self, forKey: .call_id),
                    text: try container.decode(MessageText.self, forKey: .output).text)
            case "reasoning":
                let content = try container.decodeIfPresent([Part].self, forKey: .content) ?? []
                let summary = try container.decodeIfPresent([Part].self, forKey: .summary) ?? []
                self = .reasoning((content.isEmpty ? summary : content).compactMap(\.text).joined(separator: "\n"))
            case let type:
                throw JSONError(
                    .member(of: JSONPath(decoder.codingPath), "type"),
                    "is '\(type.prefix(40))'; items may be message, function_call, function_call_output and reasoning")
            }
        }
    }

    var messages: [ChatCompletionRequest.Message] = []

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            messages = [.init(role: "user", content: text)]
            return
        }
        // An assistant's items up to a user's or a tool's are one turn of it.
        var isTurn = false
        func turn() -> Int {
            if !isTurn {
                var message = ChatCompletionRequest.Message(role: "assistant", content: "")
                message.parts = []
                messages.append(message)
            }
            isTurn = true
            return messages.count - 1
        }
        for item in try [Item](from: decoder) {
            switch item {
            case .message(let message):
                if message.role == "assistant", isTurn {
                    messages[turn()].parts += message.parts
                } else {
                    messages.append(message)
                    isTurn = message.role == "assistant"
                }
            case .call(let call): messages[turn()].toolCalls.append(call)
            case .reasoning(let text): if !text.isEmpty { messages[turn()].reasoning = text }
            case .result(let id, let text):
                var message = ChatCompletionRequest.Message(role: "tool", content: text)
                message.toolCallID = id
                messages.append(message)
                isTurn = false
            }
        }
        for index in messages.indices where messages[index].parts.isEmpty && messages[index].toolCalls.isEmpty {
            messages[index].parts = [""]
        }
    }
}
