import JSON
import Messages

/// The form that an answer is held to, in whichever field a client gives it: OpenAI's, vLLM's and llama-server's.
struct AnswerForm: Decodable, Sendable {
    /// nil for any form.
    private(set) var grammar: Wire.Grammar?

    private enum Key: String, CodingKey, CaseIterable {
        case response_format, structured_outputs, guided_json, json_schema
    }

    private static let anyObject = Array(#"{"type":"object"}"#.utf8)

    /// - Throws: `APIError` that names the field: one that is not known, and one beside another.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        for key in Key.allCases {
            guard let value = try container.decodeIfPresent(JSONValue.self, forKey: key),
                let schema = try Self.schema(key, value)
            else { continue }
            if let grammar {
                throw APIError.invalidRequest(
                    "'\(key.rawValue)' and '\(grammar.field)' say both what form the answer has; send one of them.",
                    parameter: key.rawValue)
            }
            grammar = Wire.Grammar(jsonSchema: schema, field: key.rawValue)
        }
    }

    /// The schema of a field's value; nil where it asks for no form.
    private static func schema(_ key: Key, _ value: JSONValue) throws -> [UInt8]? {
        switch key {
        case .response_format: try schema(ofFormat: value, field: key.rawValue)
        case .structured_outputs: try schema(ofOutputs: value)
        case .guided_json, .json_schema: try text(value, key.rawValue)
        }
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

    private static func schema(ofOutputs value: JSONValue) throws -> [UInt8]? {
        guard case .object(let object) = value else {
            throw APIError.invalidRequest(
                "'structured_outputs' is \(value.kind); it must be an object.", parameter: "structured_outputs")
        }
        for (name, value) in object.members where name != "json" && name != "json_object" && !value.isEmpty {
            throw APIError.invalidRequest(
                "'structured_outputs.\(name.prefix(40))' is not supported; 'json' is.", parameter: "structured_outputs")
        }
        if let schema = object["json"], !schema.isNull { return try text(schema, "structured_outputs.json") }
        return object["json_object"].map { !$0.isEmpty } ?? false ? anyObject : nil
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
