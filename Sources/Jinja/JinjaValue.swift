/// A value of a template. Lists and objects cannot be changed, as in transformers' sandbox.
package indirect enum JinjaValue {
    /// Bears the name that was not found, for messages.
    case undefined(String)
    case none
    case bool(Bool)
    case integer(Int)
    /// An integer that no Int holds, by its decimal digits: it can be written and compared, and nothing is computed with it.
    case whole(String)
    case float(Double)
    case text(TrustedText)
    /// `depth`: how deep sequences and objects nest in it.
    case sequence(SequenceKind, [JinjaValue], depth: Int)
    case object(JinjaObject)
    case generator(JinjaGenerator)
    case namespace(JinjaNamespace)
    case loop(LoopState)
    case callable(JinjaCallable)

    /// Python's kinds of sequence, which differ in what they can do.
    package enum SequenceKind: String, Sendable {
        case list, tuple, range
        case keys = "dict_keys"
        case values = "dict_values"
        case items = "dict_items"

        var isIndexed: Bool { self == .list || self == .tuple || self == .range }
    }

    package static func list(_ values: [JinjaValue]) -> JinjaValue { .sequence(.list, values) }

    static func sequence(_ kind: SequenceKind, _ values: [JinjaValue]) -> JinjaValue {
        .sequence(kind, values, depth: 1 + (values.lazy.map(\.depth).max() ?? 0))
    }

    /// How deep sequences and objects nest: bounded, since what is nested is also released by recursion.
    var depth: Int {
        switch self {
        case .sequence(_, _, let depth): depth
        case .object(let object): object.depth
        default: 0
        }
    }

    static func text(_ text: String) -> JinjaValue { .text(TrustedText(text)) }

    /// Python's name of its type.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "NoneType"
        case .bool: "bool"
        case .integer, .whole: "int"
        case .float: "float"
        case .text: "str"
        case .sequence(let kind, _, _): kind.rawValue
        case .object: "dict"
        case .generator: "generator"
        case .namespace: "Namespace"
        case .loop: "LoopContext"
        case .callable: "function"
        }
    }

    /// `bool(value)`.
    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .whole: true
        case .float(let value): value != 0
        case .text(let value): !value.isEmpty
        case .sequence(_, let values, _): !values.isEmpty
        case .object(let object): !object.isEmpty
        case .generator, .namespace, .callable: true
        case .loop(let state): state.length > 0
        }
    }

    var isUndefined: Bool { if case .undefined = self { true } else { false } }
    var isNone: Bool { if case .none = self { true } else { false } }

    /// A number as Python computes with it: True is 1.
    var number: Double? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): Double(value)
        case .whole(let digits): Double(digits)
        case .float(let value): value
        default: nil
        }
    }

    var integer: Int? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): value
        default: nil
        }
    }
}

/// An ordered object.
package struct JinjaObject {
    package private(set) var entries: [(key: JinjaValue, value: JinjaValue)] = []
    private var positions: [Key: Int] = [:]
    private(set) var depth = 1

    package init() {}

    /// What Python hashes: numbers that are equal are one key.
    enum Key: Hashable {
        case none
        case integer(Int)
        case whole(String)
        case float(Double)
        case text([Unicode.Scalar])
        case tuple([Key])
    }

    var isEmpty: Bool { entries.isEmpty }

    /// Nil for what cannot be a key.
    static func key(_ value: JinjaValue) -> Key? {
        switch value {
        case .none: return Key.none
        case .bool, .integer: return value.integer.map { .integer($0) }
        case .whole(let digits): return .whole(digits)
        case .float(let number): return Int(exactly: number).map { .integer($0) } ?? .float(number)
        case .text(let text): return .text(text.scalars)
        case .sequence(.tuple, let members, _):
            var keys: [Key] = []
            for member in members {
                guard let key = key(member) else { return nil }
                keys.append(key)
            }
            return .tuple(keys)
        default: return nil
        }
    }

    subscript(key: Key) -> JinjaValue? { positions[key].map { entries[$0].value } }

    /// The member of this name.
    package subscript(name: String) -> JinjaValue? { self[.text(Array(name.unicodeScalars))] }

    /// Adds a member, or replaces its value in place.
    mutating func set(_ key: JinjaValue, hashed: Key, _ value: JinjaValue) {
        depth = max(depth, 1 + value.depth)
        if let position = positions[hashed] {
            entries[position].value = value
        } else {
            positions[hashed] = entries.count
            entries.append((key, value))
        }
    }

    package mutating func set(_ name: TrustedText, _ value: JinjaValue) {
        set(.text(name), hashed: .text(name.scalars), value)
    }

    package mutating func set(_ name: String, _ value: JinjaValue) { set(TrustedText(name), value) }

    var keys: [JinjaValue] { entries.map(\.key) }
    var values: [JinjaValue] { entries.map(\.value) }
    var items: [JinjaValue] { entries.map { .sequence(.tuple, [$0.key, $0.value]) } }
}

/// What filters such as `map` give: it can be gone through once.
package final class JinjaGenerator {
    private var values: [JinjaValue]

    init(_ values: [JinjaValue]) { self.values = values }

    func take() -> [JinjaValue] {
        defer { values = [] }
        return values
    }

    func takeFirst() -> JinjaValue? { values.isEmpty ? nil : values.removeFirst() }
}

/// What `namespace()` gives: the one value whose members can be set.
package final class JinjaNamespace {
    var members = JinjaObject()
}

/// Where a loop stands.
package final class LoopState {
    let items: [JinjaValue]
    let depth: Int
    var index = 0
    /// What `loop.changed` was last asked of.
    var lastChanged: [JinjaValue]?
    /// Goes over other items by the same body, of a recursive loop.
    let recursion: ((JinjaValue) throws -> TrustedText)?

    init(_ items: [JinjaValue], depth: Int, recursion: ((JinjaValue) throws -> TrustedText)?) {
        (self.items, self.depth, self.recursion) = (items, depth, recursion)
    }

    var length: Int { items.count }

    /// `loop.name`.
    func member(_ name: String) -> JinjaValue? {
        switch name {
        case "index": .integer(index + 1)
        case "index0": .integer(index)
        case "revindex": .integer(length - index)
        case "revindex0": .integer(length - index - 1)
        case "first": .bool(index == 0)
        case "last": .bool(index == length - 1)
        case "length": .integer(length)
        case "depth": .integer(depth + 1)
        case "depth0": .integer(depth)
        case "previtem": index > 0 ? items[index - 1] : .undefined("there is no previous item")
        case "nextitem": index + 1 < length ? items[index + 1] : .undefined("there is no next item")
        default: nil
        }
    }
}

/// What can be called.
package final class JinjaCallable {
    let name: String
    let call: (Interpreter, CallArguments) throws -> JinjaValue
    /// Members, as macros have them.
    var members: [String: JinjaValue] = [:]

    init(_ name: String, _ call: @escaping (Interpreter, CallArguments) throws -> JinjaValue) {
        (self.name, self.call) = (name, call)
    }
}
