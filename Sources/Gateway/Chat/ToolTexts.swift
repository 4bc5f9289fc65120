import ChatFormats
import JSON

extension ChatCompletionRequest {
    /// Writes tools, calls and their results as texts, for a model whose chat template has no place for them: the tools into
    /// the instructions, calls as the answer will have them, results as what a user says.
    mutating func writeTools(_ demand: ToolDemand) {
        var written: [Message] = []
        /// Whether the last turn written is a tool's, as a user's.
        var endsWithResult = false
        for var message in messages {
            if !message.toolCalls.isEmpty {
                let calls = message.toolCalls.map { call in
                    let name = String(decoding: JSONValue.string(call.function.name).bytes, as: UTF8.self)
                    return "<tool_call>\n{\"name\": \(name), \"arguments\": \(call.function.arguments)}\n</tool_call>"
                }
                message.content = ([message.content].filter { !$0.isEmpty } + calls).joined(separator: "\n")
                message.toolCalls = []
            }
            if message.role == "tool" {
                let result = "<tool_response>\n\(message.content)\n</tool_response>"
                // Several results are one turn: many templates want users and assistants by turns.
                if endsWithResult {
                    written[written.count - 1].content += "\n" + result
                    continue
                }
                message = Message(role: "user", content: result)
                endsWithResult = true
            } else {
                endsWithResult = false
            }
            written.append(message)
        }
        if demand.mayCall {
            let text = Self.instructions(template.tools, demand)
            if let first = written.indices.first, Message.instructs(written[first].role) {
                written[first].content += "\n\n" + text
            } else {
                written.insert(Message(role: "system", content: text), at: 0)
            }
        }
        messages = written
        template.tools = []
    }

    private static func instructions(_ tools: [JSONValue], _ demand: ToolDemand) -> String {
        let lines = tools.map { String(decoding: ($0["function"] ?? $0).bytes, as: UTF8.self) }
        let when =
            switch demand.choice {
            case .required: "Call one of them"
            case .function(let name): "Call \(name)"
            case .auto, .none: "To call one"
            }
        return """
            Functions that you can call, as JSON with a schema of their arguments:
            <tools>
            \(lines.joined(separator: "\n"))
            </tools>
            \(when), write:
            <tool_call>
            {"name": "function name", "arguments": {"argument name": "value"}}
            </tool_call>
            """
    }
}
