import JSON
import Messages

/// `POST /api/chat`, read as the chat that it is.
struct OllamaChatRequest: Decodable, Sendable {
    var common: OllamaCommon
    var messages: [ChatCompletionRequest.Message]
    private var template: TemplateOptions
    private var tools: ToolDemand

    private enum Key: String, CodingKey { case messages }

    private struct Turn: Decodable {
        var role: String
        var content: String?
        var thinking: String?
        var images: JSONValue?
        var tool_calls: [ToolCall]?
        var tool_name: String?
        var tool_call_id: String?
    }

    /// - Throws: `APIError` or `JSONError` that names the field.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let turns = try container.decodeIfPresent([Turn].self, forKey: .messages) ?? []
        messages = try turns.enumerated().map { index, turn in
            let place = JSONPath.element(of: .member(of: .root, "messages"), index)
            guard turn.images?.isEmpty ?? true else {
                throw JSONError(.member(of: place, "images"), "is not supported: the models here read text only")
            }
            let role = try ChatCompletionRequest.Message.role(turn.role, at: .member(of: place, "role"))
            var message = ChatCompletionRequest.Message(role: role, content: turn.content ?? "")
            message.toolCalls = turn.tool_calls ?? []
            if !message.toolCalls.isEmpty, message.content.isEmpty { message.parts = [] }
            (message.reasoning, message.name, message.toolCallID) = (turn.thinking, turn.tool_name, turn.tool_call_id)
            return message
        }
        messages = try ChatCompletionRequest.Message.linked(messages)
        common = try OllamaCommon(from: decoder)
        template = try TemplateOptions(from: decoder)
        tools = try ToolDemand(from: decoder)
    }

    func conversation() throws -> ChatCompletionRequest {
        var conversation = try common.conversation(messages, template)
        conversation.tools = tools
        return conversation
    }
}

/// `POST /api/generate`.
struct OllamaGenerateRequest: Decodable, Sendable {
    var common: OllamaCommon
    var prompt: String
    var system: String?
    /// What follows the text that is wanted; nil where there is none.
    var suffix: String?
    /// Whether the prompt is what the model reads, without a template.
    var isRaw: Bool

    private enum Key: String, CodingKey { case prompt, system, suffix, raw }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        prompt = try container.decodeIfPresent(String.self, forKey: .prompt) ?? ""
        system = try container.decodeIfPresent(String.self, forKey: .system)
        suffix = try container.decodeIfPresent(String.self, forKey: .suffix).flatMap { $0.isEmpty ? nil : $0 }
        isRaw = try container.decodeIfPresent(Bool.self, forKey: .raw) ?? false || suffix != nil
        common = try OllamaCommon(from: decoder)
        guard isRaw, system?.isEmpty == false else { return }
        throw APIError.invalidRequest(
            "'system' needs a template, and a request with 'raw' or 'suffix' has none.", parameter: "system")
    }

    func conversation() throws -> ChatCompletionRequest {
        let system = system.flatMap { $0.isEmpty ? nil : [ChatCompletionRequest.Message(role: "system", content: $0)] }
        return try common.conversation((system ?? []) + [.init(role: "user", content: prompt)])
    }
}

/// What both have.
struct OllamaCommon: Decodable, Sendable {
    var model: String
    var options: OllamaOptions
    /// Alternatives beside each token's log-probability; nil for no log-probabilities.
    var logprobs: UInt32?
    /// Ollama streams unless it is told not to.
    var isStream: Bool
    /// Whether the model is asked to leave the memory.
    var unloads: Bool
    private var grammar: Wire.Grammar?
    private var think: JSONValue

    private enum Key: String, CodingKey {
        case model, options, logprobs, top_logprobs, stream, keep_alive, format, think
    }

    /// - Throws: `APIError` or `JSONError` that names the field.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        model = try container.decode(String.self, forKey: .model)
        try OllamaOptions.check(try container.decodeIfPresent(JSONValue.self, forKey: .options) ?? .null)
        options = try container.decodeIfPresent(OllamaOptions.self, forKey: .options) ?? OllamaOptions()
        isStream = try container.decodeIfPresent(Bool.self, forKey: .stream) ?? true
        let alternatives = try container.decodeIfPresent(Int.self, forKey: .top_logprobs) ?? 0
        if try container.decodeIfPresent(Bool.self, forKey: .logprobs) == true {
            logprobs = try GenerationParameters.count(alternatives, "top_logprobs", atLeast: 0, most: 20)
        } else if alternatives != 0 {
            throw APIError.invalidRequest("top_logprobs needs 'logprobs': true.", parameter: "top_logprobs")
        }
        unloads = try Self.isZero(try container.decodeIfPresent(JSONValue.self, forKey: .keep_alive) ?? .null)
        let format = try container.decodeIfPresent(JSONValue.self, forKey: .format) ?? .null
        switch format {
        case .null, .string(""): break
        case .string("json"): grammar = Wire.Grammar(jsonSchema: Array(#"{"type":"object"}"#.utf8), field: "format")
        case .object: grammar = Wire.Grammar(jsonSchema: format.bytes, field: "format")
        default:
            throw APIError.invalidRequest(
                "'format' is \(format.text.map { "'\($0.prefix(40))'" } ?? format.kind); it is json or a JSON Schema.",
                parameter: "format")
        }
        think = try container.decodeIfPresent(JSONValue.self, forKey: .think) ?? .null
        switch think {
        case .null, .bool: break
        case .string("low"), .string("medium"), .string("high"), .string("max"): break
        default:
            throw APIError.invalidRequest("'think' is true, false, low, medium, high or max.", parameter: "think")
        }
    }

    /// Whether a duration is none: a number of seconds, or a text such as 5m or -1s.
    private static func isZero(_ duration: JSONValue) throws -> Bool {
        switch duration {
        case .null: return false
        case .number(let number): return number.double == 0
        case .string(let text):
            let digits = text.prefix { "+-.0123456789".contains($0) }
            guard let number = Double(digits),
                ["", "ns", "us", "ms", "s", "m", "h"].contains(text.dropFirst(digits.count))
            else { break }
            return number == 0
        default: break
        }
        throw APIError.invalidRequest(
            "'keep_alive' must be a number of seconds, or a text such as '5m'.", parameter: "keep_alive")
    }

    /// - Throws: `APIError` that names the field.
    fileprivate func conversation(
        _ messages: [ChatCompletionRequest.Message], _ template: TemplateOptions = TemplateOptions()
    ) throws -> ChatCompletionRequest {
        var conversation = ChatCompletionRequest(messages: messages, parameters: parameters)
        conversation.template = template
        switch think {
        case .bool(true): conversation.template.wantThoughts(asked: "think")
        case .bool(false): conversation.template.add(effort: "none", from: "think")
        case .string(let effort):
            conversation.template.wantThoughts(asked: "think")
            conversation.template.add(effort: effort, from: "think")
        default: break
        }
        return conversation
    }

    var parameters: GenerationParameters {
        var parameters = options.parameters(of: model)
        (parameters.grammar, parameters.stream) = (grammar, isStream)
        return parameters
    }
}
