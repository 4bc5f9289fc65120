import JSON

extension Constant {
    /// - Returns: nil for a value that holds a number with an absurd exponent.
    init?(_ value: JSONValue) {
        switch value {
        case .null: self = .null
        case .bool(let flag): self = .bool(flag)
        case .number(let number):
            guard let decimal = Decimal(number) else { return nil }
            self = .number(decimal)
        case .string(let text): self = .text(Array(text.unicodeScalars))
        case .array(let elements):
            let own = elements.compactMap(Constant.init)
            guard own.count == elements.count else { return nil }
            self = .array(own)
        case .object(let object):
            var names = Set<[Unicode.Scalar]>()
            var members: [Member] = []
            // Of equal names the last one counts.
            for member in object.members.reversed() where names.insert(Array(member.key.unicodeScalars)).inserted {
                guard let value = Constant(member.value) else { return nil }
                members.append(Member(name: Array(member.key.unicodeScalars), value: value))
            }
            self = .object(members.reversed())
        }
    }
}
