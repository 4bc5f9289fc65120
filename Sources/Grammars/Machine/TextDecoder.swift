/// Where one is within a character of a JSON string: bytes of UTF-8, or an escape. A whole number, so that states compare fast.
struct TextDecoder: Hashable, Sendable {
    private enum Kind: UInt32 { case none, utf8, escape, hexadecimal, low, lowEscape, lowHexadecimal }

    /// 4 bits of kind, 4 of how many bytes or digits are still missing, 24 of the value so far.
    private var bits: UInt32 = 0

    static let start = TextDecoder()
    var isAtStart: Bool { bits == 0 }

    private init(_ kind: Kind = .none, _ missing: UInt32 = 0, _ value: UInt32 = 0) {
        bits = kind.rawValue << 28 | missing << 24 | value
    }

    /// Scalars that have an escape: all but printable ASCII, of which only what some printers escape has one. A model that
    /// may not write a letter is not to spell another one by its number.
    private static let escapable: [ClosedRange<UInt32>] = [
        0...0x1F, 0x22...0x22, 0x26...0x27, 0x2F...0x2F, 0x3C...0x3C, 0x3E...0x3E, 0x5C...0x5C, 0x7F...0xD7FF,
        0xE000...0x10FFFF,
    ]

    private static func escapable(_ low: UInt32, _ high: UInt32) -> [ClosedRange<UInt32>] {
        escapable.compactMap { $0.overlaps(low...high) ? $0.clamped(to: low...high) : nil }
    }

    enum Result {
        case scalar(UInt32)
        /// The string ends.
        case end
        /// One of these scalars comes.
        case partial(ClosedRange<UInt32>)
        /// One of these comes, as an escape.
        case escaped([ClosedRange<UInt32>])
        case fault
    }

    /// - Parameter isEscaped: whether the text is a JSON string, with escapes and an end; otherwise it is bare.
    mutating func next(_ byte: UInt8, isEscaped: Bool = true) -> Result {
        let (missing, value) = (bits >> 24 & 15, bits & 0xFF_FFFF)
        switch Kind(rawValue: bits >> 28) ?? .none {
        case .none: return begin(byte, isEscaped: isEscaped)
        case .utf8:
            guard byte & 0xC0 == 0x80, Self.mayContinue(byte, missing: missing, value: value) else { return .fault }
            return continued(value << 6 | UInt32(byte & 0x3F), missing: missing - 1)
        case .escape: return escape(byte)
        case .hexadecimal:
            guard let digit = Self.digit(byte) else { return .fault }
            return hexadecimal(value << 4 | digit, missing: missing - 1)
        case .low:
            guard byte == UInt8(ascii: "\\") else { return .fault }
            self = TextDecoder(.lowEscape, 0, value)
            return pair(value)
        case .lowEscape:
            guard byte == UInt8(ascii: "u") else { return .fault }
            self = TextDecoder(.lowHexadecimal, 4, value << 10)
            return pair(value)
        case .lowHexadecimal:
            guard let digit = Self.digit(byte) else { return .fault }
            return lowHexadecimal(value, digit, missing: missing - 1)
        }
    }

    private static func digit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x30...0x39: UInt32(byte - 0x30)
        case 0x41...0x46: UInt32(byte - 0x37)
        case 0x61...0x66: UInt32(byte - 0x57)
        default: nil
        }
    }

    private mutating func begin(_ byte: UInt8, isEscaped: Bool) -> Result {
        switch byte {
        case UInt8(ascii: "\"") where isEscaped: return .end
        case UInt8(ascii: "\\") where isEscaped:
            self = TextDecoder(.escape)
            return .escaped(Self.escapable)
        case 0..<0x20 where isEscaped: return .fault
        case 0..<0x80: return .scalar(UInt32(byte))
        case 0xC2...0xDF: return continued(UInt32(byte & 0x1F), missing: 1)
        case 0xE0...0xEF: return continued(UInt32(byte & 0x0F), missing: 2)
        case 0xF0...0xF4: return continued(UInt32(byte & 0x07), missing: 3)
        default: return .fault
        }
    }

    /// The scalars that bytes so far begin: without surrogates and those that have a shorter form.
    private mutating func continued(_ value: UInt32, missing: UInt32) -> Result {
        if missing == 0 {
            self = .start
            return .scalar(value)
        }
        self = TextDecoder(.utf8, missing, value)
        let low = value << (6 * missing), high = low | ((1 << (6 * missing)) - 1)
        switch (missing, value) {
        case (2, 0): return .partial(0x800...high)
        case (2, 0xD): return .partial(low...0xD7FF)
        case (3, 0): return .partial(0x10000...high)
        default: return .partial(low...min(high, 0x10FFFF))
        }
    }

    /// Whether a byte that continues UTF-8 stands behind a first byte that allows it (RFC 3629, section 4).
    private static func mayContinue(_ byte: UInt8, missing: UInt32, value: UInt32) -> Bool {
        switch (missing, value) {
        case (2, 0): byte >= 0xA0
        case (2, 0xD): byte <= 0x9F
        case (3, 0): byte >= 0x90
        case (3, 4): byte <= 0x8F
        default: true
        }
    }

    private mutating func escape(_ byte: UInt8) -> Result {
        switch byte {
        case UInt8(ascii: "u"):
            self = TextDecoder(.hexadecimal, 4)
            return .escaped(Self.escapable)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return ended(UInt32(byte))
        case UInt8(ascii: "b"): return ended(0x08)
        case UInt8(ascii: "f"): return ended(0x0C)
        case UInt8(ascii: "n"): return ended(0x0A)
        case UInt8(ascii: "r"): return ended(0x0D)
        case UInt8(ascii: "t"): return ended(0x09)
        default: return .fault
        }
    }

    private mutating func ended(_ scalar: UInt32) -> Result {
        self = .start
        return .scalar(scalar)
    }

    private mutating func hexadecimal(_ value: UInt32, missing: UInt32) -> Result {
        if missing == 0 {
            if (0xD800...0xDBFF).contains(value) {
                // The first half of a pair.
                self = TextDecoder(.low, 0, value - 0xD800)
                return pair(value - 0xD800)
            }
            return Self.escapable(value, value).isEmpty ? .fault : ended(value)
        }
        let low = value << (4 * missing), high = low | ((1 << (4 * missing)) - 1)
        var ranges = Self.escapable(low, high)
        if low <= 0xDBFF, high >= 0xD800 {
            let (first, last) = (max(low, 0xD800) - 0xD800, min(high, 0xDBFF) - 0xD800)
            ranges.append(first << 10 + 0x10000...last << 10 + 0x103FF)
        }
        self = TextDecoder(.hexadecimal, missing, value)
        return ranges.isEmpty ? .fault : .escaped(ranges)
    }

    private func pair(_ half: UInt32) -> Result {
        .escaped([half << 10 + 0x10000...half << 10 + 0x103FF])
    }

    /// - Parameter value: the first half's ten bits, then those of the second that are known; digits are 4 bits, of which the
    ///   first is D, the second C…F.
    private mutating func lowHexadecimal(_ value: UInt32, _ digit: UInt32, missing: UInt32) -> Result {
        switch missing {
        case 3:
            guard digit == 0xD else { return .fault }
            self = TextDecoder(.lowHexadecimal, 3, value)
            return pair(value >> 10)
        case 2:
            guard digit >= 0xC else { return .fault }
            self = TextDecoder(.lowHexadecimal, 2, value | (digit - 0xC) << 8)
            let first = 0x10000 + (value | (digit - 0xC) << 8)
            return .escaped([first...first + 0xFF])
        case 1:
            self = TextDecoder(.lowHexadecimal, 1, value | digit << 4)
            let first = 0x10000 + (value | digit << 4)
            return .escaped([first...first + 0xF])
        default: return ended(0x10000 + (value | digit))
        }
    }
}
