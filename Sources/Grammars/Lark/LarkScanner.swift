import JSON

/// The words of Lark's notation.
struct LarkScanner {
    private let scalars: [Unicode.Scalar]
    var position = 0

    /// Scalars of a grammar.
    private static let sizeLimit = 1 << 18

    init(_ text: String) throws(GrammarError) {
        scalars = Array(text.unicodeScalars.prefix(Self.sizeLimit + 1))
        guard scalars.count <= Self.sizeLimit else {
            throw GrammarError(.tooComplex, "the grammar has more than \(Self.sizeLimit) characters")
        }
    }

    var current: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }
    var isAtLineEnd: Bool { current == nil || current == "\n" || current == "\r" }
    var line: Int { scalars.prefix(position).count { $0 == "\n" } + 1 }

    func failure(_ what: String) -> GrammarError { GrammarError(.malformed, "line \(line): \(what)") }
    func unsupported(_ what: String) -> GrammarError { GrammarError(.unsupported, "line \(line): \(what)") }

    private func isNext(_ text: String) -> Bool { scalars[position...].starts(with: text.unicodeScalars) }

    @discardableResult mutating func take(_ text: String) -> Bool {
        guard isNext(text) else { return false }
        position += text.unicodeScalars.count
        return true
    }

    mutating func expect(_ text: String) throws(GrammarError) {
        guard take(text) else { throw failure("expected '\(text)'") }
    }

    /// Blanks and comments.
    ///
    /// - Returns: whether anything is left.
    @discardableResult mutating func skip(lines: Bool) -> Bool {
        while let scalar = current {
            switch scalar {
            case " ", "\t": position += 1
            case "\n", "\r":
                guard lines else { return true }
                position += 1
            case "#": while !isAtLineEnd { position += 1 }
            case "/" where isNext("//"): while !isAtLineEnd { position += 1 }
            case "\\" where isNext("\\\n"): position += 2
            default: return true
            }
        }
        return false
    }

    /// A `|`, which may stand on a later line.
    mutating func takeBar() -> Bool {
        let end = position
        skip(lines: true)
        if take("|") { return true }
        position = end
        return false
    }

    static func isNamed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_": true
        default: false
        }
    }

    /// Letters, digits, `_`, and `-` within.
    mutating func name() throws(GrammarError) -> String {
        let start = position
        while let scalar = current, Self.isNamed(scalar) || scalar == "-" && position > start && !isNext("->") {
            position += 1
        }
        guard position > start else { throw failure("expected a name") }
        return text(start..<position)
    }

    mutating func count() throws(GrammarError) -> Int {
        let start = position
        while let scalar = current, ("0"..."9").contains(scalar) { position += 1 }
        guard let count = Int(text(start..<position)) else {
            throw position == start
                ? failure("expected a number") : GrammarError(.tooComplex, "\(text(start..<position).prefix(20)) times")
        }
        return count
    }

    /// Whether llguidance's counts stand here: `{2}`, `{2,}`, `{,3}`.
    var isCount: Bool {
        guard position + 1 < scalars.count else { return false }
        return scalars[position + 1] == "," || ("0"..."9").contains(scalars[position + 1])
    }

    private func text(_ range: Range<Int>) -> String { String(String.UnicodeScalarView(scalars[range])) }

    /// A text between quotation marks; a backslash before what is no escape is itself.
    mutating func literal() throws(GrammarError) -> String {
        try expect("\"")
        var found = String.UnicodeScalarView()
        while !take("\"") {
            guard let scalar = current, !isAtLineEnd else { throw failure("a text does not end on its line") }
            position += 1
            guard scalar == "\\" else {
                found.append(scalar)
                continue
            }
            guard let escape = current else { throw failure("a text does not end") }
            position += 1
            switch escape {
            case "n": found.append("\n")
            case "r": found.append("\r")
            case "t": found.append("\t")
            case "f": found.append("\u{0C}")
            case "x": found.append(try hexadecimal(2))
            case "u": found.append(try hexadecimal(4))
            case "U": found.append(try hexadecimal(8))
            case "\\", "\"": found.append(escape)
            default: found += ["\\", escape]
            }
        }
        guard !found.isEmpty else { throw failure("a text must not be empty; an alternative may be") }
        return String(found)
    }

    private mutating func hexadecimal(_ length: Int) throws(GrammarError) -> Unicode.Scalar {
        let digits = text(position..<min(position + length, scalars.count))
        guard digits.utf8.count == length, digits.allSatisfy(\.isHexDigit), let value = UInt32(digits, radix: 16),
            let scalar = Unicode.Scalar(value)
        else { throw failure("expected \(length) hexadecimal digits of a character") }
        position += length
        return scalar
    }

    /// What stands between slashes, and the flags behind.
    mutating func expression() throws(GrammarError) -> (String, PythonPatternParser.Flags) {
        try expect("/")
        var found = String.UnicodeScalarView()
        while !take("/") {
            guard let scalar = current else { throw failure("a regular expression does not end") }
            position += 1
            if scalar == "\\", let escape = current {
                position += 1
                if escape != "/" { found.append(scalar) }
                found.append(escape)
            } else {
                found.append(scalar)
            }
        }
        let start = position
        while let scalar = current, "imslux".unicodeScalars.contains(scalar) { position += 1 }
        guard let flags = PythonPatternParser.Flags(scalars[start..<position]) else {
            throw unsupported("the flags '\(text(start..<position))' are not supported; i, m, s, u and x are")
        }
        guard !found.isEmpty else { throw failure("a regular expression must not be empty") }
        guard flags.contains(.isVerbose) || !found.contains("\n") else {
            throw failure("only with the flag x has a regular expression several lines")
        }
        return (String(found), flags)
    }

    /// A JSON value.
    mutating func json() throws(GrammarError) -> JSONValue {
        let start = position
        var (depth, isInText) = (0, false)
        while let scalar = current {
            position += 1
            if isInText {
                if scalar == "\\" { position += 1 } else if scalar == "\"" { isInText = false }
                continue
            }
            switch scalar {
            case "\"": isInText = true
            case "{", "[": depth += 1
            case "}", "]": depth -= 1
            default: break
            }
            if depth <= 0, !isInText { break }
        }
        let source = text(start..<min(position, scalars.count))
        do throws(JSONError) { return try JSONParser.parse(Array(source.utf8)) } catch {
            throw failure("this is no JSON: \(error.problem)")
        }
    }
}
