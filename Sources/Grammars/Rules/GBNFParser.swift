/// Reads grammars in GBNF, llama.cpp's notation, and in the like notation of xgrammar and vLLM.
///
///     root   ::= "yes" | number ("," number){0,3}   # a comment
///     number ::= [1-9] [0-9]* | "0"
///
/// A rule ends with its line, but for what stands in brackets and for lines that go on with `|`. Characters are scalars; what
/// is written never becomes a control token. Source: grammars/README.md of llama.cpp.
struct GBNFParser {
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var depth = 0

    /// Scalars of a grammar, and brackets within each other.
    private static let sizeLimit = 1 << 18
    private static let depthLimit = 100

    /// - Throws: `GrammarError` with the line: for what is no such grammar, and for references to tokens.
    static func parse(_ text: String) throws(GrammarError) -> Grammar {
        var parser = GBNFParser(scalars: Array(text.unicodeScalars.prefix(sizeLimit + 1)))
        guard parser.scalars.count <= sizeLimit else {
            throw GrammarError(.tooComplex, "the grammar has more than \(sizeLimit) characters")
        }
        var rules: [String: GrammarExpression] = [:]
        parser.skip(lines: true)
        while parser.position < parser.scalars.count {
            let name = try parser.name()
            guard rules[own(name)] == nil else { throw parser.failure("the rule '\(name)' stands here a second time") }
            parser.skip(lines: false)
            for scalar in "::=".unicodeScalars where !parser.accept(scalar) {
                throw parser.failure("expected '::='; grammars are written in GBNF")
            }
            parser.skip(lines: true)
            rules[own(name)] = try parser.alternatives(nested: false)
            guard parser.position == parser.scalars.count || parser.isAtLineEnd else {
                throw parser.failure("expected the end of the rule")
            }
            parser.skip(lines: true)
        }
        guard rules[own("root")] != nil else { throw GrammarError(.malformed, "the grammar has no rule 'root'") }
        return Grammar(.rule(own("root")), rules: rules)
    }

    /// A rule's name beside rules that come from elsewhere.
    private static func own(_ name: String) -> String { "gbnf " + name }

    private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

    private var current: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }
    private var isAtLineEnd: Bool { current == "\n" || current == "\r" }

    private func failure(_ what: String) -> GrammarError {
        let line = scalars.prefix(position).count { $0 == "\n" } + 1
        return GrammarError(.malformed, "line \(line): \(what)")
    }

    private mutating func accept(_ scalar: Unicode.Scalar) -> Bool {
        guard current == scalar else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ scalar: Unicode.Scalar) throws(GrammarError) {
        guard accept(scalar) else { throw failure("expected '\(scalar)'") }
    }

    /// Blanks and comments.
    private mutating func skip(lines: Bool) {
        while let scalar = current {
            switch scalar {
            case " ", "\t": position += 1
            case "\n", "\r":
                guard lines else { return }
                position += 1
            case "#": while current != nil, !isAtLineEnd { position += 1 }
            default: return
            }
        }
    }

    private static func isNamed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
        default: false
        }
    }

    private mutating func name() throws(GrammarError) -> String {
        let start = position
        while let scalar = current, Self.isNamed(scalar) { position += 1 }
        guard position > start else { throw failure("expected the name of a rule") }
        return String(String.UnicodeScalarView(scalars[start..<position]))
    }

    // MARK: Expressions

    private mutating func alternatives(nested: Bool) throws(GrammarError) -> GrammarExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else {
            throw GrammarError(.tooComplex, "brackets stand deeper than \(Self.depthLimit) within each other")
        }
        var found = [try sequence(nested: nested)]
        while true {
            let end = position
            // The next line may go on with another alternative.
            skip(lines: true)
            guard accept("|") else {
                position = end
                return found.count == 1 ? found[0] : .choice(found)
            }
            skip(lines: true)
            found.append(try sequence(nested: nested))
        }
    }

    private mutating func sequence(nested: Bool) throws(GrammarError) -> GrammarExpression {
        var parts: [GrammarExpression] = []
        while let part = try primary() {
            skip(lines: nested)
            parts.append(try repetitions(of: part, nested: nested))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    /// nil where none begins here.
    private mutating func primary() throws(GrammarError) -> GrammarExpression? {
        guard let scalar = current else { return nil }
        switch scalar {
        case "\"": return try literal()
        case "[": return try characters()
        case ".":
            position += 1
            return .character(ScalarSet.all.ranges)
        case "(":
            position += 1
            skip(lines: true)
            let inner = try alternatives(nested: true)
            skip(lines: true)
            try expect(")")
            return inner
        case "<", "!":
            throw GrammarError(.unsupported, failure("tokens are not named in grammars; write their text").message)
        case let named where Self.isNamed(named): return .rule(Self.own(try name()))
        default: return nil
        }
    }

    /// `*`, `+`, `?` and `{m,n}` behind a part.
    private mutating func repetitions(
        of part: GrammarExpression, nested: Bool
    ) throws(GrammarError) -> GrammarExpression {
        var part = part
        while let scalar = current {
            switch scalar {
            case "*": part = .repeated(part, min: 0, max: nil)
            case "+": part = .repeated(part, min: 1, max: nil)
            case "?": part = .optional(part)
            case "{":
                position += 1
                skip(lines: nested)
                let min = try count()
                skip(lines: nested)
                var max: Int? = min
                if accept(",") {
                    skip(lines: nested)
                    max = current == "}" ? nil : try count()
                    skip(lines: nested)
                }
                guard current == "}" else { throw failure("expected '}'") }
                if let max, max < min { throw failure("{\(min),\(max)} asks for at least more than at most") }
                part = .repeated(part, min: min, max: max)
            default: return part
            }
            position += 1
            skip(lines: nested)
        }
        return part
    }

    private mutating func count() throws(GrammarError) -> Int {
        let start = position
        while let scalar = current, ("0"..."9").contains(scalar) { position += 1 }
        let digits = String(String.UnicodeScalarView(scalars[start..<position]))
        guard let count = Int(digits) else {
            throw digits.isEmpty
                ? failure("expected a number") : GrammarError(.tooComplex, "\(digits.prefix(20)) times")
        }
        return count
    }

    // MARK: Characters

    private mutating func literal() throws(GrammarError) -> GrammarExpression {
        position += 1
        var found: [GrammarExpression] = []
        while !accept("\"") {
            let scalar = try character("a text")
            found.append(.character([scalar...scalar]))
        }
        return .sequence(found)
    }

    private mutating func characters() throws(GrammarError) -> GrammarExpression {
        position += 1
        let isInverted = accept("^")
        var ranges: [ClosedRange<UInt32>] = []
        while !accept("]") {
            let first = try character("a set of characters")
            var last = first
            if current == "-", position + 1 < scalars.count, scalars[position + 1] != "]" {
                position += 1
                last = try character("a set of characters")
            }
            guard first <= last else { throw failure("a range ends before it begins") }
            ranges.append(first...last)
        }
        let set = isInverted ? ScalarSet(ranges).inverted : ScalarSet(ranges)
        return set.ranges.isEmpty ? .choice([]) : .character(set.ranges)
    }

    private mutating func character(_ within: String) throws(GrammarError) -> UInt32 {
        guard let scalar = current, !isAtLineEnd else { throw failure("\(within) does not end on its line") }
        position += 1
        guard scalar == "\\" else { return scalar.value }
        guard let escape = current else { throw failure("\(within) does not end") }
        position += 1
        switch escape {
        case "n": return 0x0A
        case "r": return 0x0D
        case "t": return 0x09
        case "x": return try hexadecimal(2)
        case "u": return try hexadecimal(4)
        case "U": return try hexadecimal(8)
        case "\\", "\"", "[", "]", "-", "^", "'", "/", "?", "*", "+", ".", "(", ")", "{", "}", "|", "$":
            return escape.value
        default: throw failure("'\\\(escape)' is no escape")
        }
    }

    private mutating func hexadecimal(_ length: Int) throws(GrammarError) -> UInt32 {
        let digits = String(String.UnicodeScalarView(scalars[position...].prefix(length)))
        guard digits.utf8.count == length, !digits.hasPrefix("+"), !digits.hasPrefix("-"),
            let value = UInt32(digits, radix: 16), Unicode.Scalar(value) != nil
        else { throw failure("expected \(length) hexadecimal digits of a character") }
        position += length
        return value
    }
}

extension Grammar {
    /// The texts of a grammar in GBNF.
    ///
    /// - Throws: `GrammarError` with the line.
    package init(gbnf text: String) throws(GrammarError) { self = try GBNFParser.parse(text) }

    /// Whether a text is a grammar in GBNF rather than in Lark's notation: a line begins with a rule's name and `::=`.
    package static func isGBNF(_ text: some StringProtocol) -> Bool {
        text.utf8.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }).contains { line in
            func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
            let begun = line.drop(while: isBlank)
            let rest = begun.drop { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
            return rest.count < begun.count && rest.drop(while: isBlank).starts(with: "::=".utf8)
        }
    }

    /// A text that a regular expression of ECMA-262 describes whole.
    package init(pattern: String) { self.init(.pattern(pattern)) }

    /// One of these texts, none of which is a control token.
    package init(choices: [String]) {
        self.init(
            .choice(
                choices.map { .sequence($0.unicodeScalars.map { .character([$0.value...$0.value]) }) }))
    }
}
