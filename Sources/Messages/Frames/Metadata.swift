internal import CMessages

/// Keys and values that travel with a call, in order; a key may come twice.
package struct Metadata: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    package struct Entry: Sendable, Equatable {
        package var key: String
        package var value: [UInt8]
    }

    package var entries: [Entry]

    package init(entries: [Entry] = []) {
        self.entries = entries
    }

    package init(dictionaryLiteral elements: (String, String)...) {
        entries = elements.map { Entry(key: $0.0, value: [UInt8]($0.1.utf8)) }
    }

    /// The first value of `key`, if it is UTF-8. Setting replaces every value of the key.
    package subscript(key: String) -> String? {
        get { self[bytes: key].flatMap { String(validating: $0, as: UTF8.self) } }
        set { self[bytes: key] = newValue.map { [UInt8]($0.utf8) } }
    }

    package subscript(bytes key: String) -> [UInt8]? {
        get { entries.first { $0.key == key }?.value }
        set {
            entries.removeAll { $0.key == key }
            if let newValue { entries.append(Entry(key: key, value: newValue)) }
        }
    }
}

extension Metadata.Entry: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__MetadataEntry>) {
        nephele__v1__metadata_entry__init(c)
    }

    init(reading c: Nephele__V1__MetadataEntry) throws {
        key = try c.key.text("metadata.key")
        value = c.value.array
    }

    func write(to c: inout Nephele__V1__MetadataEntry, in arena: inout Arena) {
        c.has_key = 1
        c.key = arena.text(key)
        c.has_value = 1
        c.value = arena.bytes(value)
    }
}
