/// Finds the end of a JSON value that is read byte by byte. It checks nothing else.
struct JSONScanner: Sendable {
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var hasBegun = false

    /// Whether nothing of the value has come.
    var isAtStart: Bool { !hasBegun }

    enum Place {
        /// Before the value, or in it.
        case inside
        /// The byte is the value's last.
        case last
        /// The value, a number or a word, has ended before the byte.
        case behind
    }

    mutating func take(_ byte: UInt8) -> Place {
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
                return depth == 0 ? .last : .inside
            }
            return .inside
        }
        switch byte {
        case UInt8(ascii: "\""):
            if hasBegun, depth == 0 { return .behind }
            (isInString, hasBegun) = (true, true)
            return .inside
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            if hasBegun, depth == 0 { return .behind }
            (depth, hasBegun) = (depth + 1, true)
            return .inside
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            if depth == 0 { return .behind }
            depth -= 1
            return depth == 0 ? .last : .inside
        case UInt8(ascii: ","): return depth == 0 ? .behind : .inside
        case _ where AnswerParser.isBlank(byte): return hasBegun && depth == 0 ? .behind : .inside
        default:
            hasBegun = true
            return .inside
        }
    }
}

/// A string's contents as JSON has them between quotation marks (RFC 8259, section 7).
func escapedJSON(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var escaped: [UInt8] = []
    for byte in bytes {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): escaped += [UInt8(ascii: "\\"), byte]
        case 0x0A: escaped += Array("\\n".utf8)
        case 0x0D: escaped += Array("\\r".utf8)
        case 0x09: escaped += Array("\\t".utf8)
        case 0..<0x20: escaped += Array("\\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))".utf8)
        default: escaped.append(byte)
        }
    }
    return escaped
}
