import Foundation
import JSON

/// What the API's document knows of each route's body: with `--strict-fields` anything else is refused by its name.
struct StrictFields: Sendable {
    /// What of a value is known.
    struct Shape: Sendable {
        /// Whether an object may have members of any name.
        var isFree = false
        var members: [String: Shape] = [:]
        /// Of a list's elements: one, or none where it is not known.
        var elements: [Shape] = []

        mutating func add(_ other: Shape) {
            isFree = isFree || other.isFree
            for (name, shape) in other.members { members[name, default: Shape()].add(shape) }
            guard let element = other.elements.first else { return }
            if elements.isEmpty { elements = [element] } else { elements[0].add(element) }
        }
    }

    private let bodies: [String: Shape]

    /// - Parameter document: the API's, as `/openapi.json` has it.
    init(_ document: JSONValue) {
        var bodies: [String: Shape] = [:]
        guard case .object(let paths)? = document["paths"] else {
            self.bodies = [:]
            return
        }
        for (path, operations) in paths.members {
            guard let operation = operations["post"],
                let schema = operation["requestBody"]?["content"]?["application/json"]?["schema"]
            else { continue }
            var shape = Self.shape(of: schema, in: document, depth: 0)
            // Those have an answer of their own, which says more.
            if case .object(let refused)? = operation["x-refused"] {
                for (name, _) in refused.members { shape.members[name, default: Shape()].isFree = true }
            }
            bodies[path] = shape
        }
        self.bodies = bodies
    }

    /// Schemas that refer to themselves are followed so far.
    private static let depthLimit = 12

    private static func shape(of schema: JSONValue, in document: JSONValue, depth: Int) -> Shape {
        guard depth < depthLimit else { return Shape(isFree: true) }
        if let reference = schema["$ref"]?.text {
            let place = reference.split(separator: "/").dropFirst().reduce(document) { $0[String($1)] ?? .null }
            return shape(of: place, in: document, depth: depth + 1)
        }
        var found = Shape()
        for key in ["allOf", "oneOf", "anyOf"] {
            for part in schema[key]?.elements ?? [] { found.add(shape(of: part, in: document, depth: depth + 1)) }
        }
        if case .object(let properties)? = schema["properties"] {
            for (name, part) in properties.members {
                found.members[name, default: Shape()].add(shape(of: part, in: document, depth: depth + 1))
            }
        } else if found.members.isEmpty {
            // An object of which nothing is said.
            let types = schema["type"]?.elements?.compactMap(\.text) ?? [schema["type"]?.text].compactMap { $0 }
            let saysNothing = types.isEmpty && found.elements.isEmpty && schema["enum"] == nil && schema["const"] == nil
            found.isFree = found.isFree || types.contains("object") || saysNothing
        }
        if let items = schema["items"] { found.elements = [shape(of: items, in: document, depth: depth + 1)] }
        return found
    }

    /// - Parameter path: the route's, as the document names it.
    /// - Throws: `APIError` for the first field that is not known. What asks for nothing passes, whatever its name.
    func check(_ body: Data, at path: String) throws {
        // What is no JSON has its answer from whoever reads it.
        guard let shape = bodies[path], let value = try? JSONParser.parse([UInt8](body)) else { return }
        do throws(JSONError) { try Self.check(value, shape, at: .root) } catch { throw APIError(error) }
    }

    private static func check(_ value: JSONValue, _ shape: Shape, at path: JSONPath) throws(JSONError) {
        switch value {
        case .null, .bool, .number, .string: return
        case .array(let elements):
            guard let known = shape.elements.first else { return }
            for (index, element) in elements.enumerated() { try check(element, known, at: .element(of: path, index)) }
        case .object(let object):
            for (name, value) in object.members {
                if let known = shape.members[name] {
                    try check(value, known, at: .member(of: path, name))
                } else if !shape.isFree, !shape.members.isEmpty, !value.isEmpty {
                    throw JSONError(
                        .member(of: path, name), "is not known here; /openapi.json has the fields of this route")
                }
            }
        }
    }
}
