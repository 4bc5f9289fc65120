import JSON

/// A JSON Schema (draft 2020-12, and what older drafts say otherwise) with the places of its subschemas: each is read when a
/// formula asks for it.
final class SchemaDocument {
    /// A subschema, and through which resources the way to it led, where that counts.
    private struct Entry: Hashable {
        var pointer: String
        var scope: [String]
    }
    struct Place {
        var value: JSONValue
        var pointer: String
        /// What `$ref` in it is resolved against.
        var base: String
    }

    /// Subschemas, at most.
    private static let limit = 20_000

    private(set) var places: [String: Place] = [:]
    /// Pointers of resources, by their address without a fragment; and of anchors, by address and name.
    private var resources: [String: String] = [:]
    private var anchors: [String: String] = [:]
    private var dynamicAnchors: [String: String] = [:]
    private let root: JSONValue
    private var entries: [Entry] = []
    private var numbers: [Entry: Int] = [:]

    /// - Throws: `GrammarError.malformed` for what is no schema, `.tooComplex` for one that is too large.
    init(_ root: JSONValue) throws(GrammarError) {
        self.root = root
        resources[""] = "#"
        try scan(root, at: "#", base: "")
    }

    /// Notes where subschemas, resources and anchors are.
    private func scan(_ value: JSONValue, at pointer: String, base: String) throws(GrammarError) {
        guard places.count < Self.limit else {
            throw GrammarError(.tooComplex, at: pointer, "there are more than \(Self.limit) subschemas")
        }
        var base = base
        if let id = value["$id"]?.text {
            let address = URIReference(id).resolved(against: base)
            base = address.resource
            if resources[base] == nil || base.isEmpty { resources[base] = pointer }
        }
        places[pointer] = Place(value: value, pointer: pointer, base: base)
        guard case .object(let object) = value else { return }
        if let name = value["$anchor"]?.text { anchors["\(base)#\(name)"] = pointer }
        if let name = value["$dynamicAnchor"]?.text {
            anchors["\(base)#\(name)"] = pointer
            dynamicAnchors["\(base)#\(name)"] = pointer
        }
        for (key, inner) in object.members {
            let place = pointer + "/" + Self.escaped(key)
            switch Keyword(rawValue: key)?.subschemas {
            case .one:
                if case .array(let elements) = inner, key == "items" {
                    for (index, element) in elements.enumerated() {
                        try scan(element, at: "\(place)/\(index)", base: base)
                    }
                } else {
                    try scan(inner, at: place, base: base)
                }
            case .list:
                for (index, element) in (inner.elements ?? []).enumerated() {
                    try scan(element, at: "\(place)/\(index)", base: base)
                }
            case .map:
                guard case .object(let members) = inner else { continue }
                for (name, element) in members.members {
                    if case .array = element { continue }
                    try scan(element, at: place + "/" + Self.escaped(name), base: base)
                }
            case nil: continue
            }
        }
    }

    static func escaped(_ key: String) -> String {
        key.contains("~") || key.contains("/")
            ? String(key.flatMap { $0 == "~" ? "~0" : $0 == "/" ? "~1" : "\($0)" }) : key
    }

    /// The number of a subschema that was reached through `scope`.
    func number(of pointer: String, scope: [String]) -> Int {
        var scope = scope
        if dynamicAnchors.isEmpty {
            scope = []
        } else if let base = places[pointer]?.base, !scope.contains(base) {
            // The outermost counts: one that stands there already says no more.
            scope.append(base)
        }
        let entry = Entry(pointer: pointer, scope: scope)
        if let known = numbers[entry] { return known }
        entries.append(entry)
        numbers[entry] = entries.count - 1
        return entries.count - 1
    }

    /// Reads every subschema that a value may come to, so that what is wrong with one is said beforehand.
    func readAll(into table: FormulaTable) throws(GrammarError) {
        var next = 0
        while next < entries.count {
            let formula = try table.schema(next)
            do throws(GrammarError) {
                _ = try table.values(of: formula)
            } catch {
                var error = error
                if error.path == nil { error.path = entries[next].pointer }
                throw error
            }
            next += 1
        }
    }

    func formula(of index: Int, in table: FormulaTable) throws(GrammarError) -> Int {
        let entry = entries[index]
        guard let place = places[entry.pointer] else { return FormulaTable.all }
        do throws(GrammarError) {
            return try SchemaReader(document: self, table: table, place: place, scope: entry.scope).formula()
        } catch {
            var error = error
            if error.path == nil { error.path = place.pointer }
            throw error
        }
    }

    // MARK: References

    /// Where a `$ref` leads.
    func target(of reference: String, from place: Place) throws(GrammarError) -> String {
        let address = URIReference(reference).resolved(against: place.base)
        guard let resource = resources[address.resource] else {
            throw GrammarError(
                .unsupported, at: place.pointer,
                "\"$ref\" is \"\(reference.prefix(200))\", which is not in the schema; other documents are not fetched")
        }
        guard let fragment = address.fragment, !fragment.isEmpty else { return resource }
        guard let decoded = URIReference.decoded(fragment) else { throw missing(reference, place) }
        if decoded.hasPrefix("/") { return try follow(decoded, from: resource, reference, place) }
        guard let pointer = anchors["\(address.resource)#\(decoded)"] else { throw missing(reference, place) }
        return pointer
    }

    /// Where a `$dynamicRef` leads: to the outermost of the resources that the way led through that has such an anchor.
    func dynamicTarget(
        of reference: String, from place: Place, scope: [String]
    ) throws(GrammarError) -> String {
        let first = try target(of: reference, from: place)
        let address = URIReference(reference).resolved(against: place.base)
        guard let name = address.fragment, dynamicAnchors["\(address.resource)#\(name)"] == first else { return first }
        for base in scope {
            if let pointer = dynamicAnchors["\(base)#\(name)"] { return pointer }
        }
        return first
    }

    private func missing(_ reference: String, _ place: Place) -> GrammarError {
        GrammarError(.malformed, at: place.pointer, "\"$ref\" is \"\(reference.prefix(200))\", which leads nowhere")
    }

    private func follow(
        _ path: String, from resource: String, _ reference: String, _ place: Place
    ) throws(GrammarError) -> String {
        var pointer = resource
        guard var value = places[resource]?.value else { throw missing(reference, place) }
        var base = places[resource]?.base ?? ""
        for part in path.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let key = String(part.replacing("~1", with: "/").replacing("~0", with: "~"))
            switch value {
            case .object(let object):
                guard let inner = object[key] else { throw missing(reference, place) }
                value = inner
            case .array(let elements):
                guard let index = Int(key), elements.indices.contains(index) else { throw missing(reference, place) }
                value = elements[index]
            default: throw missing(reference, place)
            }
            pointer += "/" + Self.escaped(key)
            base = places[pointer]?.base ?? base
        }
        // A subschema below a keyword that has none.
        if places[pointer] == nil { try scan(value, at: pointer, base: base) }
        return pointer
    }
}
