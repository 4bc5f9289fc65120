import JSON

/// Literals of Python, as JSON.
struct PythonLiteral {
    private let bytes: [UInt8]
    private var place = 0
    private var depth = 0
    private static let depthLimit = 64

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// A literal's JSON; nil for what is none. JSON's own words are understood too.
    static func json(_ bytes: [UInt8]) -> [UInt8]? {
        if (try? JSONParser.parse(bytes)) != nil { return bytes }
        var reader = PythonLiteral(bytes)
        guard let value = reader.value() else { return nil }
        reader.skipBlanks()
        return reader.place == bytes.count ? value : nil
    }

    /// The JSON object of keyword arguments, `a=1, b='x'`; nil for what is none.
    static func arguments(_ bytes: [UInt8]) -> [UInt8]? {
        var reader = PythonLiteral(bytes)
        var members: [[UInt8]] = []
        reader.skipBlanks()
        while reader.place < bytes.count {
            let start = reader.place
            while let byte = reader.current, byte != UInt8(ascii: "="), byte != UInt8(ascii: ",") { reader.place += 1 }
            let name = String(decoding: Array(bytes[start..<reader.place]).withoutBlanks, as: UTF8.self)
            guard reader.take("="), Tool.isName(name), let value = reader.value() else { return nil }
            members.append(JSONValue.string(name).bytes + Array(": ".utf8) + value)
            reader.skipBlanks()
            guard reader.place == bytes.count || reader.take(",") else { return nil }
            reader.skipBlanks()
        }
        return Array("{".utf8) + Array(members.joined(separator: Array(", ".utf8))) + Array("}".utf8)
    }

    private var current: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func skipBlanks() { while let byte = current, AnswerParser.isBlank(byte) { place += 1 } }

    private mutating func take(_ text: String) -> Bool {
        guard bytes[place...].starts(with: text.utf8) else { return false }
        place += text.utf8.count
        return true
    }

    private mutating func value() -> [UInt8]? {
        skipBlanks()
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit, let byte = current else { return nil }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return string()
        case UInt8(ascii: "["): return list(UInt8(ascii: "]"))
        case UInt8(ascii: "("): return list(UInt8(ascii: ")"))
        case UInt8(ascii: "{"): return dictionary()
        default: return word()
        }
    }

    private mutating func word() -> [UInt8]? {
        let start = place
        while let byte = current, !Array(",])}: \n\t\r".utf8).contains(byte) { place += 1 }
        let word = Array(bytes[start..<place])
        switch String(decoding: word, as: UTF8.self) {
        case "True": return Array("true".utf8)
        case "False": return Array("false".utf8)
        case "None": return Array("null".utf8)
        default: return (try? JSONParser.parse(word)) == nil ? nil : word
        }
    }

    private mutating func list(_ end: UInt8) -> [UInt8]? {
        place += 1
        var items: [[UInt8]] = []
        skipBlanks()
        while let byte = current, byte != end {
            guard let item = value() else { return nil }
            items.append(item)
            skipBlanks()
            guard take(",") || current == end else { return nil }
            skipBlanks()
        }
        guard current == end else { return nil }
        place += 1
        return Array("[".utf8) + Array(items.joined(separator: Array(", ".utf8))) + Array("]".utf8)
    }

    private mutating func dictionary() -> [UInt8]? {
        place += 1
        var members: [[UInt8]] = []
        skipBlanks()
        while let byte = current, byte != UInt8(ascii: "}") {
            guard let key = value(), key.first == UInt8(ascii: "\"") else { return nil }
            skipBlanks()
            guard take(":"), let own = value() else { return nil }
            members.append(key + Array(": ".utf8) + own)
            skipBlanks()
            guard take(",") || current == UInt8(ascii: "}") else { return nil }
            skipBlanks()
        }
        guard take("}") else { return nil }
        return Array("{".utf8) + Array(members.joined(separator: Array(", ".utf8))) + Array("}".utf8)
    }

    /// A string, with Python's escapes (The Python Language Reference, 2.4.1).
    private mutating func string() -> [UInt8]? {
        guard let quote = current else { return nil }
        place += 1
        var text: [UInt8] = []
        while let byte = current, byte != quote {
            place += 1
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard let escape = current else { return nil }
            place += 1
            switch escape {
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "0"): text.append(0)
            case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "/"): text.append(escape)
            case 0x0A: break
            case UInt8(ascii: "x"): guard append(digits: 2, to: &text) else { return nil }
            case UInt8(ascii: "u"): guard append(digits: 4, to: &text) else { return nil }
            case UInt8(ascii: "U"): guard append(digits: 8, to: &text) else { return nil }
            default: text += [UInt8(ascii: "\\"), escape]
            }
        }
        guard current == quote else { return nil }
        place += 1
        return Array("\"".utf8) + escapedJSON(text) + Array("\"".utf8)
    }

    private mutating func append(digits: Int, to text: inout [UInt8]) -> Bool {
        func number(at place: Int) -> UInt32? {
            guard place + digits <= bytes.count else { return nil }
            return UInt32(String(decoding: bytes[place..<place + digits], as: UTF8.self), radix: 16)
        }
        guard var value = number(at: place) else { return false }
        place += digits
        // A pair of halves, as JSON has it.
        if digits == 4, (0xD800...0xDBFF).contains(value), bytes[place...].starts(with: Array("\\u".utf8)),
            let low = number(at: place + 2), (0xDC00...0xDFFF).contains(low)
        {
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
            place += 6
        }
        text += Array(String(Character(Unicode.Scalar(value) ?? "\u{FFFD}")).utf8)
        return true
    }
}
