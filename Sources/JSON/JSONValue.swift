/// A JSON value (RFC 8259) as it was written: objects keep their order, numbers their digits.
package enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// A member of an object; nil where this is no object or has no such member.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let object) = self else { return nil }
        return object[key]
    }

    package var text: String? { if case .string(let text) = self { text } else { nil } }
    package var elements: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
    package var isNull: Bool { if case .null = self { true } else { false } }

    /// Whether the value asks for nothing: null, false, 0, an empty text, or a list or object of nothing but null.
    package var isEmpty: Bool {
        switch self {
        case .null: true
        case .bool(let flag): !flag
        case .number(let number): number.double == 0
        case .string(let text): text.isEmpty
        case .array(let elements): elements.allSatisfy(\.isNull)
        case .object(let object): object.members.allSatisfy(\.value.isNull)
        }
    }

    /// What kind of value this is, as an error message names it. Never a text's content.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .number(let number): number.shortText
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

/// A number as it was written, with as many digits.
package struct JSONNumber: Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }

    /// The nearest double; infinite where none is near.
    package var double: Double { Double(text) ?? .nan }

    /// The number where it is a whole one that fits: `8`, `8.0` and `8e0` alike.
    package func integer<Integer: FixedWidthInteger>(_ type: Integer.Type = Integer.self) -> Integer? {
        if let whole = Integer(text) { return whole }
        guard text.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }) else {
            return nil
        }
        return Integer(exactly: double)
    }

    /// At most 40 characters.
    package var shortText: String { text.utf8.count <= 40 ? text : text.prefix(40) + "…" }
}

/// The members of an object in the order in which they were written. Of equal names the last one counts.
package struct JSONObject: Sendable {
    package let members: [(key: String, value: JSONValue)]
    /// Where members stand, for objects that are too large to be searched.
    private let places: [String: Int]?

    private static let searchLimit = 24

    package init(_ members: [(key: String, value: JSONValue)]) {
        self.members = members
        places =
            members.count <= Self.searchLimit
            ? nil : Dictionary(members.indices.map { (members[$0].key, $0) }) { $1 }
    }

    package subscript(key: String) -> JSONValue? {
        if let places { return places[key].map { members[$0].value } }
        return members.last { $0.key == key }?.value
    }
}
