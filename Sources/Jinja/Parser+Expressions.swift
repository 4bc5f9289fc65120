/// Expressions by precedence: conditional, or, and, not, comparison, + −, ~, * / // %, **, sign, postfix, filter, test.
extension Parser {
    mutating func expression(allowsConditional: Bool = true) throws -> Expression {
        try nested { parser in
            guard allowsConditional else { return try parser.disjunction() }
            var value = try parser.disjunction()
            var links = 0
            while parser.acceptName("if") {
                links += 1
                try parser.checkChain(links)
                let test = try parser.disjunction()
                let other = parser.acceptName("else") ? try parser.expression() : nil
                value = .conditional(value, test: test, other)
            }
            return value
        }
    }

    /// An expression, or several with commas between them.
    ///
    /// - Parameter ender: a name that ends the tuple.
    mutating func tuple(
        allowsConditional: Bool = true, until ender: String? = nil, inBrackets: Bool = false
    ) throws -> Expression {
        var members: [Expression] = []
        var isTuple = false
        while true {
            if !members.isEmpty { try expect(",") }
            if isTupleEnd(ender) { break }
            members.append(try expression(allowsConditional: allowsConditional))
            guard isSymbol(",") else { break }
            isTuple = true
        }
        if !isTuple {
            if let only = members.first { return only }
            guard inBrackets else { throw unexpected("an expression") }
        }
        return .tuple(members)
    }

    private func isTupleEnd(_ ender: String?) -> Bool {
        switch current.kind {
        case .variableEnd, .blockEnd, .symbol(")"): true
        case .name(let name): name == ender
        default: false
        }
    }

    /// A chain such as `a + b + c` nests to the left: the evaluator's depth is its length.
    private func checkChain(_ links: Int) throws {
        guard links <= Self.depthLimit else {
            throw JinjaError(.limit, "more than \(Self.depthLimit) operators in a row", line: current.line)
        }
    }

    private mutating func disjunction() throws -> Expression {
        var left = try conjunction()
        var links = 0
        while acceptName("or") {
            links += 1
            try checkChain(links)
            left = .or(left, try conjunction())
        }
        return left
    }

    private mutating func conjunction() throws -> Expression {
        var left = try negation()
        var links = 0
        while acceptName("and") {
            links += 1
            try checkChain(links)
            left = .and(left, try negation())
        }
        return left
    }

    private mutating func negation() throws -> Expression {
        guard acceptName("not") else { return try comparison() }
        return try nested { .not(try $0.negation()) }
    }

    private mutating func comparison() throws -> Expression {
        let left = try sum()
        var links: [(operation: String, operand: Expression)] = []
        while true {
            if case .symbol(let symbol) = current.kind, ["==", "!=", "<", "<=", ">", ">="].contains(symbol) {
                position += 1
                links.append((symbol, try sum()))
            } else if acceptName("in") {
                links.append(("in", try sum()))
            } else if isName("not"), position + 1 < tokens.count, tokens[position + 1].kind == .name("in") {
                position += 2
                links.append(("not in", try sum()))
            } else {
                return links.isEmpty ? left : .comparison(left, links)
            }
        }
    }

    private mutating func sum() throws -> Expression {
        var left = try concatenation()
        var links = 0
        while case .symbol(let symbol) = current.kind, symbol == "+" || symbol == "-" {
            links += 1
            try checkChain(links)
            position += 1
            left = .arithmetic(symbol, left, try concatenation())
        }
        return left
    }

    private mutating func concatenation() throws -> Expression {
        var parts = [try product()]
        while accept("~") { parts.append(try product()) }
        return parts.count == 1 ? parts[0] : .concatenation(parts)
    }

    private mutating func product() throws -> Expression {
        var left = try power()
        var links = 0
        while case .symbol(let symbol) = current.kind, ["*", "/", "//", "%"].contains(symbol) {
            links += 1
            try checkChain(links)
            position += 1
            left = .arithmetic(symbol, left, try power())
        }
        return left
    }

    private mutating func power() throws -> Expression {
        var left = try signed()
        var links = 0
        while accept("**") {
            links += 1
            try checkChain(links)
            left = .arithmetic("**", left, try signed())
        }
        return left
    }

    private mutating func signed(allowsFilters: Bool = true) throws -> Expression {
        try nested { parser in
            var value: Expression
            if parser.accept("-") {
                value = .negative(try parser.signed(allowsFilters: false))
            } else if parser.accept("+") {
                value = .positive(try parser.signed(allowsFilters: false))
            } else {
                value = try parser.primary()
            }
            value = try parser.postfix(value)
            return allowsFilters ? try parser.filtersAndTests(of: value) : value
        }
    }

    private mutating func primary() throws -> Expression {
        let token = next()
        switch token.kind {
        case .name(let name):
            switch name {
            case "true", "True": return .bool(true)
            case "false", "False": return .bool(false)
            case "none", "None": return .none
            default:
                names.insert(name)
                return .name(name)
            }
        case .string(var scalars):
            while case .string(let more) = current.kind {
                scalars += more
                position += 1
            }
            return .string(TrustedText(scalars, isTrusted: true))
        case .integer(let value): return .integer(value)
        case .float(let value): return .float(value)
        case .symbol("("):
            let value = try tuple(inBrackets: true)
            try expect(")")
            return value
        case .symbol("["):
            var members: [Expression] = []
            while !isSymbol("]") {
                if !members.isEmpty { try expect(",") }
                if isSymbol("]") { break }
                members.append(try expression())
            }
            try expect("]")
            return .list(members)
        case .symbol("{"):
            var members: [(key: Expression, value: Expression)] = []
            while !isSymbol("}") {
                if !members.isEmpty { try expect(",") }
                if isSymbol("}") { break }
                let key = try expression()
                try expect(":")
                members.append((key, try expression()))
            }
            try expect("}")
            return .object(members)
        default:
            position -= 1
            throw unexpected("an expression")
        }
    }

    private mutating func postfix(_ base: Expression) throws -> Expression {
        var value = base
        var links = 0
        while true {
            links += 1
            try checkChain(links)
            if accept(".") {
                switch next().kind {
                case .name(let name): value = .attribute(value, name)
                case .integer(let index): value = .item(value, .integer(index))
                default:
                    position -= 1
                    throw unexpected("a name")
                }
            } else if accept("[") {
                value = try subscripted(value)
            } else if isSymbol("(") {
                value = .call(value, try arguments())
            } else {
                return value
            }
        }
    }

    private mutating func subscripted(_ base: Expression) throws -> Expression {
        func isEnd() -> Bool { isSymbol("]") || isSymbol(",") }
        var parts: [Expression?] = []
        if isSymbol(":") {
            parts.append(nil)
        } else {
            let index = try expression()
            if !isSymbol(":") {
                var members = [index]
                while accept(",") { members.append(try expression()) }
                try expect("]")
                return .item(base, members.count == 1 ? index : .tuple(members))
            }
            parts.append(index)
        }
        while parts.count < 3, accept(":") { parts.append(isEnd() || isSymbol(":") ? nil : try expression()) }
        if isSymbol(",") {
            throw JinjaError(.unsupported, "slices with commas are not supported", line: current.line)
        }
        try expect("]")
        return .slice(
            base, from: parts[0], to: parts.count > 1 ? parts[1] : nil, step: parts.count > 2 ? parts[2] : nil)
    }

    private mutating func arguments() throws -> Arguments {
        var arguments = Arguments()
        try expect("(")
        var isFirst = true
        while !isSymbol(")") {
            if !isFirst { try expect(",") }
            if !isFirst, isSymbol(")") { break }
            isFirst = false
            let line = current.line
            if accept("**") {
                arguments.object = try expression()
            } else if accept("*") {
                arguments.list = try expression()
            } else if case .name(let name) = current.kind, position + 1 < tokens.count,
                tokens[position + 1].kind == .symbol("=")
            {
                position += 2
                arguments.named.append((name, try expression()))
            } else {
                guard arguments.named.isEmpty, arguments.object == nil, arguments.list == nil else {
                    throw JinjaError(.syntax, "a positional argument behind a named one", line: line)
                }
                arguments.positional.append(try expression())
            }
        }
        try expect(")")
        return arguments
    }

    private mutating func filtersAndTests(of base: Expression) throws -> Expression {
        var value = base
        var links = 0
        while true {
            links += 1
            try checkChain(links)
            if isSymbol("|") {
                value = try filters(of: value, first: false, one: true)
            } else if acceptName("is") {
                value = try test(of: value)
            } else if isSymbol("(") {
                value = .call(value, try arguments())
            } else {
                return value
            }
        }
    }

    /// `| name(…)`, once or as often as it comes.
    ///
    /// - Parameters:
    ///   - base: nil at the head of a block, whose text it is.
    ///   - first: whether the first name stands without `|`.
    mutating func filters(of base: Expression?, first: Bool, one: Bool = false) throws -> Expression {
        var value = base
        var isFirst = first
        var links = 0
        while isFirst || accept("|") {
            isFirst = false
            links += 1
            try checkChain(links)
            var name = try name()
            while accept(".") { name += "." + (try self.name()) }
            value = .filter(value, name, isSymbol("(") ? try arguments() : Arguments())
            if one { break }
        }
        guard let value else { throw unexpected("a filter") }
        return value
    }

    private mutating func test(of base: Expression) throws -> Expression {
        let negates = acceptName("not")
        let line = current.line
        var name = try name()
        while accept(".") { name += "." + (try self.name()) }
        var arguments = Arguments()
        switch current.kind {
        case .symbol("("): arguments = try self.arguments()
        case .name("else"), .name("or"), .name("and"): break
        case .name("is"): throw JinjaError(.syntax, "tests cannot follow one another with 'is'", line: line)
        case .name, .string, .integer, .float, .symbol("["), .symbol("{"):
            arguments.positional = [try nested { try $0.postfix(try $0.primary()) }]
        default: break
        }
        let test = Expression.test(base, name, arguments)
        return negates ? .not(test) : test
    }
}
