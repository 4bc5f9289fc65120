extension JinjaValue {
    /// Python's `==`.
    ///
    /// - Throws: `JinjaError.limit` where the comparison takes too long: lists may share members many times over.
    func equals(_ other: JinjaValue, _ budget: Budget) throws -> Bool {
        try budget.charge(1)
        switch (self, other) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.text(let a), .text(let b)): return a == b
        case (.whole(let a), .whole(let b)): return a == b
        case (.sequence(let kind, let a, _), .sequence(let otherKind, let b, _)):
            guard kind == otherKind, a.count == b.count else { return false }
            for (x, y) in zip(a, b) where try !x.equals(y, budget) { return false }
            return true
        case (.object(let a), .object(let b)):
            guard a.entries.count == b.entries.count else { return false }
            for entry in a.entries {
                guard let other = JinjaObject.key(entry.key).flatMap({ b[$0] }), try entry.value.equals(other, budget)
                else { return false }
            }
            return true
        case (.namespace(let a), .namespace(let b)): return a === b
        case (.generator(let a), .generator(let b)): return a === b
        case (.callable(let a), .callable(let b)): return a === b
        case (.loop(let a), .loop(let b)): return a === b
        default:
            if let a = integer, let b = other.integer { return a == b }
            if let a = number, let b = other.number { return a == b }
            return false
        }
    }

    /// Python's `<`.
    ///
    /// - Throws: `JinjaError.evaluation` for values without an order.
    func isLess(_ other: JinjaValue, _ budget: Budget) throws -> Bool {
        try budget.charge(1)
        switch (self, other) {
        case (.text(let a), .text(let b)): return a < b
        case (.whole(let a), .whole(let b)): return Self.isLess(a, b)
        case (.sequence(.list, let a, _), .sequence(.list, let b, _)),
            (.sequence(.tuple, let a, _), .sequence(.tuple, let b, _)):
            for (x, y) in zip(a, b) where try !x.equals(y, budget) { return try x.isLess(y, budget) }
            return a.count < b.count
        default:
            if let a = integer, let b = other.integer { return a < b }
            if let a = number, let b = other.number { return a < b }
            throw JinjaError(.evaluation, "'<' is not supported between '\(typeName)' and '\(other.typeName)'")
        }
    }

    /// Whether one integer of many digits lies below another.
    private static func isLess(_ a: String, _ b: String) -> Bool {
        let (isNegative, other) = (a.hasPrefix("-"), b.hasPrefix("-"))
        if isNegative != other { return isNegative }
        let isShorter = a.utf8.count == b.utf8.count ? a < b : a.utf8.count < b.utf8.count
        return isNegative ? a != b && !isShorter : isShorter
    }

    /// Python's `in`.
    func isContained(in container: JinjaValue, _ budget: Budget) throws -> Bool {
        switch container {
        case .undefined: return false
        case .text(let whole):
            guard case .text(let part) = self else {
                throw JinjaError(.evaluation, "'in <string>' requires string as left operand, not \(typeName)")
            }
            try budget.charge(whole.count / 16)
            return whole.first(part) != nil
        case .sequence(_, let values, _): return try values.contains { try $0.equals(self, budget) }
        case .generator(let generator): return try generator.take().contains { try $0.equals(self, budget) }
        case .object(let object):
            guard let key = JinjaObject.key(self) else {
                throw JinjaError(.evaluation, "unhashable type: '\(typeName)'")
            }
            return object[key] != nil
        default: throw JinjaError(.evaluation, "argument of type '\(container.typeName)' is not iterable")
        }
    }

    /// What a loop goes over.
    ///
    /// - Throws: `JinjaError.evaluation` for what is not iterable.
    func iterated() throws -> [JinjaValue] {
        switch self {
        case .undefined: return []
        case .text(let text): return (0..<text.count).map { .text(text[$0..<$0 + 1]) }
        case .sequence(_, let values, _): return values
        case .generator(let generator): return generator.take()
        case .object(let object): return object.keys
        default: throw JinjaError(.evaluation, "'\(typeName)' object is not iterable")
        }
    }

    /// Python's `len`.
    func length() throws -> Int {
        switch self {
        case .undefined: return 0
        case .text(let text): return text.count
        case .sequence(_, let values, _): return values.count
        case .object(let object): return object.entries.count
        case .loop(let state): return state.length
        default: throw JinjaError(.evaluation, "object of type '\(typeName)' has no len()")
        }
    }
}
