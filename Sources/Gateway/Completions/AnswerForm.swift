import Grammars
import JSON
import Messages

/// The form that an answer is held to, in whichever field a client gives it: OpenAI's, vLLM's and llama-server's.
struct AnswerForm: Decodable, Sendable {
    /// nil for any form.
    private(set) var grammar: Wire.Grammar?

    private enum Key: String, CodingKey, CaseIterable {
        case response_format, structured_outputs, guided_json, json_schema
        case guided_regex, guided_choice, guided_grammar, grammar, regex, ebnf
    }

    /// A text, and what it is, by the names of `Wire.Grammar.language`.
    private struct Text {
        var bytes: [UInt8]
        var language = ""
    }

    private static let anyObject = Array(#"{"type":"object"}"#.utf8)

    /// - Throws: `APIError` that names the field: one that is not known, and one beside another.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        for key in Key.allCases {
            guard let value = try container.decodeIfPresent(JSONValue.self, forKey: key),
                let text = try Self.text(key, value)
            else { continue }
            if let grammar {
                throw APIError.invalidRequest(
                    "'\(key.rawValue)' and '\(grammar.field)' say both what form the answer has; send one of them.",
                    parameter: key.rawValue)
            }
            grammar = Wire.Grammar(jsonSchema: text.bytes, field: key.rawValue, language: text.language)
        }
    }

    /// What a field's value asks for; nil where it asks for no form.
    private static func text(_ key: Key, _ value: JSONValue) throws -> Text? {
        switch key {
        case .response_format: return try schema(ofFormat: value, field: key.rawValue).map { Text(bytes: $0) }
        case .structured_outputs: return try text(ofOutputs: value)
        case .guided_json, .json_schema: return Text(bytes: try text(value, key.rawValue))
        case .guided_regex, .regex: return try text(value, as: "regex", key.rawValue)
        case .guided_choice: return try text(value, as: "choice", key.rawValue)
        case .guided_grammar, .grammar, .ebnf: return try text(value, as: "grammar", key.rawValue)
        }
    }

    /// A regular expression, choices or a grammar; nil where there is none.
    private static func text(_ value: JSONValue, as language: String, _ field: String) throws -> Text? {
        if value.isEmpty { return nil }
        let parameter = String(field.prefix { $0 != "." })
        guard language == "choice" else {
            guard let text = value.text else {
                throw APIError.invalidRequest("'\(field)' is \(value.kind); it must be a text.", parameter: parameter)
            }
            // vLLM and its clients have one field for both notations of grammars.
            let own = language == "grammar" ? Grammar.isGBNF(text) ? "gbnf" : "lark" : language
            return Text(bytes: Array(text.utf8), language: own)
        }
        guard let elements = value.elements, elements.allSatisfy({ $0.text != nil }) else {
            throw APIError.invalidRequest("'\(field)' must be a list of texts.", parameter: parameter)
        }
        return Text(bytes: value.bytes, language: language)
    }

    /// OpenAI's `response_format`, and Responses' `text.format`, which has the schema beside its type.
    static func schema(ofFormat value: JSONValue, field: String) throws -> [UInt8]? {
        guard case .object(let format) = value else {
            throw APIError.invalidRequest("'\(field)' is \(value.kind); it must be an object.", parameter: field)
        }
        switch format["type"]?.text {
        case "text": return nil
        case "json_object": return try format["schema"].map { try text($0, field + ".schema") } ?? anyObject
        case "json_schema":
            let inner = format["json_schema"] ?? value
            guard let schema = inner["schema"], !schema.isNull else {
                throw APIError.invalidRequest(
                    "'\(field)' is of type json_schema and has no 'schema'.", parameter: field)
            }
            return try text(schema, field)
        case let type:
            if value.isEmpty { return nil }
            throw APIError.invalidRequest(
                "'\(field).type' is \(type.map { "'\($0.prefix(40))'" } ?? "missing"), which is not supported; it must be text, "
                    + "json_object or json_schema.", parameter: field)
        }
    }

    /// vLLM's `structured_outputs`, of which one is given.
    private static func text(ofOutputs value: JSONValue) throws -> Text? {
        let field = "structured_outputs"
        guard case .object(let object) = value else {
            throw APIError.invalidRequest("'\(field)' is \(value.kind); it must be an object.", parameter: field)
        }
        var found: (name: String, text: Text)?
        for (name, value) in object.members where !value.isEmpty || name == "json" && !value.isNull {
            let text: Text? =
                switch name {
                case "json": Text(bytes: try text(value, field + ".json"))
                case "json_object": Text(bytes: anyObject)
                case "regex", "choice", "grammar": try text(value, as: name, field + "." + name)
                default:
                    throw APIError.invalidRequest(
                        "'\(field).\(name.prefix(40))' is not supported; json, json_object, regex, choice and grammar are.",
                        parameter: field)
                }
            if let found, text != nil {
                throw APIError.invalidRequest(
                    "'\(field)' has '\(found.name)' and '\(name)'; send one of them.", parameter: field)
            }
            found = text.map { (name, $0) } ?? found
        }
        return found?.text
    }

    /// A schema's text; vLLM's clients send it as a text too.
    private static func text(_ schema: JSONValue, _ field: String) throws -> [UInt8] {
        switch schema {
        case .string(let text): return Array(text.utf8)
        case .object, .bool: return schema.bytes
        default:
            throw APIError.invalidRequest(
                "'\(field)' is \(schema.kind); it must be a JSON Schema.",
                parameter: String(field.prefix { $0 != "." }))
        }
    }
}
