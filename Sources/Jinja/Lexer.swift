/// A token of a template's source.
struct Token {
    enum Kind: Equatable {
        case data([Unicode.Scalar])
        case variableBegin, variableEnd
        case blockBegin, blockEnd
        case name(String)
        case string([Unicode.Scalar])
        case integer(Int)
        case float(Double)
        /// An operator, as it is spelt.
        case symbol(String)
        case end
    }

    var kind: Kind
    var line: Int
}

/// Cuts a template into tokens as jinja2 does with `trim_blocks` and `lstrip_blocks`, which transformers sets.
struct Lexer {
    let source: [Unicode.Scalar]
    var position = 0
    var line = 1
    var tokens: [Token] = []
    /// Whether a tag that comes now stands at the beginning of a line.
    private var startsLine = true

    /// - Throws: `JinjaError.syntax` or `.unsupported` with the line.
    static func tokens(of source: String) throws -> [Token] {
        var lexer = Lexer(source)
        try lexer.run()
        return lexer.tokens
    }

    /// Newlines of every kind are one, and one at the end does not count.
    private init(_ text: String) {
        var scalars: [Unicode.Scalar] = []
        scalars.reserveCapacity(text.utf8.count)
        var wasReturn = false
        for scalar in text.unicodeScalars {
            if scalar == "\r" {
                scalars.append("\n")
            } else if !(scalar == "\n" && wasReturn) {
                scalars.append(scalar)
            }
            wasReturn = scalar == "\r"
        }
        if scalars.last == "\n" { scalars.removeLast() }
        source = scalars
    }

    private func at(_ index: Int) -> Unicode.Scalar? { index < source.count ? source[index] : nil }

    func matches(_ text: String, at index: Int) -> Bool {
        source.dropFirst(index).starts(with: text.unicodeScalars)
    }

    mutating func advance(to end: Int) {
        for scalar in source[position..<end] where scalar == "\n" { line += 1 }
        position = end
    }

    private mutating func run() throws {
        var dataStart = 0
        while position < source.count {
            guard source[position] == "{", let kind = at(position + 1), kind == "{" || kind == "%" || kind == "#" else {
                advance(to: position + 1)
                continue
            }
            let sign = at(position + 2)
            let hasSign = sign == "-" || sign == "+"
            emit(dataStart..<position, before: kind, sign: hasSign ? sign : nil)
            let begin = line
            advance(to: position + (hasSign ? 3 : 2))
            switch kind {
            case "#": try skipComment(from: begin)
            case "{":
                tokens.append(Token(kind: .variableBegin, line: begin))
                try lexCode(closer: "}}", from: begin)
            default:
                if let rawEnd = rawBegin() {
                    advance(to: rawEnd)
                    try lexRaw(from: begin)
                } else {
                    tokens.append(Token(kind: .blockBegin, line: begin))
                    try lexCode(closer: "%}", from: begin)
                }
            }
            startsLine = position > 0 && source[position - 1] == "\n"
            dataStart = position
        }
        if dataStart < source.count { tokens.append(Token(kind: .data(Array(source[dataStart...])), line: line)) }
        tokens.append(Token(kind: .end, line: line))
    }

    /// Text before a tag, with what the tag's sign or `lstrip_blocks` takes away.
    private mutating func emit(_ range: Range<Int>, before kind: Unicode.Scalar, sign: Unicode.Scalar?) {
        var end = range.upperBound
        if sign == "-" {
            while end > range.lowerBound, TrustedText.isSpace(source[end - 1]) { end -= 1 }
        } else if sign != "+", kind != "{" {
            var start = end
            while start > range.lowerBound, source[start - 1] != "\n" { start -= 1 }
            let isAtLineStart = start > range.lowerBound || startsLine
            if isAtLineStart, source[start..<end].allSatisfy({ TrustedText.isSpace($0) }) { end = start }
        }
        if end > range.lowerBound {
            tokens.append(Token(kind: .data(Array(source[range.lowerBound..<end])), line: line))
        }
    }

    func skipSpace(_ index: Int) -> Int {
        var index = index
        while let scalar = at(index), TrustedText.isSpace(scalar) { index += 1 }
        return index
    }

    /// Where a tag's end at `index` stops: behind the white space that `-` takes, or the one newline of `trim_blocks`.
    func tagEnd(_ closer: String, at index: Int, trims: Bool) -> Int? {
        if matches("-" + closer, at: index) { return skipSpace(index + 3) }
        if closer != "}}", matches("+" + closer, at: index) { return index + 3 }
        guard matches(closer, at: index) else { return nil }
        return trims && at(index + 2) == "\n" ? index + 3 : index + 2
    }

    private mutating func skipComment(from begin: Int) throws {
        var index = position
        while index < source.count {
            if let end = tagEnd("#}", at: index, trims: true) {
                advance(to: end)
                return
            }
            index += 1
        }
        throw JinjaError(.syntax, "a comment does not end", line: begin)
    }

    /// Where the text of a raw block begins, if one begins here.
    private func rawBegin() -> Int? {
        let word = skipSpace(position)
        guard matches("raw", at: word) else { return nil }
        let end = skipSpace(word + 3)
        return tagEnd("%}", at: end, trims: false)
    }

    private mutating func lexRaw(from begin: Int) throws {
        let start = position
        var index = position
        while index < source.count {
            if source[index] == "{", at(index + 1) == "%" {
                let sign = at(index + 2)
                let hasSign = sign == "-" || sign == "+"
                let word = skipSpace(index + (hasSign ? 3 : 2))
                if matches("endraw", at: word), let end = tagEnd("%}", at: skipSpace(word + 6), trims: true) {
                    startsLine = start > 0 && source[start - 1] == "\n"
                    emit(start..<index, before: "%", sign: hasSign ? sign : nil)
                    advance(to: end)
                    return
                }
            }
            index += 1
        }
        throw JinjaError(.syntax, "a raw block does not end", line: begin)
    }
}
