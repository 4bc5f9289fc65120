import Grammars
import JSON

/// Writes grammars of values as MiniMax M3 has them: each parameter between tags of its name, which a sign stands before; items
/// of lists and members of objects likewise.
struct TagRules {
    let sign: String

    private static let notes: Set<String> = [
        "type", "description", "title", "default", "examples", "enum", "const", "properties", "required", "items",
        "minItems", "maxItems", "additionalProperties", "nullable",
    ]
    private static let depthLimit = 16

    /// - Throws: `GrammarError` for what a strict tool's schema asks and the notation has no rule for.
    func members(of tool: Tool, at place: String) throws(GrammarError) -> GrammarExpression {
        guard let parameters = tool.parameters else { return tool.isStrict ? .empty : anything }
        return try object(parameters, isStrict: tool.isStrict, at: place + "#", depth: 0)
    }

    private func end(_ name: String) -> String { "\(sign)</\(name)>" }

    /// Any parameters, each a text.
    private var anything: GrammarExpression {
        let name = GrammarExpression.pattern("[A-Za-z0-9_.-]{1,64}")
        return .repeated(
            .sequence([.text(sign + "<"), name, .text(">"), .through(sign + "</"), name, .text(">")]), min: 0, max: 64)
    }

    private func object(
        _ schema: JSONValue, isStrict: Bool, at place: String, depth: Int
    ) throws(GrammarError) -> GrammarExpression {
        guard case .object(let properties)? = schema["properties"] else { return isStrict ? .empty : anything }
        let required = Set(schema["required"]?.elements?.compactMap(\.text) ?? [])
        var parts: [GrammarExpression] = []
        for (key, schema) in properties.members {
            let own = try element(key, schema, isStrict: isStrict, at: "\(place)/properties/\(key)", depth: depth)
            parts.append(required.contains(key) ? own : .optional(own))
        }
        return .sequence(parts)
    }

    private func element(
        _ name: String, _ schema: JSONValue, isStrict: Bool, at place: String, depth: Int
    ) throws(GrammarError) -> GrammarExpression {
        let (begin, end) = (GrammarExpression.text("\(sign)<\(name)>"), GrammarExpression.text(self.end(name)))
        if let values = schema["const"].map({ [$0] }) ?? schema["enum"]?.elements {
            let texts = values.map { $0.text ?? String(decoding: $0.bytes, as: UTF8.self) }
            return .sequence([begin, .choice(texts.map(GrammarExpression.text)), end])
        }
        if isStrict, case .object(let object) = schema,
            schema["type"]?.text.map({ !["number", "integer"].contains($0) }) ?? true,
            let keyword = object.members.first(where: { !Self.notes.contains($0.key) })?.key
        {
            throw GrammarError(
                .unsupported, at: "\(place)/\(keyword)",
                "is not enforced in this model's form of calls; leave it out of a strict tool")
        }
        switch schema["type"]?.text {
        case "string": return .sequence([begin, .through(self.end(name))])
        case "number", "integer", "boolean":
            return .sequence([begin, .value(.init(schema, place: place, otherwise: isStrict ? nil : .bool(true))), end])
        case "object" where depth < Self.depthLimit:
            return .sequence([begin, try object(schema, isStrict: isStrict, at: place, depth: depth + 1), end])
        case "array" where depth < Self.depthLimit:
            guard let items = schema["items"] else { break }
            func bound(_ keyword: String) -> Int? {
                if case .number(let number)? = schema[keyword] { Int(exactly: number.double) } else { nil }
            }
            let item = try element("item", items, isStrict: isStrict, at: place + "/items", depth: depth + 1)
            return .sequence([
                begin, .repeated(item, min: bound("minItems") ?? 0, max: bound("maxItems")), end,
            ])
        default: break
        }
        if isStrict {
            throw GrammarError(
                .unsupported, at: place, "has no single 'type' that this model's form of calls can be held to")
        }
        return .sequence([begin, .through(self.end(name))])
    }
}
