internal import JSON
import Messages
import RPC
import Tokenizers

extension Conversation {
    /// - Throws: `RPCError.invalidArgument` for a field that is not the JSON that it must be.
    init(_ request: Wire.RenderChatRequest) throws {
        self.init(try request.messages.map(ChatMessage.init), addGenerationPrompt: request.addGenerationPrompt)
        tools = try Self.list(request.tools, "tools")
        documents = try Self.list(request.documents, "documents")
        variables = try JSONObject(wire: request.variables, "chat_template_kwargs")
        continuesFinalMessage = request.continueFinalMessage
    }

    private static func list(_ text: String, _ field: String) throws -> [JSON.JSONValue] {
        guard !text.isEmpty else { return [] }
        guard let elements = try JSON.JSONValue(wire: text, field).elements else {
            throw RPCError(.invalidArgument, "'\(field)' is no list", reason: "invalid_request", field: field)
        }
        return elements
    }
}

extension ChatMessage {
    fileprivate init(_ message: Wire.ChatMessage) throws {
        self.init(
            role: message.role, content: message.content, members: try JSONObject(wire: message.members, "messages"))
        switch members["content"] {
        case nil: break
        case .array(let parts)?: content = .parts(parts)
        default: content = nil
        }
    }
}

extension JSON.JSONValue {
    fileprivate init(wire text: String, _ field: String) throws {
        do { self = try JSON.JSONParser.parse(Array(text.utf8)) } catch {
            throw RPCError(
                .invalidArgument, "'\(field)' is no JSON: \(error.problem)", reason: "invalid_request", field: field)
        }
    }
}

extension JSONObject {
    fileprivate init(wire text: String, _ field: String) throws {
        guard !text.isEmpty else {
            self.init([])
            return
        }
        guard case .object(let object) = try JSON.JSONValue(wire: text, field) else {
            throw RPCError(.invalidArgument, "'\(field)' is no object", reason: "invalid_request", field: field)
        }
        self = object
    }
}

extension Tokenizer {
    /// What the template for conversations with tools takes.
    ///
    /// - Throws: `TokenizerError` for a template that is not understood.
    func chatForm() throws(TokenizerError) -> Wire.ChatForm {
        guard let template = toolTemplate ?? chatTemplate else { return Wire.ChatForm() }
        return Wire.ChatForm(
            source: template.text, variables: try template.reads().sorted(), takesTools: template.writesTools,
            takesToolCalls: template.takesToolCalls, takesToolResults: template.writesToolResults)
    }
}
