/// The attributes that Python's values have. What is not done here is refused by name, never taken for undefined.
enum Attributes {
    /// Nil where Python has no such attribute.
    static func member(_ name: String, of base: JinjaValue) throws -> JinjaValue? {
        if name.hasPrefix("__") {
            throw JinjaError(.unsupported, "the attribute '\(name)' is out of bounds for templates")
        }
        switch base {
        case .text(let text):
            if TextMethods.names.contains(name) {
                return method(name) { try TextMethods.call(name, text, $1, $0) }
            }
            try refuse(name, of: "str", Self.unsupportedOfText)
        case .object(let object):
            if ["get", "items", "keys", "values", "copy"].contains(name) {
                return method(name) { try call(name, object, $1, $0) }
            }
            try refuse(name, of: "dict", ["clear", "fromkeys", "pop", "popitem", "setdefault", "update"])
        case .sequence(let kind, let values, _):
            if kind.isIndexed, name == "index" || name == "count" {
                return method(name) { interpreter, arguments in
                    let value = try arguments.one("\(kind.rawValue).\(name)", "value")
                    if name == "count" {
                        return .integer(try values.count { try $0.equals(value, interpreter.budget) })
                    }
                    guard let index = try values.firstIndex(where: { try $0.equals(value, interpreter.budget) }) else {
                        throw JinjaError(.evaluation, "list.index: the value is not in the list")
                    }
                    return .integer(index)
                }
            }
            if kind == .list {
                try refuse(
                    name, of: "list",
                    ["append", "clear", "copy", "extend", "insert", "pop", "remove", "reverse", "sort"])
            }
            try refuse(name, of: kind.rawValue, ["isdisjoint", "mapping", "start", "step", "stop"])
        case .namespace(let namespace): return namespace.members[name]
        case .loop(let state):
            if let value = state.member(name) { return value }
            if name == "cycle" { return method(name) { try cycle(state, $1) } }
            if name == "changed" { return method(name) { try changed(state, $1, $0) } }
        case .callable(let callable): return callable.members[name]
        case .integer, .whole, .bool:
            try refuse(
                name, of: "int",
                [
                    "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "imag",
                    "is_integer", "numerator", "real", "to_bytes",
                ])
        case .float:
            try refuse(
                name, of: "float", ["as_integer_ratio", "conjugate", "fromhex", "hex", "imag", "is_integer", "real"])
        case .undefined, .none, .generator: break
        }
        return nil
    }

    private static let unsupportedOfText: Set<String> = [
        "encode", "expandtabs", "format_map", "isidentifier", "isprintable", "istitle", "maketrans", "translate",
    ]

    private static func refuse(_ name: String, of type: String, _ names: Set<String>) throws {
        if names.contains(name) {
            throw JinjaError(.unsupported, "the attribute '\(name)' of \(type) is not supported")
        }
    }

    private static func method(
        _ name: String, _ call: @escaping (Interpreter, CallArguments) throws -> JinjaValue
    ) -> JinjaValue {
        .callable(JinjaCallable(name, call))
    }

    private static func call(
        _ name: String, _ object: JinjaObject, _ arguments: CallArguments, _ interpreter: Interpreter
    ) throws -> JinjaValue {
        if name == "get" {
            let values = try arguments.bound("dict.get", ["key", "default"])
            guard let key = values[0] else { throw JinjaError(.evaluation, "dict.get needs a key") }
            return object[try interpreter.hashed(key)] ?? values[1] ?? .none
        }
        try arguments.none("dict.\(name)")
        try interpreter.budget.reserveList(object.entries.count)
        switch name {
        case "items": return .sequence(.items, object.items)
        case "keys": return .sequence(.keys, object.keys)
        case "values": return .sequence(.values, object.values)
        default: return .object(object)
        }
    }

    private static func cycle(_ state: LoopState, _ arguments: CallArguments) throws -> JinjaValue {
        guard !arguments.positional.isEmpty, arguments.named.isEmpty else {
            throw JinjaError(.evaluation, "loop.cycle: no items for cycling given")
        }
        return arguments.positional[state.index % arguments.positional.count]
    }

    private static func changed(
        _ state: LoopState, _ arguments: CallArguments, _ interpreter: Interpreter
    ) throws -> JinjaValue {
        let values = JinjaValue.list(arguments.positional)
        if let last = state.lastChanged, try JinjaValue.list(last).equals(values, interpreter.budget) {
            return .bool(false)
        }
        state.lastChanged = arguments.positional
        return .bool(true)
    }
}
