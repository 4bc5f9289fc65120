package import JSON

/// One message of a conversation.
package struct ChatMessage: Sendable {
    package enum Content: Sendable {
        case text(String)
        /// Parts as OpenAI's API has them: objects with a `type`.
        case parts([JSON.JSONValue])
    }

    package var role: String
    /// nil for none, as in an assistant's turn that only calls tools.
    package var content: Content?
    /// What else it has, such as `tool_calls`, `tool_call_id`, `name` and `reasoning_content`.
    package var members: JSONObject

    package init(role: String, content: Content?, members: JSONObject = JSONObject([])) {
        (self.role, self.content, self.members) = (role, content, members)
    }

    package init(role: String, content: String, members: JSONObject = JSONObject([])) {
        self.init(role: role, content: .text(content), members: members)
    }

    /// Its texts, in order.
    package var texts: [String] {
        switch content {
        case nil: []
        case .text(let text): [text]
        case .parts(let parts): parts.compactMap { $0["text"]?.text }
        }
    }

    /// Its texts as one, a line each: for templates that take no parts, and as vLLM and llama.cpp join them.
    package var text: String { texts.joined(separator: "\n") }

    var calls: [JSON.JSONValue] { members["tool_calls"]?.elements ?? [] }
}

/// A conversation, and what a chat template is given beside it.
package struct Conversation: Sendable {
    package var messages: [ChatMessage]
    /// What the model may call, as the client gave it; empty for nothing.
    package var tools: [JSON.JSONValue] = []
    /// What the model may read; empty for nothing.
    package var documents: [JSON.JSONValue] = []
    /// What else the template may read, such as `enable_thinking`: `chat_template_kwargs`.
    package var variables = JSONObject([])
    package var addGenerationPrompt = true
    /// Whether the answer goes on with the last message, which is then not ended.
    package var continuesFinalMessage = false

    package init(_ messages: [ChatMessage], addGenerationPrompt: Bool = true) {
        (self.messages, self.addGenerationPrompt) = (messages, addGenerationPrompt)
    }
}
