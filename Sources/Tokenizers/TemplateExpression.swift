/// An expression of a template.
indirect enum TemplateExpression: Sendable {
    case literal(TemplateValue)
    case name(String)
    case member(TemplateExpression, TemplateExpression)
    case slice(TemplateExpression, from: TemplateExpression?)
    case filter(TemplateExpression, String)
    case defined(TemplateExpression)
    case not(TemplateExpression)
    case binary(String, TemplateExpression, TemplateExpression)
    case conditional(TemplateExpression, test: TemplateExpression, TemplateExpression?)
    case raise(TemplateExpression)
}

/// Parses expressions by precedence: conditional, or, and, not, comparison, + − ~, %, postfix.
struct TemplateExpressionParser {
    private enum Token: Equatable {
        case word(String)
        case string(String)
        case number(Int)
        case symbol(String)
    }

    private var tokens: ArraySlice<Token>
    private var depth = 0

    static func parse(_ code: String) throws(TokenizerError) -> TemplateExpression {
        var parser = TemplateExpressionParser(tokens: try lex(code)[...])
        let expression = try parser.conditional()
        guard parser.tokens.isEmpty else { throw unsupported(code) }
        return expression
    }

    private static func unsupported(_ code: String) -> TokenizerError {
        TokenizerError(.unsupported, "chat template: the expression \"\(code.prefix(80))\" is not supported")
    }

    private static func lex(_ code: String) throws(TokenizerError) -> [Token] {
        var tokens: [Token] = []
        var rest = code[...]
        while let first = rest.first {
            if first.isWhitespace {
                rest.removeFirst()
            } else if first == "'" || first == "\"" {
                rest.removeFirst()
                var text = ""
                while let next = rest.popFirst(), next != first {
                    if next == "\\", let escaped = rest.popFirst() {
                        text.append(escaped == "n" ? "\n" : escaped == "t" ? "\t" : escaped)
                    } else {
                        text.append(next)
                    }
                }
                tokens.append(.string(text))
            } else if first.isLetter || first == "_" {
                let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                tokens.append(.word(String(word)))
                rest = rest.dropFirst(word.count)
            } else if first.isNumber {
                let digits = rest.prefix { $0.isNumber }
                guard let number = Int(digits) else { throw unsupported(code) }
                tokens.append(.number(number))
                rest = rest.dropFirst(digits.count)
            } else {
                let double = String(rest.prefix(2))
                let symbol = ["==", "!=", ">=", "<="].contains(double) ? double : String(first)
                guard "()[].+-~|%:,<>==!=>=<=".contains(symbol) else { throw unsupported(code) }
                tokens.append(.symbol(symbol))
                rest = rest.dropFirst(symbol.count)
            }
        }
        return tokens
    }

    private mutating func accept(_ token: Token) -> Bool {
        guard tokens.first == token else { return false }
        tokens.removeFirst()
        return true
    }

    private mutating func expect(_ symbol: String) throws(TokenizerError) {
        guard accept(.symbol(symbol)) else { throw Self.unsupported("… expected \(symbol)") }
    }

    private mutating func conditional() throws(TokenizerError) -> TemplateExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth < 32 else { throw Self.unsupported("nested too deep") }
        let value = try or()
        guard accept(.word("if")) else { return value }
        let test = try or()
        let other = accept(.word("else")) ? try conditional() : nil
        return .conditional(value, test: test, other)
    }

    private mutating func or() throws(TokenizerError) -> TemplateExpression {
        var left = try and()
        while accept(.word("or")) { left = .binary("or", left, try and()) }
        return left
    }

    private mutating func and() throws(TokenizerError) -> TemplateExpression {
        var left = try negation()
        while accept(.word("and")) { left = .binary("and", left, try negation()) }
        return left
    }

    private mutating func negation() throws(TokenizerError) -> TemplateExpression {
        accept(.word("not")) ? .not(try comparison()) : try comparison()
    }

    private mutating func comparison() throws(TokenizerError) -> TemplateExpression {
        let left = try sum()
        for operation in ["==", "!=", ">=", "<=", "<", ">"] where accept(.symbol(operation)) {
            return .binary(operation, left, try sum())
        }
        if accept(.word("in")) { return .binary("in", left, try sum()) }
        if tokens.starts(with: [.word("not"), .word("in")]) {
            tokens.removeFirst(2)
            return .not(.binary("in", left, try sum()))
        }
        if accept(.word("is")) {
            let negated = accept(.word("not"))
            guard accept(.word("defined")) || accept(.word("none")) else { throw Self.unsupported("is …") }
            return negated ? .not(.defined(left)) : .defined(left)
        }
        return left
    }

    private mutating func sum() throws(TokenizerError) -> TemplateExpression {
        var left = try product()
        while true {
            if accept(.symbol("+")) {
                left = .binary("+", left, try product())
            } else if accept(.symbol("-")) {
                left = .binary("-", left, try product())
            } else if accept(.symbol("~")) {
                left = .binary("~", left, try product())
            } else {
                return left
            }
        }
    }

    private mutating func product() throws(TokenizerError) -> TemplateExpression {
        var left = try postfix()
        while accept(.symbol("%")) { left = .binary("%", left, try postfix()) }
        return left
    }

    private mutating func postfix() throws(TokenizerError) -> TemplateExpression {
        var value = try primary()
        while true {
            if accept(.symbol(".")) {
                guard case .word(let name) = tokens.popFirst() else { throw Self.unsupported(". …") }
                // A method without arguments is the filter of its name: content.strip().
                if accept(.symbol("(")) {
                    try expect(")")
                    value = .filter(value, name == "strip" ? "trim" : name)
                } else {
                    value = .member(value, .literal(.text(TemplateText(name, isTrusted: true))))
                }
            } else if accept(.symbol("[")) {
                if accept(.symbol(":")) {
                    value = .slice(value, from: nil)
                } else {
                    let index = try conditional()
                    value = accept(.symbol(":")) ? .slice(value, from: index) : .member(value, index)
                }
                try expect("]")
            } else if accept(.symbol("|")) {
                guard case .word(let name) = tokens.popFirst() else { throw Self.unsupported("| …") }
                value = .filter(value, name)
            } else {
                return value
            }
        }
    }

    private mutating func primary() throws(TokenizerError) -> TemplateExpression {
        switch tokens.popFirst() {
        case .string(let text): return .literal(.text(TemplateText(text, isTrusted: true)))
        case .number(let number): return .literal(.integer(number))
        case .word("true"), .word("True"): return .literal(.bool(true))
        case .word("false"), .word("False"): return .literal(.bool(false))
        case .word("none"), .word("None"): return .literal(.undefined)
        case .word("raise_exception"):
            try expect("(")
            let message = try conditional()
            try expect(")")
            return .raise(message)
        case .word(let name): return .name(name)
        case .symbol("("):
            let inner = try conditional()
            try expect(")")
            return inner
        case .symbol("-"):
            guard case .number(let number) = tokens.popFirst() else { throw Self.unsupported("- …") }
            return .literal(.integer(-number))
        default: throw Self.unsupported("an expression is missing")
        }
    }
}
