import JSON
import Messages

extension ChatCompletionRequest {
    /// One turn of a conversation, by one of the known roles: text, calls of tools, or what a tool gave back.
    struct Message: Decodable, Sendable {
        /// The roles that clients may name, and what each one is to a model. OpenAI's older clients call tools functions.
        static let roles = [
            "assistant": "assistant", "developer": "developer", "function": "tool", "system": "system", "tool": "tool",
            "user": "user",
        ]

        /// Whether a role gives instructions: OpenAI's newer models call the system developer.
        static func instructs(_ role: String) -> Bool { role == "system" || role == "developer" }

        var role: String
        /// The texts of its content; none where an assistant only calls tools.
        var parts: [String]
        /// What an assistant calls.
        var toolCalls: [ToolCall] = []
        /// The call that a tool's turn answers.
        var toolCallID: String?
        /// Who speaks, or which tool.
        var name: String?
        /// What an assistant thought before it answered.
        var reasoning: String?

        /// The text; a line for each part.
        var content: String {
            get { parts.count == 1 ? parts[0] : parts.joined(separator: "\n") }
            set { parts = [newValue] }
        }

        private enum Key: String, CodingKey, CaseIterable {
            case role, content, refusal, name
            case tool_calls, function_call, tool_call_id, audio, reasoning_content, reasoning, prefix
        }

        private static let unsupported: [(key: Key, why: String)] = [
            (.audio, "the models here read text only"),
            (.prefix, "'continue_final_message' lets an answer go on with the last message"),
        ]

        init(role: String, content: String) { (self.role, parts) = (role, [content]) }

        /// Content is a text, or a list of text parts. An assistant's turn may have none, and so may a tool's.
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
            name = try container.decodeIfPresent(String.self, forKey: .name)
            if role == "assistant" {
                toolCalls = try container.decodeIfPresent([ToolCall].self, forKey: .tool_calls) ?? []
                if let call = try container.decodeIfPresent(ToolCall.Function.self, forKey: .function_call) {
                    toolCalls.append(ToolCall(id: nil, function: call))
                }
                reasoning =
                    try container.decodeIfPresent(String.self, forKey: .reasoning_content)
                    ?? container.decodeIfPresent(String.self, forKey: .reasoning)
            } else if role == "tool" {
                toolCallID = try container.decodeIfPresent(String.self, forKey: .tool_call_id)
            }
            if let given = try container.decodeIfPresent(MessageText.self, forKey: .content) {
                parts = given.parts
            } else if role == "assistant" {
                let refusal = try container.decodeIfPresent(String.self, forKey: .refusal)
                parts = toolCalls.isEmpty ? [refusal ?? ""] : refusal.map { [$0] } ?? []
            } else if role == "tool", container.contains(.content) {
                parts = [""]
            } else {
                // Says that it is required, or what it is instead.
                parts = try container.decode(MessageText.self, forKey: .content).parts
            }
        }

        /// - Throws: `JSONError` for a role that there is not: a role becomes part of the prompt's frame.
        static func role(_ given: String, at path: JSONPath) throws -> String {
            if let role = roles[given] { return role }
            throw JSONError(path, "is no role that is known here; roles: \(roles.keys.sorted())")
        }

        /// Turns of which each call has an id, and each tool's turn the id and the name of the call that it answers: older
        /// clients leave ids out, and answers come in the order of the calls.
        ///
        /// - Parameter field: what the client gave them in.
        /// - Throws: `JSONError` for a tool's turn that answers no call.
        static func linked(_ messages: [Message], in field: String = "messages") throws -> [Message] {
            var messages = messages
            var names: [String: String] = [:]
            var open: [ToolCall] = []
            for index in messages.indices {
                for call in messages[index].toolCalls.indices {
                    if messages[index].toolCalls[call].id == nil {
                        messages[index].toolCalls[call].id = "call_\(index)_\(call)"
                    }
                }
                for call in messages[index].toolCalls {
                    names[call.id ?? ""] = call.function.name
                    open.append(call)
                }
                guard messages[index].role == "tool" else { continue }
                let (id, name) = (messages[index].toolCallID, messages[index].name)
                let place = open.firstIndex { call in
                    id.map { $0 == call.id } ?? (name == nil || name == call.function.name)
                }
                let answered = place.map { open.remove(at: $0) }
                guard let known = id ?? answered?.id else {
                    throw JSONError(
                        .member(of: .element(of: .member(of: .root, field), index), "tool_call_id"),
                        "is required: no earlier call waits for this answer")
                }
                messages[index].toolCallID = known
                messages[index].name = name ?? names[known]
            }
            return messages
        }
    }
}

/// A call of a tool in an assistant's turn.
struct ToolCall: Decodable, Sendable {
    struct Function: Decodable, Sendable {
        var name: String
        /// A JSON object as text, as the model wrote it.
        var arguments: String

        private enum Key: String, CodingKey { case name, arguments }

        init(name: String, arguments: String) { (self.name, self.arguments) = (name, arguments) }

        /// Arguments are a JSON object, or the text of one; none at all and an empty text are the empty object.
        ///
        /// - Throws: `JSONError` that names the field.
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            let path = JSONPath(decoder.codingPath)
            name = try container.decode(String.self, forKey: .name)
            guard !name.isEmpty else { throw JSONError(.member(of: path, "name"), "is empty") }
            let given = try container.decodeIfPresent(JSONValue.self, forKey: .arguments) ?? .null
            let place = JSONPath.member(of: path, "arguments")
            switch given {
            case .null, .string(""): arguments = "{}"
            case .object: arguments = String(decoding: given.bytes, as: UTF8.self)
            case .string(let text):
                let value: JSONValue
                do { value = try JSONParser.parse(Array(text.utf8)) } catch {
                    throw JSONError(place, "must be a JSON object as text; it is no JSON: \(error.problem)")
                }
                guard case .object = value else {
                    throw JSONError(place, "must be a JSON object as text, not that of \(value.kind)")
                }
                arguments = text
            default: throw JSONError(place, "must be a JSON object as text, not \(given.kind)")
            }
        }
    }

    /// nil where the client gave none.
    var id: String?
    var function: Function

    private enum Key: String, CodingKey { case id, type, function }

    init(id: String?, function: Function) { (self.id, self.function) = (id, function) }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let type = try container.decodeIfPresent(String.self, forKey: .type) ?? "function"
        guard type == "function" else {
            throw JSONError(
                .member(of: JSONPath(decoder.codingPath), "type"),
                "is '\(type.prefix(40))'; only calls of type function are supported")
        }
        id = try container.decodeIfPresent(String.self, forKey: .id)
        function = try container.decode(Function.self, forKey: .function)
    }
}
