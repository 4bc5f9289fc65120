import ChatFormats
import JSON
import Messages

/// `POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's form of a chat, read as the chat that it says.
///
/// `cache_control` changes nothing wherever it stands: what prompts have in common is never computed twice while it is in
/// the cache, and nothing is billed for it.
struct AnthropicRequest: Decodable, Sendable {
    var conversation: ChatCompletionRequest
    /// Whether the client wants to see what the model thought.
    private(set) var showsThoughts = true

    private enum Key: String, CodingKey {
        case messages, max_tokens, stop_sequences, system, tools, tool_choice, thinking, metadata, output_config
    }

    private struct Metadata: Decodable { var user_id: String? }

    /// - Throws: `APIError` or `JSONError` that names the field.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        var parameters = try GenerationParameters(from: decoder)
        parameters.capsMaxTokens = true
        parameters.stop = try container.decodeIfPresent([String].self, forKey: .stop_sequences).map {
            OneOrMany(values: $0)
        }
        parameters.user =
            try container.decodeIfPresent(Metadata.self, forKey: .metadata)?.user_id ?? parameters.user
        parameters.grammar = try AnswerForm(from: decoder).grammar
        var messages = AnthropicTurn.joined(try container.decode([AnthropicTurn].self, forKey: .messages))
        guard !messages.isEmpty else {
            throw APIError.invalidRequest("'messages' holds no message.", parameter: "messages")
        }
        if let last = messages.last, !last.toolCalls.isEmpty {
            throw APIError.invalidRequest(
                "'messages' ends with tool_use; the tool_result of '\(last.toolCalls[0].id?.prefix(80) ?? "")' must follow.",
                parameter: "messages")
        }
        let goesOn = messages.last?.role == "assistant"
        if let system = try container.decodeIfPresent(AnthropicContent.self, forKey: .system) {
            var message = ChatCompletionRequest.Message(role: "system", content: "")
            message.parts = try system.texts(at: .member(of: .root, "system"))
            if !message.parts.isEmpty { messages.insert(message, at: 0) }
        }
        conversation = ChatCompletionRequest(
            messages: try ChatCompletionRequest.Message.linked(messages), parameters: parameters)
        conversation.template = try TemplateOptions(from: decoder)
        if goesOn {
            (conversation.template.continuesFinalMessage, conversation.template.addGenerationPrompt) = (true, false)
        }
        let tools = try container.decodeIfPresent([AnthropicTool].self, forKey: .tools) ?? []
        conversation.template.tools = tools.map(\.json)
        conversation.tools = try Self.demand(
            tools, try container.decodeIfPresent(AnthropicToolChoice.self, forKey: .tool_choice))
        showsThoughts = try container.decodeIfPresent(ThinkingDemand.self, forKey: .thinking)?.isShown ?? true
        if let output = try container.decodeIfPresent(JSONValue.self, forKey: .output_config), !output.isNull {
            try configure(output)
        }
    }

    /// - Throws: `APIError` that names the field.
    private static func demand(_ tools: [AnthropicTool], _ choice: AnthropicToolChoice?) throws -> ToolDemand {
        let list: [Tool]
        do throws(Tool.Fault) { list = try Tool.list(.array(tools.map(\.json))) } catch {
            let place = error.place.replacing(".function.parameters", with: ".input_schema").replacing(
                ".function", with: "")
            throw APIError.invalidRequest("'tools\(place)' \(error.problem).", parameter: "tools")
        }
        return try ToolDemand(list, choice?.choice ?? .auto, isParallel: choice?.isParallel ?? true)
    }

    /// What form the answer has, and how much the model is to take on itself.
    ///
    /// - Throws: `APIError` that names the field.
    private mutating func configure(_ output: JSONValue) throws {
        let field = "output_config"
        guard case .object(let object) = output else {
            throw APIError.invalidRequest("'\(field)' is \(output.kind); it must be an object.", parameter: field)
        }
        for (name, value) in object.members where !value.isNull {
            switch name {
            case "format":
                guard value["type"]?.text == "json_schema" else {
                    throw APIError.invalidRequest(
                        "'\(field).format.type' must be 'json_schema'.", parameter: "\(field).format")
                }
                let schema = try AnswerForm.schema(ofFormat: value, field: "\(field).format") ?? []
                conversation.parameters.grammar = Wire.Grammar(jsonSchema: schema, field: "\(field).format")
            case "effort":
                guard let effort = value.text, ["low", "medium", "high", "xhigh", "max"].contains(effort) else {
                    throw APIError.invalidRequest(
                        "'\(field).effort' is low, medium, high, xhigh or max.", parameter: "\(field).effort")
                }
                // high is what there is where nothing is said, so that a model without a measure of it has it too.
                if effort == "high" {
                    conversation.template.offer("reasoning_effort", .string(effort))
                } else {
                    conversation.template.add(effort: effort, from: "\(field).effort")
                }
            default:
                throw APIError.invalidRequest(
                    "'\(field).\(name.prefix(40))' is not supported; effort and format are.",
                    parameter: "\(field).\(name.prefix(40))")
            }
        }
    }
}

/// A tool of the client.
private struct AnthropicTool: Decodable {
    /// As OpenAI's chats have it, which is how chat templates know tools.
    let json: JSONValue

    private enum Key: String, CodingKey {
        case type, name, description, input_schema, strict, defer_loading, allowed_callers, input_examples
    }

    /// - Throws: `JSONError` that names the field.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let path = JSONPath(decoder.codingPath)
        let type = try container.decodeIfPresent(String.self, forKey: .type) ?? "custom"
        guard type == "custom" else {
            throw JSONError(
                .member(of: path, "type"),
                "is '\(type.prefix(60))', a tool of a server; the models here call the client's own, of type custom")
        }
        try container.refuse(.defer_loading, because: "every tool is shown to the model")
        try container.refuse(.allowed_callers, because: "tools are called by the model itself") {
            $0.elements?.allSatisfy { $0.text == "direct" } ?? false
        }
        try container.refuse(.input_examples, because: "write them into 'description'")
        var function: [(key: String, value: JSONValue)] = [
            ("name", .string(try container.decode(String.self, forKey: .name)))
        ]
        if let text = try container.decodeIfPresent(String.self, forKey: .description) {
            function.append(("description", .string(text)))
        }
        let schema = try container.decode(JSONValue.self, forKey: .input_schema)
        guard case .object = schema else {
            throw JSONError(.member(of: path, "input_schema"), "must be an object, not \(schema.kind)")
        }
        function.append(("parameters", schema))
        if let strict = try container.decodeIfPresent(Bool.self, forKey: .strict) {
            function.append(("strict", .bool(strict)))
        }
        json = .object(
            JSONObject([("type", .string("function")), ("function", .object(JSONObject(function)))]))
    }
}

/// `tool_choice`.
private struct AnthropicToolChoice: Decodable {
    let choice: ToolDemand.Choice
    let isParallel: Bool

    private enum Key: String, CodingKey { case type, name, disable_parallel_tool_use }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        switch try container.decode(String.self, forKey: .type) {
        case "auto": choice = .auto
        case "none": choice = .none
        case "any": choice = .required
        case "tool": choice = .function(try container.decode(String.self, forKey: .name))
        case let type:
            throw JSONError(
                .member(of: JSONPath(decoder.codingPath), "type"),
                "is '\(type.prefix(40))'; it may be auto, any, tool or none")
        }
        isParallel = try container.decodeIfPresent(Bool.self, forKey: .disable_parallel_tool_use) != true
    }
}
