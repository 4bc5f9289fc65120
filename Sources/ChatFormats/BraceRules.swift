import Grammars
import JSON

/// Writes grammars of values in Gemma's notation: `{key:value,…}` with bare keys in the alphabet's order, and texts between a
/// mark.
struct BraceRules {
    let mark: String

    private static let notes: Set<String> = [
        "type", "description", "title", "default", "examples", "enum", "const", "properties", "required", "items",
        "additionalProperties", "nullable",
    ]
    private static let depthLimit = 16

    /// - Throws: `GrammarError` for what a strict tool's schema asks and the notation has no rule for.
    func members(of tool: Tool, at place: String) throws(GrammarError) -> GrammarExpression {
        guard let parameters = tool.parameters else { return anything(keys: true, depth: 0) }
        return try object(parameters, isStrict: tool.isStrict, at: place + "#", depth: 0)
    }

    private func value(
        _ schema: JSONValue, isStrict: Bool, at place: String, depth: Int
    ) throws(GrammarError) -> GrammarExpression {
        if let values = schema["const"].map({ [$0] }) ?? schema["enum"]?.elements {
            return .choice(
                values.map { value in
                    value.text.map { .text(mark + $0 + mark) } ?? .text(String(decoding: value.bytes, as: UTF8.self))
                })
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
        case "string": return .sequence([.text(mark), .through(mark)])
        case "number", "integer", "boolean", "null":
            return .value(.init(schema, place: place, otherwise: isStrict ? nil : .bool(true)))
        case "object" where depth < Self.depthLimit:
            return try object(schema, isStrict: isStrict, at: place, depth: depth + 1)
        case "array" where depth < Self.depthLimit:
            let item = try schema["items"].map { schema throws(GrammarError) in
                try value(schema, isStrict: isStrict, at: place + "/items", depth: depth + 1)
            }
            return list(item ?? anything(keys: false, depth: depth + 1))
        default:
            if isStrict {
                throw GrammarError(
                    .unsupported, at: place, "has no single 'type', which a strict tool needs in this model's form")
            }
            return anything(keys: false, depth: depth + 1)
        }
    }

    private func object(
        _ schema: JSONValue, isStrict: Bool, at place: String, depth: Int
    ) throws(GrammarError) -> GrammarExpression {
        guard case .object(let properties)? = schema["properties"] else { return anything(keys: true, depth: depth) }
        let required = Set(schema["required"]?.elements?.compactMap(\.text) ?? [])
        // Behind a member, and before the first one.
        var rest = GrammarExpression.empty, all = GrammarExpression.empty
        for (key, schema) in properties.members.sorted(by: { $0.key > $1.key }) {
            let own = GrammarExpression.sequence([
                .text(key + ":"),
                try value(schema, isStrict: isStrict, at: "\(place)/properties/\(key)", depth: depth),
            ])
            let first = GrammarExpression.sequence([own, rest]),
                later = GrammarExpression.sequence([.text(","), own, rest])
            if required.contains(key) {
                (all, rest) = (first, later)
            } else {
                (all, rest) = (
                    .choice([first, all]), .sequence([.optional(.sequence([.text(","), own])), rest])
                )
            }
        }
        return .sequence([.text("{"), all, .text("}")])
    }

    private func list(_ item: GrammarExpression) -> GrammarExpression {
        .sequence([
            .text("["), .optional(.sequence([item, .repeated(.sequence([.text(","), item]), min: 0, max: nil)])),
            .text("]"),
        ])
    }

    /// Any value, nested three deep at most.
    private func anything(keys: Bool, depth: Int) -> GrammarExpression {
        let scalar = JSONValue.object(
            JSONObject([("type", .array(["number", "boolean", "null"].map(JSONValue.string)))]))
        var value = GrammarExpression.choice([.sequence([.text(mark), .through(mark)]), .value(scalar)])
        for _ in 0..<2 { value = .choice([value, list(value), object(of: value)]) }
        return keys ? object(of: value) : value
    }

    private func object(of value: GrammarExpression) -> GrammarExpression {
        let member = GrammarExpression.sequence([.pattern("[A-Za-z0-9_-]{1,64}"), .text(":"), value])
        return .sequence([
            .text("{"), .optional(.sequence([member, .repeated(.sequence([.text(","), member]), min: 0, max: nil)])),
            .text("}"),
        ])
    }
}
