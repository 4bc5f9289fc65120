extension Interpreter {
    /// `base.name`: an attribute, else the item of that name.
    func attribute(_ name: String, of base: JinjaValue) throws -> JinjaValue {
        if case .undefined = base { throw try Self.undefinedOr(base, "") }
        if let member = try Attributes.member(name, of: base) { return member }
        if case .object(let object) = base, let value = object[name] { return value }
        return .undefined("'\(base.typeName) object' has no attribute '\(name)'")
    }

    /// `base[key]`: an item, else the attribute of that name.
    func item(_ key: JinjaValue, of base: JinjaValue) throws -> JinjaValue {
        switch base {
        case .undefined: throw try Self.undefinedOr(base, "")
        case .object(let object):
            if let hashed = JinjaObject.key(key), let value = object[hashed] { return value }
        case .sequence(let kind, let values, _) where kind.isIndexed:
            if let index = key.integer {
                return Self.element(index, values.count).map { values[$0] } ?? Self.missing(base)
            }
        case .text(let text):
            if let index = key.integer {
                return Self.element(index, text.count).map { .text(text[$0..<$0 + 1]) } ?? Self.missing(base)
            }
        default: break
        }
        // Only a name that the template wrote can be meant as an attribute.
        if case .text(let name) = key, name.isTrusted, let member = try Attributes.member(name.string, of: base) {
            return member
        }
        return Self.missing(base)
    }

    private static func missing(_ base: JinjaValue) -> JinjaValue {
        .undefined("'\(base.typeName) object' has no such element")
    }

    private static func element(_ index: Int, _ count: Int) -> Int? {
        let position = index < 0 ? index + count : index
        return (0..<count).contains(position) ? position : nil
    }

    /// `base[from:to:step]`.
    func slice(_ base: JinjaValue, from: JinjaValue?, to: JinjaValue?, step: JinjaValue?) throws -> JinjaValue {
        let count: Int
        switch base {
        case .text(let text): count = text.count
        case .sequence(let kind, let values, _) where kind.isIndexed: count = values.count
        default: throw try Self.undefinedOr(base, "'\(base.typeName)' object cannot be sliced")
        }
        func bound(_ value: JinjaValue?) throws -> Int? {
            guard let value, !value.isNone else { return nil }
            guard let integer = value.integer else {
                throw try Self.undefinedOr(value, "slice indices must be whole numbers or None")
            }
            return integer
        }
        let step = try bound(step) ?? 1
        guard step != 0 else { throw JinjaError(.evaluation, "slice step cannot be zero") }
        func clamped(_ value: Int?, standard: Int) -> Int {
            guard let value else { return standard }
            let position = value < 0 ? value.addingReportingOverflow(count).partialValue : value
            return step > 0 ? min(max(position, 0), count) : min(max(position, -1), count - 1)
        }
        let start = clamped(try bound(from), standard: step > 0 ? 0 : count - 1)
        let end = clamped(try bound(to), standard: step > 0 ? count : -1)
        let indices = Swift.stride(from: start, to: end, by: step)
        switch base {
        case .text(let text):
            try budget.reserve(count)
            if step == 1 { return .text(start < end ? text[start..<end] : TrustedText()) }
            return .text(text.gathered(indices))
        case .sequence(let kind, let values, _):
            try budget.reserveList(values.count)
            return .sequence(kind, indices.map { values[$0] })
        default: return base
        }
    }
}
