import Foundation

/// Classes of characters over UTF-8, as Rust's standard library and `regex` have them.
enum UnicodeClasses {
    /// The scalar that begins at `position`, and its length; U+FFFD of one byte for what is not UTF-8.
    static func scalar(_ bytes: ArraySlice<UInt8>) -> (scalar: Unicode.Scalar, length: Int)? {
        guard let first = bytes.first else { return nil }
        if first < 0x80 { return (Unicode.Scalar(first), 1) }
        let length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0
        guard length > 0, bytes.count >= length else { return ("\u{FFFD}", 1) }
        var value = UInt32(first) & (0x7F >> UInt32(length))
        for index in bytes.startIndex + 1..<bytes.startIndex + length {
            guard bytes[index] & 0xC0 == 0x80 else { return ("\u{FFFD}", 1) }
            value = value << 6 | UInt32(bytes[index] & 0x3F)
        }
        return Unicode.Scalar(value).map { ($0, length) } ?? ("\u{FFFD}", 1)
    }

    /// The last scalar of `bytes`.
    static func lastScalar(_ bytes: ArraySlice<UInt8>) -> (scalar: Unicode.Scalar, length: Int)? {
        var start = bytes.endIndex - 1
        while start > bytes.startIndex, bytes[start] & 0xC0 == 0x80 { start -= 1 }
        return bytes.isEmpty ? nil : scalar(bytes[start...])
    }

    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII
            ? scalar.value == 0x20 || (0x9...0xD).contains(scalar.value) : scalar.properties.isWhitespace
    }

    /// `\w` of Rust's `regex`.
    static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.properties.isAlphabetic || scalar.properties.isJoinControl { return true }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
        default: return false
        }
    }

    /// Whether a version of Unicode knows a character. The tables of the crates that `tokenizers` is made of are of
    /// different ages, and what they do not know is of no class.
    static func isKnown(_ scalar: Unicode.Scalar, in version: Int) -> Bool {
        scalar.value < 0x250 || scalar.properties.age.map { $0.major < version || $0 == (version, 0) } ?? false
    }

    /// Whether no normal form joins a character, or what it is made of, to what stands before it: marks it does, and the
    /// vowels and last consonants of Hangul, half-width ones and such as stand for themselves among them.
    static func standsApart(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case ..<0x300: return true
        case 0x1160...0x11FF, 0x3131...0x318E, 0xD7B0...0xD7FB, 0xFF9E...0xFFDC: return false
        default: break
        }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: return false
        default: return scalar.properties.canonicalCombiningClass == .notReordered
        }
    }

    /// Numbers of all kinds: Rust's `char::is_numeric`.
    static func isNumber(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return (0x30...0x39).contains(scalar.value) }
        switch scalar.properties.generalCategory {
        case .decimalNumber, .letterNumber, .otherNumber: return true
        default: return false
        }
    }

    /// What `StripAccents` takes away: marks of all kinds, by Unicode 9.
    static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: isKnown(scalar, in: 9)
        // Spacing marks until Unicode 12.
        default: scalar.value == 0x1CF2 || scalar.value == 0x1CF3
        }
    }

    /// What BERT takes for an accent, by Unicode 8.
    static func isNonspacingMark(_ scalar: Unicode.Scalar) -> Bool {
        // U+1734 was one until Unicode 14.
        scalar.properties.generalCategory == .nonspacingMark && isKnown(scalar, in: 8) || scalar.value == 0x1734
    }

    /// What BERT takes for a control character, by Unicode 8; white space among them.
    static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .privateUse: true
        case .format: isKnown(scalar, in: 8)
        default: false
        }
    }

    /// Punctuation of BERT, by Unicode 8, and ASCII's symbols.
    static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII {
            return (0x21...0x2F).contains(scalar.value) || (0x3A...0x40).contains(scalar.value)
                || (0x5B...0x60).contains(scalar.value) || (0x7B...0x7E).contains(scalar.value)
        }
        switch scalar.properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            return isKnown(scalar, in: 8)
        // Other classes have them since.
        default: return scalar.value == 0x166D || scalar.value == 0x111C9
        }
    }
}
