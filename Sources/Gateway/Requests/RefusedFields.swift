import JSON

/// Fields of a route that promise what is not done here. A request that uses one is refused by name; a value that asks for
/// nothing passes. Fields that are in no such table and that the route does not read change no answer.
struct RefusedFields: Sendable {
    struct Rule: Sendable {
        /// Why, and what to do instead: follows the words «is not supported:».
        let why: String
        /// Whether a value asks for nothing, or for what is done anyway.
        let passes: @Sendable (JSONValue) -> Bool
    }

    static let none = RefusedFields([:])

    private let rules: [String: Rule]

    private init(_ rules: [String: Rule]) { self.rules = rules }

    /// - Parameters:
    ///   - rules: later ones take the place of earlier ones of the same name.
    ///   - known: names that the route reads, whatever the rules say.
    init(_ rules: [(names: [String], rule: Rule)]..., except known: Set<String> = []) {
        var table: [String: Rule] = [:]
        for (names, rule) in rules.joined() {
            for name in names where !known.contains(name) { table[name] = rule }
        }
        self.rules = table
    }

    /// - Throws: `APIError` for the first field that is refused.
    func check(_ body: JSONObject) throws {
        for (name, value) in body.members {
            guard let rule = rules[name], !rule.passes(value) else { continue }
            throw APIError.invalidRequest("'\(name)' is not supported: \(rule.why).", parameter: name)
        }
    }
}

/// A row of a table.
func refuse(
    _ names: String..., because why: String, unless passes: @escaping @Sendable (JSONValue) -> Bool = { $0.isEmpty }
) -> (names: [String], rule: RefusedFields.Rule) {
    (names, RefusedFields.Rule(why: why) { $0.isNull || $0.text?.isEmpty == true || passes($0) })
}

/// A test for one of these texts.
func isOne(of texts: String...) -> @Sendable (JSONValue) -> Bool {
    { $0.text.map(texts.contains) ?? false }
}

/// A test for one of these numbers.
func isNumber(_ numbers: Double...) -> @Sendable (JSONValue) -> Bool {
    { if case .number(let given) = $0 { numbers.contains(given.double) } else { false } }
}

/// A test for true.
let isTrue: @Sendable (JSONValue) -> Bool = { if case .bool(true) = $0 { true } else { false } }

extension KeyedDecodingContainer {
    /// Refuses a field of an object within a body.
    ///
    /// - Parameter passes: whether a value asks for nothing, or for what is done anyway.
    /// - Throws: `JSONError` that names it.
    func refuse(
        _ key: Key, because why: String, unless passes: (JSONValue) -> Bool = { $0.isEmpty }
    ) throws {
        let value = try decodeIfPresent(JSONValue.self, forKey: key) ?? .null
        guard !value.isNull, !passes(value) else { return }
        throw JSONError(.member(of: JSONPath(codingPath), key.stringValue), "is not supported: \(why)")
    }
}
