import RegularExpressions

/// A change to a text that comes in parts: what it gives depends on the text alone, not on where it was parted.
struct StreamedStep: Sendable {
    private enum Change: Sendable {
        case literal([UInt8], with: [UInt8])
        case expression(RegularExpression, with: [UInt8])
        /// One that needs the whole text.
        case held(@Sendable ([UInt8]) -> [UInt8])
    }

    private let change: Change
    /// Whole characters: those that what follows may still change, and before them what a match may look back at.
    private var pending: [UInt8] = []
    /// How many bytes of `pending` have been given out.
    private var given = 0

    private init(_ change: Change) { self.change = change }

    /// - Parameter literal: of one byte or more.
    static func literal(_ literal: [UInt8], with content: [UInt8]) -> Self { .init(.literal(literal, with: content)) }
    static func expression(_ expression: RegularExpression, with content: [UInt8]) -> Self {
        .init(.expression(expression, with: content))
    }
    static func held(_ change: @escaping @Sendable ([UInt8]) -> [UInt8]) -> Self { .init(.held(change)) }

    /// Takes whole characters, and gives those that are settled.
    ///
    /// - Parameter isLast: whether the text ends with them.
    mutating func append(_ text: [UInt8], isLast: Bool) -> [UInt8] {
        pending += text
        switch change {
        case .literal(let literal, let content): return replace(literal, content, isLast: isLast)
        case .expression(let expression, let content): return replace(expression, content, isLast: isLast)
        case .held(let change):
            guard isLast else { return [] }
            defer { pending = [] }
            return change(pending)
        }
    }

    private mutating func replace(_ literal: [UInt8], _ content: [UInt8], isLast: Bool) -> [UInt8] {
        var out: [UInt8] = []
        var position = 0
        while position < pending.count {
            let rest = pending[position...]
            if rest.starts(with: literal) {
                out += content
                position += literal.count
            } else if !isLast, rest.count < literal.count, literal.starts(with: rest) {
                break
            } else {
                out.append(pending[position])
                position += 1
            }
        }
        pending.removeFirst(position)
        return out
    }

    private mutating func replace(_ pattern: RegularExpression, _ content: [UInt8], isLast: Bool) -> [UInt8] {
        var out: [UInt8] = []
        search: while given < pending.count {
            switch pattern.search(in: pending, from: given, isWhole: isLast) {
            case .match(let range):
                out += pending[given..<range.lowerBound] + content
                given = range.upperBound
            case .partial(let start):
                out += pending[given..<start]
                given = start
                break search
            case .none:
                out += pending[given...]
                given = pending.count
            }
        }
        // A beginning of the text must not be taken for one, so that a character stays at least.
        var kept = given
        for _ in 0..<max(1, pattern.lookBehind) where kept > 0 {
            kept -= 1
            while kept > 0, pending[kept] & 0xC0 == 0x80 { kept -= 1 }
        }
        pending.removeFirst(kept)
        given -= kept
        return out
    }
}
