import ChatFormats
import JSON

/// What a request says of the tools that the model may call.
struct ToolDemand: Decodable, Sendable {
    enum Choice: Sendable, Equatable {
        case none, auto, required
        case function(String)
    }

    /// As OpenAI's chats have them; empty for none.
    private(set) var tools: [Tool] = []
    private(set) var choice = Choice.auto
    /// Whether an answer may call several.
    private(set) var isParallel = true

    private enum Key: String, CodingKey { case tools, tool_choice, parallel_tool_calls }

    init() {}

    /// - Throws: `APIError` for a choice that is none of the tools.
    init(_ tools: [Tool], _ choice: Choice, isParallel: Bool) throws {
        (self.tools, self.choice, self.isParallel) = (tools, choice, isParallel)
        switch choice {
        case .required: if tools.isEmpty { throw fault("wants a call, and there are no 'tools'") }
        case .function(let name): try require(name)
        case .auto, .none: break
        }
    }

    private func require(_ name: String) throws {
        guard tools.contains(where: { $0.name == name }) else {
            throw fault("is '\(name.prefix(80))', which is none of 'tools': \(tools.map(\.name))")
        }
    }

    /// - Throws: `APIError` that names the field.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let given = try container.decodeIfPresent(JSONValue.self, forKey: .tools) ?? .null
        if !given.isNull {
            do throws(Tool.Fault) { tools = try Tool.list(given) } catch {
                throw APIError.invalidRequest("'tools\(error.place)' \(error.problem).", parameter: "tools")
            }
        }
        isParallel = try container.decodeIfPresent(Bool.self, forKey: .parallel_tool_calls) ?? true
        let choice = try container.decodeIfPresent(JSONValue.self, forKey: .tool_choice) ?? .null
        if !choice.isNull { try choose(choice) }
    }

    private func fault(_ what: String) -> APIError {
        APIError.invalidRequest("'tool_choice' \(what).", parameter: "tool_choice")
    }

    private mutating func choose(_ value: JSONValue) throws {
        if case .object(let object) = value {
            switch object["type"]?.text {
            case "function":
                guard let name = (object["function"]?["name"] ?? object["name"])?.text else {
                    throw fault("is of type function and names none")
                }
                try require(name)
                choice = .function(name)
            case "allowed_tools":
                let own = object["allowed_tools"] ?? value
                let allowed = (own["tools"]?.elements ?? []).compactMap {
                    ($0["function"]?["name"] ?? $0["name"])?.text
                }
                if let other = allowed.first(where: { name in !tools.contains { $0.name == name } }) {
                    throw fault("allows '\(other.prefix(80))', which is none of 'tools': \(tools.map(\.name))")
                }
                tools = tools.filter { allowed.contains($0.name) }
                try choose(.string(own["mode"]?.text ?? "auto"))
            case let type: throw fault("has the type '\(type?.prefix(40) ?? "")'; it may be function or allowed_tools")
            }
            return
        }
        switch value.text {
        case "none": choice = .none
        case "auto": choice = .auto
        // Mistral's clients say any.
        case "required", "any":
            guard !tools.isEmpty else { throw fault("is 'required', and there are no 'tools'") }
            choice = .required
        default:
            throw fault(
                "is \(value.text.map { "'\($0.prefix(40))'" } ?? value.kind); it may be none, auto, required, or an object "
                    + "that names a function")
        }
    }

    /// Whether the answer may call any.
    var mayCall: Bool { !tools.isEmpty && choice != .none }

    /// The tools that the answer may call.
    var callable: [Tool] {
        switch choice {
        case .none: []
        case .auto, .required: tools
        case .function(let name): tools.filter { $0.name == name }
        }
    }
}

extension Tool {
    /// As the text-model reads it.
    var json: JSONValue {
        var members: [(key: String, value: JSONValue)] = [("name", .string(name))]
        if let parameters { members.append(("parameters", parameters)) }
        if isStrict { members.append(("strict", .bool(true))) }
        return .object(JSONObject([("type", .string("function")), ("function", .object(JSONObject(members)))]))
    }
}
