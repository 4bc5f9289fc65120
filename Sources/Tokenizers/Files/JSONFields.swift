/// The members of an object of `tokenizer.json`, where a member that is not known is refused by name: it could change
/// what the object means.
struct JSONFields {
    let json: JSONValue
    /// Where the object stands: `tokenizer.json: normalizer`.
    let place: String

    /// - Throws: `TokenizerError.unsupported` for a member beyond `known`.
    init(_ json: JSONValue, _ place: String, known: [String]) throws(TokenizerError) {
        (self.json, self.place) = (json, place)
        guard case .object(let members) = json else {
            throw TokenizerError(.malformed, "\(place) is not an object")
        }
        let names = Set(known.map { Array($0.utf8) })
        for member in members where !names.contains(member.key) && !member.value.isNull {
            throw TokenizerError(
                .unsupported,
                "\(place): \"\(String(decoding: member.key, as: UTF8.self))\" is not known and could change results")
        }
    }

    private func wrong(_ key: String, _ wanted: String) -> TokenizerError {
        TokenizerError(.malformed, "\(place): \"\(key)\" is not \(wanted)")
    }

    /// nil where it is missing or null.
    subscript(key: String) -> JSONValue? { json[key].flatMap { $0.isNull ? nil : $0 } }

    func bool(_ key: String, _ standard: Bool) throws(TokenizerError) -> Bool {
        guard let value = self[key] else { return standard }
        guard let flag = value.bool else { throw wrong(key, "true or false") }
        return flag
    }

    func bytes(_ key: String) throws(TokenizerError) -> [UInt8]? {
        guard let value = self[key] else { return nil }
        guard let bytes = value.bytes else { throw wrong(key, "text") }
        return bytes
    }

    func text(_ key: String) throws(TokenizerError) -> String? {
        try bytes(key).map { String(decoding: $0, as: UTF8.self) }
    }

    func int(_ key: String) throws(TokenizerError) -> Int? {
        guard let value = self[key] else { return nil }
        guard let int = value.int else { throw wrong(key, "a whole number") }
        return int
    }

    func array(_ key: String) throws(TokenizerError) -> [JSONValue] {
        guard let value = self[key] else { return [] }
        guard let array = value.array else { throw wrong(key, "a list") }
        return array
    }

    func required<Value>(_ key: String, _ value: Value?) throws(TokenizerError) -> Value {
        guard let value else { throw TokenizerError(.malformed, "\(place) has no \"\(key)\"") }
        return value
    }
}

extension JSONValue {
    /// What an object says that it is, by its `type`; else, as in old files, by a field that no other kind has.
    func kind(byField kinds: [String: String]) -> String? {
        if let type = self["type"] { return type.text }
        return kinds.first { self[$0.key] != nil }?.value
    }
}
