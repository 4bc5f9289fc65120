/// Reads JSON as RFC 8259 has it, to a bounded depth, and says of what it cannot read where that stands.
package struct JSONParser {
    /// Arrays and objects inside each other, at most.
    package static let depthLimit = 256

    private let bytes: [UInt8]
    private var position = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// - Throws: `JSONError`: what is no JSON, with the line and the member at which it stops being JSON.
    package static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw JSONError(.root, "it begins with a byte order mark, which JSON has not", isSyntax: true)
        }
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) || bytes.prefix(4).contains(0) {
            throw JSONError(.root, "it is UTF-16 or UTF-32; send UTF-8", isSyntax: true)
        }
        parser.skipSpace()
        guard parser.position < bytes.count else { throw JSONError(.root, "it is empty", isSyntax: true) }
        let value = try parser.value(at: .root, depth: 0)
        parser.skipSpace()
        guard parser.position == bytes.count else { throw parser.failure("more text follows the value", at: .root) }
        return value
    }

    private func failure(_ what: String, at path: JSONPath) -> JSONError {
        let read = bytes.prefix(position)
        let line = read.count { $0 == 0x0A } + 1
        let column = position - (read.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
        return JSONError(path, "\(what) (line \(line), byte \(column))", isSyntax: true)
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private mutating func value(at path: JSONPath, depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= Self.depthLimit else {
            throw failure("values are nested deeper than \(Self.depthLimit)", at: .root)
        }
        skipSpace()
        guard let byte = current else { throw failure("the text ends where a value should stand", at: path) }
        switch byte {
        case UInt8(ascii: "{"): return try object(at: path, depth: depth)
        case UInt8(ascii: "["): return try array(at: path, depth: depth)
        case UInt8(ascii: "\""): return .string(try string(at: path))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number(at: path)
        default: return try word(at: path)
        }
    }

    private mutating func word(at path: JSONPath) throws(JSONError) -> JSONValue {
        for (word, value) in [("true", JSONValue.bool(true)), ("false", .bool(false)), ("null", .null)]
        where bytes[position...].starts(with: word.utf8) {
            position += word.utf8.count
            return value
        }
        for word in ["NaN", "Infinity"] where bytes[position...].starts(with: word.utf8) {
            throw failure("\(word) is no JSON value", at: path)
        }
        throw failure("a value is expected", at: path)
    }

    private mutating func object(at path: JSONPath, depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var members: [(key: String, value: JSONValue)] = []
        skipSpace()
        if current == UInt8(ascii: "}") {
            position += 1
            return .object(JSONObject(members))
        }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw failure("a name in quotes is expected", at: path) }
            let key = try string(at: path)
            skipSpace()
            guard current == UInt8(ascii: ":") else {
                throw failure("':' is expected", at: .member(of: path, key))
            }
            position += 1
            members.append((key, try value(at: .member(of: path, key), depth: depth + 1)))
            skipSpace()
            switch current {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "}"):
                position += 1
                return .object(JSONObject(members))
            default: throw failure("',' or '}' is expected", at: .member(of: path, key))
            }
        }
    }

    private mutating func array(at path: JSONPath, depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        skipSpace()
        if current == UInt8(ascii: "]") {
            position += 1
            return .array(elements)
        }
        while true {
            let place = JSONPath.element(of: path, elements.count)
            elements.append(try value(at: place, depth: depth + 1))
            skipSpace()
            switch current {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "]"):
                position += 1
                return .array(elements)
            default: throw failure("',' or ']' is expected", at: place)
            }
        }
    }

    private mutating func number(at path: JSONPath) throws(JSONError) -> JSONValue {
        let start = position
        func digits(_ position: inout Int) -> Int {
            let first = position
            while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
            return position - first
        }
        if current == UInt8(ascii: "-") { position += 1 }
        if bytes[position...].starts(with: "Infinity".utf8) { throw failure("-Infinity is no JSON value", at: path) }
        let whole = position
        let count = digits(&position)
        guard count > 0, count == 1 || bytes[whole] != UInt8(ascii: "0") else {
            throw failure("a number is not written as JSON has it", at: path)
        }
        if current == UInt8(ascii: ".") {
            position += 1
            guard digits(&position) > 0 else { throw failure("a digit is expected behind '.'", at: path) }
        }
        if let byte = current, byte | 0x20 == UInt8(ascii: "e") {
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            guard digits(&position) > 0 else { throw failure("a digit is expected in the exponent", at: path) }
        }
        return .number(JSONNumber(String(decoding: bytes[start..<position], as: UTF8.self)))
    }

    // MARK: Strings

    private mutating func string(at path: JSONPath) throws(JSONError) -> String {
        position += 1
        let start = position
        while position < bytes.count, bytes[position] != UInt8(ascii: "\""), bytes[position] != UInt8(ascii: "\\"),
            bytes[position] >= 0x20
        {
            position += 1
        }
        if current == UInt8(ascii: "\"") {
            defer { position += 1 }
            return try text(bytes[start..<position], at: path)
        }
        var unescaped = Array(bytes[start..<position])
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return try text(unescaped[...], at: path)
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &unescaped, at: path)
            case 0..<0x20: throw failure("a control character in a string must be escaped", at: path)
            default:
                unescaped.append(byte)
                position += 1
            }
        }
        throw failure("the text ends within a string", at: path)
    }

    private func text(_ bytes: ArraySlice<UInt8>, at path: JSONPath) throws(JSONError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw failure("a string is not UTF-8", at: path)
        }
        return text
    }

    private mutating func escape(into text: inout [UInt8], at path: JSONPath) throws(JSONError) {
        guard let byte = current else { throw failure("the text ends within a string", at: path) }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: try scalar(at: path).utf8Bytes)
        default:
            position -= 1
            throw failure("an escape that JSON does not have", at: path)
        }
    }

    /// What follows `\u`, and the second half of a surrogate pair.
    private mutating func scalar(at path: JSONPath) throws(JSONError) -> Unicode.Scalar {
        let first = try hexadecimal(at: path)
        if let scalar = Unicode.Scalar(first) { return scalar }
        let isPair =
            (0xD800..<0xDC00).contains(first) && position + 1 < bytes.count && bytes[position] == UInt8(ascii: "\\")
            && bytes[position + 1] == UInt8(ascii: "u")
        if isPair {
            position += 2
            let second = try hexadecimal(at: path)
            if (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            {
                return scalar
            }
        }
        throw failure("half of a surrogate pair stands alone: \\u\(String(first, radix: 16))", at: path)
    }

    private mutating func hexadecimal(at path: JSONPath) throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("four hexadecimal digits are expected behind \\u", at: path)
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}

extension Unicode.Scalar {
    fileprivate var utf8Bytes: [UInt8] { Array(String(self).utf8) }
}
