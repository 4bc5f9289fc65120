/// Letters, numbers, spaces, capitals of Unicode 16, as tiktoken's and tokenizers' expressions know them, by UTF-8.
struct CharacterClasses: Sendable {
    enum Kind: UInt8, Sendable { case other = 0, letter = 1, number = 2, space = 4 }

    struct Class: Sendable {
        let bits: UInt8

        var kind: Kind { Kind(rawValue: bits & 7) ?? .other }
        var isLetter: Bool { bits & 1 != 0 }
        var isNumber: Bool { bits & 2 != 0 }
        var isSpace: Bool { bits & 4 != 0 }
        /// Of `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`.
        var isCapital: Bool { bits & 8 != 0 }
        /// Of `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`.
        var isSmall: Bool { bits & 16 != 0 }
    }

    /// Of ASCII.
    private let narrow = (UInt32(0)..<128).map(Self.bits)

    /// The class of the character at a place, and where the next one stands.
    @inline(__always) func at(_ position: Int, _ bytes: [UInt8], _ limit: Int) -> (Class, next: Int) {
        let byte = bytes[position]
        if byte < 0x80 { return (Class(bits: narrow[Int(byte)]), position + 1) }
        return Self.wide(position, bytes, limit)
    }

    private static func wide(_ position: Int, _ bytes: [UInt8], _ limit: Int) -> (Class, next: Int) {
        guard let (scalar, length) = UnicodeClasses.scalar(bytes[position..<limit]) else {
            return (Class(bits: 0), position + 1)
        }
        let index = Int(scalar.value)
        return (Class(bits: index < table.count ? table[index] : bits(scalar.value)), position + length)
    }

    /// Of the planes that have letters; behind them are marks, which are few.
    private static let table = (UInt32(0)..<0x3_3480).map(bits)

    private static func bits(_ value: UInt32) -> UInt8 {
        guard let scalar = Unicode.Scalar(value) else { return 0 }
        let properties = scalar.properties
        if properties.isWhitespace { return 4 }
        let bits: UInt8 =
            switch properties.generalCategory {
            case .uppercaseLetter, .titlecaseLetter: 1 | 8
            case .lowercaseLetter: 1 | 16
            case .modifierLetter, .otherLetter: 1 | 8 | 16
            case .nonspacingMark, .spacingMark, .enclosingMark: 8 | 16
            case .decimalNumber, .letterNumber, .otherNumber: 2
            default: 0
            }
        return bits == 0 || UnicodeClasses.isKnown(scalar, in: 16) ? bits : 0
    }
}
