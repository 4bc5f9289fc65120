import JSON
import Messages

/// What a request gives a model's chat template beside its messages.
struct TemplateOptions: Decodable, Sendable {
    /// What the model may call, as the client gave it; empty for nothing.
    var tools: [JSONValue] = []
    /// What the model may read.
    var documents: [JSONValue] = []
    /// What else the template may read: `chat_template_kwargs`, and fields that are known by other names.
    var variables = JSONObject([])
    /// Of those among the variables that came in a field of their own: its name, by theirs.
    private var fields: [String: String] = [:]
    var addGenerationPrompt = true
    var continuesFinalMessage = false
    /// The field in which the client asks for thoughts; nil where it does not.
    private var thoughtsField: String?
    /// Whether the client asks for thoughts that it does not want to read.
    private(set) var hidesThoughts = false
    /// Tokens of thoughts, at most; nil for as many as the model likes.
    private(set) var thoughtTokens: Int?
    /// Given to the template where it reads them.
    private var offered: [(name: String, value: JSONValue)] = []

    private enum Key: String, CodingKey {
        case tools, functions, documents, chat_template_kwargs, reasoning_effort, enable_thinking, thinking
        case thinking_token_budget, thinking_budget
        case add_generation_prompt, continue_final_message
    }

    init() {}

    /// - Throws: `JSONError` that names the field.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        tools = try Self.objects(container, .tools)
        tools += try Self.objects(container, .functions).map {
            .object(JSONObject([("type", .string("function")), ("function", $0)]))
        }
        documents = try Self.objects(container, .documents)
        (variables, fields) = try Self.variables(container)
        if let thinking = try container.decodeIfPresent(ThinkingDemand.self, forKey: .thinking), thinking.isWanted {
            hidesThoughts = !thinking.isShown
            wantThoughts(asked: "thinking")
            thoughtTokens = thinking.tokens
        }
        for key in [Key.thinking_token_budget, .thinking_budget] {
            guard let tokens = try container.decodeIfPresent(Int.self, forKey: key) else { continue }
            guard tokens >= 0 else {
                throw JSONError(.member(of: .root, key.rawValue), "is \(tokens); it must be at least 0")
            }
            limitThoughts(to: tokens, asked: key.rawValue)
        }
        continuesFinalMessage = try container.decodeIfPresent(Bool.self, forKey: .continue_final_message) ?? false
        let adds = try container.decodeIfPresent(Bool.self, forKey: .add_generation_prompt)
        guard !(continuesFinalMessage && adds == true) else {
            throw JSONError(
                .member(of: .root, "add_generation_prompt"),
                "must be false with 'continue_final_message': an answer that goes on has no beginning")
        }
        addGenerationPrompt = adds ?? !continuesFinalMessage
    }

    /// Gives the template a value where it reads one of that name.
    mutating func offer(_ name: String, _ value: JSONValue) { offered.append((name, value)) }

    /// Has the model think before it answers, if it does so only when it is asked.
    mutating func wantThoughts(asked field: String) {
        thoughtsField = field
        // The names by which templates know it.
        for name in ["enable_thinking", "thinking"] { offer(name, .bool(true)) }
    }

    /// - Throws: `APIError` where thoughts are to be hidden, which only messages do.
    func requireShownThoughts() throws {
        guard hidesThoughts else { return }
        throw APIError.invalidRequest(
            "'thinking.display' is 'omitted', which is not supported here; /v1/messages has it.",
            parameter: "thinking.display")
    }

    /// Ends thoughts after so many tokens.
    ///
    /// - Parameter field: in which the client says it.
    mutating func limitThoughts(to tokens: Int, asked field: String) {
        thoughtTokens = tokens
        // A model without thoughts keeps to 0.
        if tokens > 0 { thoughtsField = field }
    }

    /// - Throws: `APIError` where the client wants thoughts of a model that has none.
    mutating func settle(for form: ChatForms.Form, of model: String) throws {
        if let thoughtsField, form.reasoning == nil {
            throw APIError.invalidRequest(
                "'\(thoughtsField)' is not supported: the model '\(model)' does not think before it answers.",
                parameter: thoughtsField)
        }
        let taken = offered.filter { form.variables.contains($0.name) && variables[$0.name] == nil }
        if !taken.isEmpty { variables = JSONObject(variables.members + taken.map { ($0.name, $0.value) }) }
    }

    /// Hands a reasoning effort on, unless the client has said one itself.
    ///
    /// - Parameter field: in which the client gave it.
    mutating func add(effort: String, from field: String = "reasoning.effort") {
        var members = variables.members
        func add(_ name: String, _ value: JSONValue) {
            guard !members.contains(where: { $0.key == name }) else { return }
            members.append((name, value))
            fields[name] = field
        }
        add("reasoning_effort", .string(effort))
        if effort == "none" {
            add("enable_thinking", .bool(false))
            add("thinking", .bool(false))
        }
        variables = JSONObject(members)
    }

    /// The field of the request for one of a tokenizer's: a variable that has a field of its own is known by that.
    func field(_ name: String?) -> String? {
        guard let name, name.hasPrefix("chat_template_kwargs.") else { return name }
        return fields[String(name.dropFirst(21))] ?? name
    }

    private static func objects(_ container: KeyedDecodingContainer<Key>, _ key: Key) throws -> [JSONValue] {
        let values = try container.decodeIfPresent([JSONValue].self, forKey: key) ?? []
        for (index, value) in values.enumerated() {
            guard case .object = value else {
                throw JSONError(
                    .element(of: .member(of: .root, key.rawValue), index), "must be an object, not \(value.kind)")
            }
        }
        return values
    }

    /// What the client names itself goes before what other fields say.
    private static func variables(
        _ container: KeyedDecodingContainer<Key>
    ) throws -> (JSONObject, fields: [String: String]) {
        var members: [(key: String, value: JSONValue)] = []
        if let given = try container.decodeIfPresent(JSONValue.self, forKey: .chat_template_kwargs), !given.isNull {
            guard case .object(let object) = given else {
                throw JSONError(.member(of: .root, "chat_template_kwargs"), "must be an object, not \(given.kind)")
            }
            members = object.members
        }
        var fields: [String: String] = [:]
        func add(_ name: String, _ value: JSONValue) {
            guard !members.contains(where: { $0.key == name }) else { return }
            members.append((name, value))
            fields[name] = name
        }
        let effort = try container.decodeIfPresent(String.self, forKey: .reasoning_effort)
        if let effort { add("reasoning_effort", .string(effort)) }
        if let thinks = try container.decodeIfPresent(Bool.self, forKey: .enable_thinking) {
            add("enable_thinking", .bool(thinks))
        }
        let thinking = try container.decodeIfPresent(ThinkingDemand.self, forKey: .thinking)
        if effort == "none" || thinking?.isWanted == false {
            // The names by which templates know it.
            add("enable_thinking", .bool(false))
            add("thinking", .bool(false))
        }
        return (JSONObject(members), fields)
    }
}

extension Wire.RenderChatRequest {
    /// A conversation as the tokenizer reads it.
    init(model: String, _ messages: [ChatCompletionRequest.Message], _ template: TemplateOptions) {
        func text(_ values: [JSONValue]) -> String { values.isEmpty ? "" : JSONValue.array(values).jsonText }
        self.init(
            model: model, messages: messages.map(Wire.ChatMessage.init),
            addGenerationPrompt: template.addGenerationPrompt, tools: text(template.tools),
            documents: text(template.documents),
            variables: template.variables.members.isEmpty ? "" : JSONValue.object(template.variables).jsonText,
            continueFinalMessage: template.continuesFinalMessage)
    }
}

extension JSONValue {
    fileprivate var jsonText: String { String(decoding: bytes, as: UTF8.self) }
}

extension Wire.ChatMessage {
    /// What a message has beside a text travels as JSON.
    init(_ message: ChatCompletionRequest.Message) {
        var members: [(key: String, value: JSONValue)] = []
        if message.parts.isEmpty {
            members.append(("content", .null))
        } else if message.parts.count > 1 {
            let parts = message.parts.map { JSONObject([("type", .string("text")), ("text", .string($0))]) }
            members.append(("content", .array(parts.map { .object($0) })))
        }
        if let reasoning = message.reasoning { members.append(("reasoning_content", .string(reasoning))) }
        if !message.toolCalls.isEmpty { members.append(("tool_calls", .array(message.toolCalls.map(\.json)))) }
        if let id = message.toolCallID { members.append(("tool_call_id", .string(id))) }
        if let name = message.name { members.append(("name", .string(name))) }
        self.init(
            role: message.role, content: message.content,
            members: members.isEmpty ? "" : JSONValue.object(JSONObject(members)).jsonText)
    }
}

extension ToolCall {
    var json: JSONValue {
        let function = JSONObject([("name", .string(function.name)), ("arguments", .string(function.arguments))])
        return .object(
            JSONObject([
                ("id", id.map { .string($0) } ?? .null), ("type", .string("function")), ("function", .object(function)),
            ]))
    }
}
