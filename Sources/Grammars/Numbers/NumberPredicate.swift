/// What a number must be.
indirect enum NumberPredicate: Sendable, Hashable {
    case any
    case none
    case integer
    /// Whole multiples of a positive number.
    case multiple(Decimal)
    /// Below a bound, or at it too.
    case below(Decimal, orEqual: Bool)
    case equals(Decimal)
    case not(NumberPredicate)
    case and([NumberPredicate])
    case or([NumberPredicate])

    func and(_ other: NumberPredicate) -> NumberPredicate {
        switch (self, other) {
        case (.none, _), (_, .none): .none
        case (.any, let one), (let one, .any): one
        case (.and(let a), .and(let b)): .and(a + b.filter { !a.contains($0) })
        case (.and(let a), let b), (let b, .and(let a)): a.contains(b) ? .and(a) : .and(a + [b])
        case (let a, let b): a == b ? a : .and([a, b])
        }
    }

    func or(_ other: NumberPredicate) -> NumberPredicate {
        switch (self, other) {
        case (.any, _), (_, .any): .any
        case (.none, let one), (let one, .none): one
        case (.or(let a), .or(let b)): .or(a + b.filter { !a.contains($0) })
        case (.or(let a), let b), (let b, .or(let a)): a.contains(b) ? .or(a) : .or(a + [b])
        case (let a, let b): a == b ? a : .or([a, b])
        }
    }

    var inverted: NumberPredicate {
        switch self {
        case .any: .none
        case .none: .any
        case .not(let inner): inner
        case .and(let parts): .or(parts.map(\.inverted))
        case .or(let parts): .and(parts.map(\.inverted))
        default: .not(self)
        }
    }

    /// Whether every number of it is whole, as far as its form says.
    var isWhole: Bool {
        switch self {
        case .none, .integer: true
        case .multiple(let step): step.isInteger
        case .equals(let value): value.isInteger
        case .and(let parts): parts.contains(where: \.isWhole)
        case .or(let parts): parts.allSatisfy(\.isWhole)
        case .any, .below, .not: false
        }
    }

    /// Numbers of which every one that satisfies it is one; nil where it does not name them.
    var listed: [Decimal]? {
        switch self {
        case .none: return []
        case .equals(let value): return [value]
        case .and(let parts): return parts.lazy.compactMap(\.listed).first
        case .or(let parts):
            var all: [Decimal] = []
            for part in parts {
                guard let own = part.listed else { return nil }
                all += own
            }
            return all
        default: return nil
        }
    }

    /// The parts that are neither combined nor negated.
    var atoms: [NumberPredicate] {
        switch self {
        case .any, .none: []
        case .not(let inner): inner.atoms
        case .and(let parts), .or(let parts): parts.flatMap(\.atoms)
        default: [self]
        }
    }

    /// - Parameter holds: whether an atom holds.
    func evaluate(_ holds: (NumberPredicate) -> Bool) -> Bool {
        switch self {
        case .any: true
        case .none: false
        case .not(let inner): !inner.evaluate(holds)
        case .and(let parts): parts.allSatisfy { $0.evaluate(holds) }
        case .or(let parts): parts.contains { $0.evaluate(holds) }
        default: holds(self)
        }
    }

    func holds(of value: Decimal) -> Bool {
        evaluate { atom in
            switch atom {
            case .integer: value.isInteger
            case .multiple(let step): Self.divides(step, value)
            case .below(let bound, let orEqual): value < bound || orEqual && value == bound
            case .equals(let other): value == other
            default: false
            }
        }
    }

    private static func divides(_ step: Decimal, _ value: Decimal) -> Bool {
        guard !value.isZero else { return true }
        guard value.scale <= step.scale, let modulus = step.scaled(by: step.scale) else { return false }
        var remainder = 0
        for index in 0...max(0, value.exponent + step.scale) {
            remainder = (remainder * 10 + Int(index < value.digits.count ? value.digits[index] : 0)) % modulus
        }
        return remainder == 0
    }
}

extension Decimal: Comparable {
    static func < (a: Decimal, b: Decimal) -> Bool {
        if a.isZero || b.isZero { return a.isZero ? !b.isZero && !b.isNegative : a.isNegative }
        if a.isNegative != b.isNegative { return a.isNegative }
        let isSmaller =
            a.exponent != b.exponent
            ? a.exponent < b.exponent : a.digits.lexicographicallyPrecedes(b.digits)
        return a.magnitude == b.magnitude ? false : isSmaller != a.isNegative
    }
}
