import Grammars
import JSON

/// Writes the grammars of calls, each tool's by the form.
struct CallRules {
    let tools: [Tool]
    let isParallel: Bool
    private(set) var rules: [String: GrammarExpression] = [:]

    private static let anyObject = JSONValue.object(JSONObject([("type", .string("object"))]))

    init(tools: [Tool], isParallel: Bool) { (self.tools, self.isParallel) = (tools, isParallel) }

    /// What follows a section's opening.
    mutating func section(_ form: ToolForm) throws(GrammarError) -> GrammarExpression {
        var calls: [GrammarExpression] = []
        for index in tools.indices { calls.append(try call(index, form)) }
        let one = GrammarExpression.choice(calls)
        var list = one
        switch form.call {
        case .object(_, _, inList: true), .keyed, .python(inList: true):
            let several = GrammarExpression.repeated(.sequence([.text(", "), one]), min: 0, max: isParallel ? nil : 0)
            list = .sequence([.text("["), one, several, .text("]")])
        default:
            if isParallel, !form.hasOneCall {
                list = .sequence([one, .repeated(.sequence([.text(form.separator), one]), min: 0, max: nil)])
            }
        }
        return .sequence([.text(form.padding), list, .text(form.padding + form.closing)])
    }

    /// How answers begin that are calls without a sign.
    func beginnings(_ form: ToolForm) -> [String] {
        if case .python = form.call { return tools.map { "[\($0.name)(" } }
        return ["{\"name\": \"", "{\"name\":\""]
    }

    /// What follows `to=functions.` in harmony.
    func harmonyCalls() throws(GrammarError) -> [GrammarExpression] {
        tools.indices.map { index in
            .sequence([
                .text(tools[index].name), .optional(.text("<|channel|>commentary")),
                .optional(.sequence([.text(" "), .optional(.text("<|constrain|>")), .text("json")])),
                .text("<|message|>"),
                arguments(index),
            ])
        }
    }

    /// Keywords by which a schema speaks of members that `properties` does not declare.
    private static let opening = [
        "additionalProperties", "unevaluatedProperties", "patternProperties", "propertyNames", "allOf", "anyOf",
        "oneOf",
        "not", "if", "$ref", "$dynamicRef", "dependentSchemas", "minProperties",
    ]

    private func place(_ index: Int) -> String { "tools[\(index)].function.parameters" }

    /// The JSON text of a tool's arguments.
    private func arguments(_ index: Int) -> GrammarExpression {
        let tool = tools[index]
        // Arguments are an object, whatever else the schema says.
        guard let parameters = tool.parameters else { return .value(.init(Self.anyObject)) }
        var schema = parameters
        if parameters["type"]?.text == "object", case .object(let object) = parameters {
            // An argument that is not declared is one that the function does not have.
            if object["properties"] != nil, !Self.opening.contains(where: { object[$0] != nil }) {
                schema = .object(JSONObject(object.members + [("additionalProperties", .bool(false))]))
            }
        } else {
            schema = .object(JSONObject([("allOf", .array([parameters, Self.anyObject]))] + definitions(parameters)))
        }
        return .value(.init(schema, place: place(index), otherwise: tool.isStrict ? nil : Self.anyObject))
    }

    /// What references within a schema may refer to.
    private func definitions(_ schema: JSONValue) -> [(key: String, value: JSONValue)] {
        ["$defs", "definitions"].compactMap { key in schema[key].map { (key, $0) } }
    }

    private mutating func call(_ index: Int, _ form: ToolForm) throws(GrammarError) -> GrammarExpression {
        let name = tools[index].name
        switch form.call {
        case .object(let nameKey, let argumentsKey, _):
            return .sequence([
                .text("{\"\(nameKey)\": \"\(name)\", \"\(argumentsKey)\": "), arguments(index), .text("}"),
            ])
        case .named(let before, let between, let after, .json):
            let id = GrammarExpression.sequence([.pattern("[A-Za-z0-9_-]{1,40}"), .text(form.idEnd)])
            return .sequence([
                .text(before), form.idEnd.isEmpty ? .empty : id, .text(name),
                form.countsCalls ? .pattern(":[0-9]{1,3}") : .empty, .text(between), arguments(index), .text(after),
            ])
        case .named(let before, let between, let after, .elements(let first, let middle, let last, let otherwise)):
            return .sequence([
                .text(before + name + between),
                try elements(index, first, (middle, otherwise ?? middle), last, wrapsTexts: form.wrapsTexts),
                .text(after),
            ])
        case .named(let before, let between, let after, .tags(let sign)):
            return .sequence([
                .text(before + name + between),
                try TagRules(sign: sign).members(of: tools[index], at: place(index)), .text(after),
            ])
        case .keyed: return .sequence([.text("{\"\(name)\": "), arguments(index), .text("}")])
        case .named(let before, _, _, .braces(let mark)):
            return .sequence([
                .text(before + name), try BraceRules(mark: mark).members(of: tools[index], at: place(index)),
            ])
        case .python: return .sequence([.text(name + "("), try keywords(index), .text(")")])
        case .harmony: return .empty
        }
    }

    /// A tool's parameters with their schemas, in their order; nil where they are not listed.
    private func parameters(_ index: Int) throws(GrammarError) -> [(name: String, schema: JSONValue, isRequired: Bool)]?
    {
        let tool = tools[index]
        guard let schema = tool.parameters else { return tool.isStrict ? [] : nil }
        guard case .object(let properties)? = schema["properties"] else {
            if schema["type"]?.text == "object", tool.isStrict { return [] }
            if tool.isStrict {
                throw GrammarError(
                    .unsupported, at: place(index) + "#",
                    "lists no 'properties'; this model writes parameters one by one, so that a strict schema has to")
            }
            return nil
        }
        let required = Set(schema["required"]?.elements?.compactMap(\.text) ?? [])
        return properties.members.map { ($0.key, $0.value, required.contains($0.key)) }
    }

    private func value(_ schema: JSONValue, of index: Int, _ name: String) -> GrammarExpression {
        var own = schema
        if case .object(let object) = schema, let parameters = tools[index].parameters {
            own = .object(JSONObject(object.members + definitions(parameters).filter { object[$0.key] == nil }))
        }
        return .value(
            .init(
                own, place: place(index) + "#/properties/" + name, otherwise: tools[index].isStrict ? nil : .bool(true))
        )
    }

    /// Keywords that say nothing of a value.
    private static let notes: Set<String> = ["type", "description", "title", "default", "examples", "enum", "const"]

    /// A bare text up to what stands behind it.
    private func text(
        _ schema: JSONValue, of index: Int, _ name: String, before last: String, isWrapped: Bool
    ) throws(GrammarError) -> GrammarExpression {
        if let values = (schema["const"].map { [$0] } ?? schema["enum"]?.elements)?.compactMap(\.text) {
            return .sequence([.choice(values.map(GrammarExpression.text)), .text(last)])
        }
        if case .object(let object) = schema, tools[index].isStrict,
            let keyword = object.members.first(where: { !Self.notes.contains($0.key) })?.key
        {
            throw GrammarError(
                .unsupported, at: place(index) + "#/properties/\(name)/\(keyword)",
                "is not enforced in this model's form, which writes texts without quotation marks; leave it out of a "
                    + "strict tool")
        }
        return Self.anyText(before: last, isWrapped: isWrapped)
    }

    private static func anyText(before last: String, isWrapped: Bool) -> GrammarExpression {
        guard isWrapped else { return .through(last) }
        return .choice([
            .sequence([.text("<![CDATA["), .through("]]>" + last)]), .sequence([.pattern("[^<&]*"), .text(last)]),
        ])
    }

    /// - Parameter middle: what stands between a parameter's name and its value, for a text and for what is none.
    private func elements(
        _ index: Int, _ first: String, _ middle: (text: String, other: String), _ last: String, wrapsTexts: Bool
    ) throws(GrammarError) -> GrammarExpression {
        guard let parameters = try parameters(index) else {
            return .repeated(
                .sequence([
                    .text(first), .pattern("[A-Za-z0-9_.-]{1,64}"), .text(middle.text),
                    Self.anyText(before: last, isWrapped: wrapsTexts),
                ]), min: 0, max: 64)
        }
        var parts: [GrammarExpression] = []
        for (name, schema, isRequired) in parameters {
            let own: GrammarExpression =
                tools[index].isText(name)
                ? .sequence([
                    .text(first + name + middle.text),
                    try text(schema, of: index, name, before: last, isWrapped: wrapsTexts),
                ])
                : .sequence([.text(first + name + middle.other), value(schema, of: index, name), .text(last)])
            parts.append(isRequired ? own : .optional(own))
        }
        return .sequence(parts)
    }

    /// Keyword arguments of Python: values as JSON has them, but for booleans.
    private mutating func keywords(_ index: Int) throws(GrammarError) -> GrammarExpression {
        guard let parameters = try parameters(index) else {
            let one = GrammarExpression.sequence([
                .pattern("[A-Za-z_][A-Za-z0-9_]{0,63}"), .text("="), .value(.bool(true)),
            ])
            return .optional(.sequence([one, .repeated(.sequence([.text(", "), one]), min: 0, max: 64)]))
        }
        func rule(_ place: Int, _ isFirst: Bool) -> String { "call \(index) \(place) \(isFirst)" }
        for isFirst in [true, false] { rules[rule(parameters.count, isFirst)] = .empty }
        for (place, (name, schema, isRequired)) in parameters.enumerated() {
            let isBoolean = schema["type"]?.text == "boolean" && schema["enum"] == nil && schema["const"] == nil
            let own: GrammarExpression =
                isBoolean
                ? .choice([.text("True"), .text("False")])
                : value(schema, of: index, name)
            for isFirst in [true, false] {
                let given = GrammarExpression.sequence([
                    .text((isFirst ? "" : ", ") + name + "="), own, .rule(rule(place + 1, false)),
                ])
                rules[rule(place, isFirst)] = isRequired ? given : .choice([given, .rule(rule(place + 1, isFirst))])
            }
        }
        return .rule(rule(0, true))
    }
}
