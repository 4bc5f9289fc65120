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

    enum Result {
        case scalar(UInt32)
        /// The string ends.
        case end
        /// One of these scalars comes.
        case partial(ClosedRange<UInt32>)
        /// Any scalar may come: `\` has been read.
        case any
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
            return .any
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
            return .any
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
        let low = value << (4 * missing), high = low | ((1 << (4 * missing)) - 1)
        // A high surrogate is the first half of a pair; a low one stands alone.
        if low >= 0xDC00, high <= 0xDFFF { return .fault }
        if missing == 0 {
            guard (0xD800...0xDBFF).contains(value) else { return ended(value) }
            self = TextDecoder(.low, 0, value - 0xD800)
            return pair(value - 0xD800)
        }
        self = TextDecoder(.hexadecimal, missing, value)
        if low <= 0xDBFF, high >= 0xD800 {
            let first = (max(low, 0xD800) - 0xD800) << 10 + 0x10000
            let last = (min(high, 0xDBFF) - 0xD800) << 10 + 0x103FF
            // Other characters may still be meant, where the digits leave them.
            return low < 0xD800 || high > 0xDFFF ? .partial(low...max(high, last)) : .partial(first...last)
        }
        return .partial(low...high)
    }

    private func pair(_ half: UInt32) -> Result {
        .partial(half << 10 + 0x10000...half << 10 + 0x103FF)
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
            return .partial(first...first + 0xFF)
        case 1:
            self = TextDecoder(.lowHexadecimal, 1, value | digit << 4)
            let first = 0x10000 + (value | digit << 4)
            return .partial(first...first + 0xF)
        default: return ended(0x10000 + (value | digit))
        }
    }
}
