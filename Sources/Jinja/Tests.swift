/// jinja2's tests. What is not here is refused by name when it is come upon.
enum Tests {
    private static let names: Set<String> = [
        "!=", "<", "<=", "==", ">", ">=", "boolean", "callable", "defined", "divisibleby", "eq", "equalto", "even",
        "false", "filter", "float", "ge", "greaterthan", "gt", "in", "integer", "iterable", "le", "lessthan", "lower",
        "lt", "mapping", "ne", "none", "number", "odd", "sameas", "sequence", "string", "test", "true", "undefined",
        "upper",
    ]

    static func isKnown(_ name: String) -> Bool { names.contains(name) }
}

extension Interpreter {
    /// `value is name(arguments)`.
    func test(_ name: String, _ value: JinjaValue, _ arguments: CallArguments) throws -> Bool {
        guard Tests.isKnown(name) else { throw JinjaError(.unsupported, "the test '\(name)' is not supported") }
        switch name {
        case "==", "eq", "equalto", "!=", "ne", "<", "lt", "lessthan", "<=", "le", ">", "gt", "greaterthan", ">=", "ge",
            "in", "sameas", "divisibleby":
            return try compared(name, value, arguments.one(name, "other"))
        default: break
        }
        try arguments.none(name)
        switch name {
        case "defined": return !value.isUndefined
        case "undefined": return value.isUndefined
        case "none": return value.isNone
        case "boolean": if case .bool = value { return true } else { return false }
        case "true": if case .bool(true) = value { return true } else { return false }
        case "false": if case .bool(false) = value { return true } else { return false }
        case "integer":
            if case .integer = value { return true } else if case .whole = value { return true } else { return false }
        case "float": if case .float = value { return true } else { return false }
        case "number": return value.number != nil
        case "string": if case .text = value { return true } else { return false }
        case "mapping": if case .object = value { return true } else { return false }
        case "callable":
            switch value {
            // An Undefined has __call__, which raises.
            case .callable, .undefined, .loop: return true
            default: return false
            }
        case "iterable":
            switch value {
            case .undefined, .text, .sequence, .object, .generator, .loop: return true
            default: return false
            }
        case "sequence":
            switch value {
            case .undefined, .text, .object: return true
            case .sequence(let kind, _, _): return kind.isIndexed
            default: return false
            }
        case "odd", "even":
            guard let integer = value.integer else {
                throw try Self.undefinedOr(value, "'\(name)' needs a whole number")
            }
            return (integer % 2 != 0) == (name == "odd")
        case "lower", "upper":
            guard case .bool(let result) = try TextMethods.call("is" + name, value.asText(), CallArguments(), self)
            else {
                return false
            }
            return result
        case "filter": return Filters.isKnown(try value.text(name).string)
        case "test": return Tests.isKnown(try value.text(name).string)
        default: throw JinjaError(.unsupported, "the test '\(name)' is not supported")
        }
    }

    private func compared(_ name: String, _ value: JinjaValue, _ other: JinjaValue) throws -> Bool {
        func isLess(_ a: JinjaValue, _ b: JinjaValue) throws -> Bool {
            for value in [a, b] where value.isUndefined { throw try Self.undefinedOr(value, "") }
            return try a.isLess(b, budget)
        }
        switch name {
        case "==", "eq", "equalto": return try value.equals(other, budget)
        case "!=", "ne": return try !value.equals(other, budget)
        case "<", "lt", "lessthan": return try isLess(value, other)
        case ">", "gt", "greaterthan": return try isLess(other, value)
        case "<=", "le": return try isLess(value, other) || value.equals(other, budget)
        case ">=", "ge": return try isLess(other, value) || value.equals(other, budget)
        case "in": return try value.isContained(in: other, budget)
        case "divisibleby":
            let divisor = try other.integer(name)
            guard divisor != 0 else { throw JinjaError(.evaluation, "division by zero") }
            return try arithmetic("%", value, .integer(divisor)).number == 0
        default:
            switch (value, other) {
            case (.none, .none), (.bool(true), .bool(true)), (.bool(false), .bool(false)): return true
            case (.none, _), (_, .none), (.bool, _), (_, .bool): return false
            case (.namespace, _), (.loop, _), (.callable, _), (.generator, _): return try value.equals(other, budget)
            default:
                throw JinjaError(.unsupported, "'sameas' is supported for none, true, false and namespaces alone")
            }
        }
    }
}
