extension Lexer {
    private static let symbols = [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=",
        ".", ":", "|", ",", ";",
    ]

    /// The tokens up to `closer`, which does not count within brackets.
    mutating func lexCode(closer: String, from begin: Int) throws {
        var open: [String] = []
        while true {
            advance(to: skipSpace(position))
            guard position < source.count else {
                throw JinjaError(.syntax, "the tag that begins here does not end", line: begin)
            }
            if open.isEmpty, let end = tagEnd(closer, at: position, trims: closer == "%}") {
                tokens.append(Token(kind: closer == "%}" ? .blockEnd : .variableEnd, line: line))
                advance(to: end)
                return
            }
            let scalar = source[position]
            if scalar == "'" || scalar == "\"" {
                try lexString(scalar)
            } else if isDigit(position) {
                try lexNumber()
            } else if scalar == "_" || scalar.properties.isXIDStart {
                var end = position + 1
                while end < source.count, source[end] == "_" || source[end].properties.isXIDContinue { end += 1 }
                append(.name(String(String.UnicodeScalarView(source[position..<end]))), to: end)
            } else if let symbol = Self.symbols.first(where: { matches($0, at: position) }) {
                try balance(symbol, &open)
                append(.symbol(symbol), to: position + symbol.unicodeScalars.count)
            } else {
                throw JinjaError(.syntax, "unexpected character '\(scalar.escaped(asASCII: true))'", line: line)
            }
        }
    }

    private mutating func append(_ kind: Token.Kind, to end: Int) {
        tokens.append(Token(kind: kind, line: line))
        advance(to: end)
    }

    private func balance(_ symbol: String, _ open: inout [String]) throws {
        switch symbol {
        case "(": open.append(")")
        case "[": open.append("]")
        case "{": open.append("}")
        case ")", "]", "}":
            guard let expected = open.popLast() else { throw JinjaError(.syntax, "unexpected '\(symbol)'", line: line) }
            guard expected == symbol else {
                throw JinjaError(.syntax, "unexpected '\(symbol)', expected '\(expected)'", line: line)
            }
        default: break
        }
    }

    private func isDigit(_ index: Int) -> Bool {
        index < source.count && (0x30...0x39).contains(source[index].value)
    }

    /// Digits with single underscores between them; what lies behind.
    private func digits(from start: Int, _ isMember: (Unicode.Scalar) -> Bool) -> Int {
        var end = start
        while end < source.count {
            if isMember(source[end]) {
                end += 1
            } else if source[end] == "_", end > start, end + 1 < source.count, isMember(source[end + 1]) {
                end += 2
            } else {
                break
            }
        }
        return end
    }

    private mutating func lexNumber() throws {
        func isDecimal(_ scalar: Unicode.Scalar) -> Bool { (0x30...0x39).contains(scalar.value) }
        func text(_ range: Range<Int>) -> String {
            String(String.UnicodeScalarView(source[range].filter { $0 != "_" }))
        }
        for (mark, radix) in [("0x", 16), ("0o", 8), ("0b", 2)]
        where matches(mark, at: position) || matches(mark.uppercased(), at: position) {
            let start = position + 2
            let end = digits(from: start) { $0.properties.isASCIIHexDigit && Int(String($0), radix: radix) != nil }
            guard end > start, let value = Int(text(start..<end), radix: radix) else { break }
            return append(.integer(value), to: end)
        }
        var end = digits(from: position, isDecimal)
        var isFloat = false
        if end < source.count, source[end] == ".", isDigit(end + 1) {
            end = digits(from: end + 1, isDecimal)
            isFloat = true
        }
        if end < source.count, source[end] == "e" || source[end] == "E" {
            var exponent = end + 1
            if exponent < source.count, source[exponent] == "+" || source[exponent] == "-" { exponent += 1 }
            if isDigit(exponent) {
                end = digits(from: exponent, isDecimal)
                isFloat = true
            }
        }
        let digits = text(position..<end)
        if isFloat, let value = Double(digits) { return append(.float(value), to: end) }
        guard let value = Int(digits), digits.count == 1 || digits.first != "0" || value == 0 else {
            throw JinjaError(.unsupported, "the number \(digits.prefix(40)) is not supported", line: line)
        }
        append(.integer(value), to: end)
    }

    private mutating func lexString(_ quote: Unicode.Scalar) throws {
        var end = position + 1
        while end < source.count, source[end] != quote { end += source[end] == "\\" ? 2 : 1 }
        guard end < source.count else { throw JinjaError(.syntax, "a string does not end", line: line) }
        let value = try unescaped(source[position + 1..<end])
        append(.string(value), to: end + 1)
    }

    /// Python's escapes, as `unicode-escape` reads them.
    private func unescaped(_ text: ArraySlice<Unicode.Scalar>) throws -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        var index = text.startIndex
        func number(_ start: Int, _ length: Int, radix: Int) -> UInt32? {
            guard start + length <= text.endIndex else { return nil }
            return UInt32(String(String.UnicodeScalarView(text[start..<start + length])), radix: radix)
        }
        while index < text.endIndex {
            let scalar = text[index]
            index += 1
            guard scalar == "\\", index < text.endIndex else {
                result.append(scalar)
                continue
            }
            let escape = text[index]
            index += 1
            switch escape {
            case "\n": break
            case "\\", "'", "\"": result.append(escape)
            case "a": result.append("\u{7}")
            case "b": result.append("\u{8}")
            case "f": result.append("\u{C}")
            case "n": result.append("\n")
            case "r": result.append("\r")
            case "t": result.append("\t")
            case "v": result.append("\u{B}")
            case "0"..."7":
                var end = index
                while end < text.endIndex, end < index + 2, ("0"..."7").contains(text[end]) { end += 1 }
                if let code = number(index - 1, end - index + 1, radix: 8), let octal = Unicode.Scalar(code) {
                    result.append(octal)
                }
                index = end
            case "x", "u", "U":
                let length = escape == "x" ? 2 : escape == "u" ? 4 : 8
                guard let code = number(index, length, radix: 16), let decoded = Unicode.Scalar(code) else {
                    throw JinjaError(
                        .unsupported, "the escape \\\(escape) without \(length) digits of a character", line: line)
                }
                result.append(decoded)
                index += length
            case "N": throw JinjaError(.unsupported, "the escape \\N{…} is not supported", line: line)
            default:
                result.append("\\")
                if escape.isASCII {
                    result.append(escape)
                } else {
                    // jinja2 has written it as an escape before; of that the backslash is now escaped.
                    let digits = String(escape.value, radix: 16)
                    let (mark, width) = escape.value < 0x100 ? ("x", 2) : escape.value < 0x10000 ? ("u", 4) : ("U", 8)
                    let zeros = String(repeating: "0", count: width - digits.count)
                    result.append(contentsOf: (mark + zeros + digits).unicodeScalars)
                }
            }
        }
        return result
    }
}
