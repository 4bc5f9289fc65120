/// A statement of a template.
indirect enum TemplateNode: Sendable {
    case text([UInt8])
    case output(TemplateExpression)
    case set(String, TemplateExpression)
    case loop(variable: String, over: TemplateExpression, body: [TemplateNode])
    case condition([(test: TemplateExpression?, body: [TemplateNode])])
}

/// Cuts a template into text, `{{ … }}` and `{% … %}`, and nests the blocks.
struct TemplateParser {
    private enum Chunk {
        case text([UInt8])
        case output(String)
        case statement(String)
    }

    private var chunks: ArraySlice<Chunk>
    private static let depthLimit = 32

    static func parse(_ source: String) throws(TokenizerError) -> [TemplateNode] {
        var parser = TemplateParser(chunks: try cut(source)[...])
        let nodes = try parser.block(until: [], depth: 0)
        guard parser.chunks.isEmpty else {
            throw TokenizerError(.unsupported, "chat template: a block ends that was never begun")
        }
        return nodes
    }

    /// Jinja as transformers sets it up: `trim_blocks` and `lstrip_blocks` on, `-` strips all white space.
    private static func cut(_ source: String) throws(TokenizerError) -> [Chunk] {
        let bytes = Array(source.utf8)
        var chunks: [Chunk] = []
        var text: [UInt8] = []
        var position = 0
        var stripsNext = false
        while position < bytes.count {
            let kind = position + 1 < bytes.count && bytes[position] == UInt8(ascii: "{") ? bytes[position + 1] : 0
            guard [UInt8(ascii: "{"), UInt8(ascii: "%"), UInt8(ascii: "#")].contains(kind) else {
                if !(stripsNext && isSpace(bytes[position])) {
                    stripsNext = false
                    text.append(bytes[position])
                }
                position += 1
                continue
            }
            let closer: [UInt8] = [kind == UInt8(ascii: "{") ? UInt8(ascii: "}") : kind, UInt8(ascii: "}")]
            guard let end = find(closer, in: bytes, from: position + 2) else {
                throw TokenizerError(.malformed, "chat template: a tag at byte \(position) does not end")
            }
            var inner = bytes[position + 2..<end]
            position = end + 2
            if inner.first == UInt8(ascii: "-") {
                inner.removeFirst()
                while let last = text.last, isSpace(last) { text.removeLast() }
            } else if kind != UInt8(ascii: "{") {
                stripIndentation(&text)
            }
            if !text.isEmpty { chunks.append(.text(text)) }
            text = []
            stripsNext = inner.last == UInt8(ascii: "-")
            if stripsNext { inner.removeLast() }
            let code = String(decoding: inner, as: UTF8.self)
            if kind == UInt8(ascii: "{") { chunks.append(.output(code)) }
            if kind == UInt8(ascii: "%") { chunks.append(.statement(code)) }
            // A line that holds only a block leaves no empty line behind.
            if kind != UInt8(ascii: "{"), position < bytes.count, bytes[position] == 0x0A { position += 1 }
        }
        if !text.isEmpty { chunks.append(.text(text)) }
        return chunks
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func stripIndentation(_ text: inout [UInt8]) {
        var end = text.count
        while end > 0, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
        if end == 0 || text[end - 1] == 0x0A { text.removeLast(text.count - end) }
    }

    /// Where a tag closes, passing over quoted strings.
    private static func find(_ closer: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        var position = start
        var quote: UInt8?
        while position + 1 < bytes.count {
            let byte = bytes[position]
            if let open = quote {
                if byte == UInt8(ascii: "\\") { position += 1 } else if byte == open { quote = nil }
            } else if byte == closer[0], bytes[position + 1] == closer[1] {
                return position
            } else if closer[0] != UInt8(ascii: "#"), byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                quote = byte
            }
            position += 1
        }
        return nil
    }

    /// Statements until one of `enders`, which is left in place.
    private mutating func block(until enders: [String], depth: Int) throws(TokenizerError) -> [TemplateNode] {
        guard depth < Self.depthLimit else { throw TokenizerError(.unsupported, "chat template: nested too deep") }
        var nodes: [TemplateNode] = []
        while let chunk = chunks.first {
            switch chunk {
            case .text(let bytes): nodes.append(.text(bytes))
            case .output(let code): nodes.append(.output(try TemplateExpressionParser.parse(code)))
            case .statement(let code):
                let word = Self.keyword(code)
                if enders.contains(word) { return nodes }
                chunks.removeFirst()
                nodes.append(try statement(word, Self.rest(code), depth: depth))
                continue
            }
            chunks.removeFirst()
        }
        return nodes
    }

    private static func keyword(_ code: String) -> String {
        String(code.drop { $0.isWhitespace }.prefix { $0.isLetter })
    }

    private static func rest(_ code: String) -> String {
        String(code.drop { $0.isWhitespace }.drop { $0.isLetter })
    }

    private mutating func statement(
        _ word: String, _ code: String, depth: Int
    ) throws(TokenizerError) -> TemplateNode {
        switch word {
        case "set":
            let parts = code.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else {
                throw TokenizerError(.unsupported, "chat template: this set is not supported")
            }
            return .set(parts[0].filter { !$0.isWhitespace }, try TemplateExpressionParser.parse(String(parts[1])))
        case "for":
            guard let separator = code.range(of: " in ") else {
                throw TokenizerError(.malformed, "chat template: a for without in")
            }
            let variable = code[..<separator.lowerBound].filter { !$0.isWhitespace }
            let list = try TemplateExpressionParser.parse(String(code[separator.upperBound...]))
            let body = try block(until: ["endfor"], depth: depth + 1)
            try take("endfor")
            return .loop(variable: variable, over: list, body: body)
        case "if": return try condition(code, depth: depth)
        default:
            throw TokenizerError(.unsupported, "chat template: the statement \"\(word)\" is not supported")
        }
    }

    private mutating func condition(_ code: String, depth: Int) throws(TokenizerError) -> TemplateNode {
        var branches: [(test: TemplateExpression?, body: [TemplateNode])] = []
        var test: TemplateExpression? = try TemplateExpressionParser.parse(code)
        while true {
            let body = try block(until: ["elif", "else", "endif"], depth: depth + 1)
            branches.append((test, body))
            guard case .statement(let next) = chunks.popFirst() else {
                throw TokenizerError(.malformed, "chat template: an if without endif")
            }
            switch Self.keyword(next) {
            case "endif": return .condition(branches)
            case "elif": test = try TemplateExpressionParser.parse(Self.rest(next))
            default: test = nil
            }
        }
    }

    private mutating func take(_ word: String) throws(TokenizerError) {
        guard case .statement(let code) = chunks.popFirst(), Self.keyword(code) == word else {
            throw TokenizerError(.malformed, "chat template: \(word) is missing")
        }
    }
}
