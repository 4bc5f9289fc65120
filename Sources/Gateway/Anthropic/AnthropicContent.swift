import JSON

/// A block of a turn.
enum AnthropicBlock: Decodable, Sendable {
    case text(String)
    case thinking(String)
    case call(ToolCall)
    case result(id: String, text: String)

    private enum Key: String, CodingKey {
        case type, text, citations, thinking, id, name, input, caller, toolset_name, tool_use_id, content, is_error
    }

    /// - Throws: `JSONError` that names the field.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let path = JSONPath(decoder.codingPath)
        try container.refuse(.toolset_name, because: "tools are the client's own")
        switch try container.decode(String.self, forKey: .type) {
        case "text":
            try container.refuse(.citations, because: "the models here cite nothing")
            self = .text(try container.decode(String.self, forKey: .text))
        case "thinking": self = .thinking(try container.decode(String.self, forKey: .thinking))
        case "tool_use":
            try container.refuse(.caller, because: "tools are called by the model itself") {
                $0["type"]?.text == "direct"
            }
            let input = try container.decode(JSONValue.self, forKey: .input)
            guard case .object = input else {
                throw JSONError(.member(of: path, "input"), "must be an object, not \(input.kind)")
            }
            let name = try container.decode(String.self, forKey: .name)
            guard !name.isEmpty else { throw JSONError(.member(of: path, "name"), "is empty") }
            self = .call(
                ToolCall(
                    id: try container.decode(String.self, forKey: .id),
                    function: .init(name: name, arguments: String(decoding: input.bytes, as: UTF8.self))))
        case "tool_result":
            let given = try container.decodeIfPresent(AnthropicContent.self, forKey: .content)
            let texts = try given?.texts(at: .member(of: path, "content")) ?? []
            let failed = try container.decodeIfPresent(Bool.self, forKey: .is_error) ?? false
            // Chat templates have no other place for it than the text.
            self = .result(
                id: try container.decode(String.self, forKey: .tool_use_id),
                text: (failed ? "Error: " : "") + texts.joined(separator: "\n"))
        case let type:
            throw JSONError(
                .member(of: path, "type"),
                "is '\(type.prefix(60))'; the models here read text, thinking, tool_use and tool_result")
        }
    }
}

/// A text, or a list of blocks.
struct AnthropicContent: Decodable, Sendable {
    let blocks: [AnthropicBlock]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            blocks = [.text(text)]
        } else if (try? decoder.unkeyedContainer()) != nil {
            blocks = try [AnthropicBlock](from: decoder)
        } else {
            blocks = [.text(try container.decode(String.self))]
        }
    }

    /// The texts of content that can be nothing else.
    ///
    /// - Throws: `JSONError` for another block.
    func texts(at path: JSONPath) throws -> [String] {
        try blocks.enumerated().map { index, block in
            guard case .text(let text) = block else {
                throw JSONError(.member(of: .element(of: path, index), "type"), "must be 'text' here")
            }
            return text
        }
    }
}

/// A turn: messages of the chat that it is. What tools gave back stands in a user's turn.
struct AnthropicTurn: Decodable, Sendable {
    let messages: [ChatCompletionRequest.Message]

    private enum Key: String, CodingKey { case role, content }

    /// - Throws: `JSONError` that names the field.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let path = JSONPath(decoder.codingPath)
        let role = try container.decode(String.self, forKey: .role)
        guard ["user", "assistant", "system"].contains(role) else {
            throw JSONError(.member(of: path, "role"), "is '\(role.prefix(40))'; it may be user, assistant or system")
        }
        let content = try container.decode(AnthropicContent.self, forKey: .content)
        var messages: [ChatCompletionRequest.Message] = []
        func place(_ index: Int, _ owner: String) -> JSONError {
            JSONError(
                .member(of: .element(of: .member(of: path, "content"), index), "type"),
                "belongs into a turn of the \(owner), not of role '\(role)'")
        }
        for (index, block) in content.blocks.enumerated() {
            var message = ChatCompletionRequest.Message(role: role, content: "")
            message.parts = []
            switch block {
            case .text(let text): message.parts = [text]
            case .thinking(let text):
                guard role == "assistant" else { throw place(index, "assistant") }
                message.reasoning = text
            case .call(let call):
                guard role == "assistant" else { throw place(index, "assistant") }
                message.toolCalls = [call]
            case .result(let id, let text):
                guard role == "user" else { throw place(index, "user") }
                message = ChatCompletionRequest.Message(role: "tool", content: text)
                message.toolCallID = id
            }
            messages.append(message)
        }
        if messages.isEmpty { messages = [.init(role: role, content: "")] }
        self.messages = messages
    }

    /// The conversation that turns make. Turns of one role, one behind the other, are one turn.
    static func joined(_ turns: [AnthropicTurn]) -> [ChatCompletionRequest.Message] {
        var joined: [ChatCompletionRequest.Message] = []
        for message in turns.flatMap(\.messages) {
            guard let last = joined.indices.last, joined[last].role == message.role, message.role != "tool" else {
                joined.append(message)
                continue
            }
            joined[last].parts += message.parts
            joined[last].toolCalls += message.toolCalls
            if let thought = message.reasoning {
                joined[last].reasoning = (joined[last].reasoning.map { $0 + "\n" } ?? "") + thought
            }
        }
        for index in joined.indices where joined[index].parts.isEmpty && joined[index].toolCalls.isEmpty {
            joined[index].parts = [""]
        }
        return joined
    }
}
