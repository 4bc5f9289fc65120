/// Builds the statements of a template from its tokens, by jinja2's grammar.
struct Parser {
    let tokens: [Token]
    var position = 0
    /// Expressions and blocks that are open, and chains that nest to the left.
    var depth = 0
    /// The names that have been read, for what a macro's body takes.
    var names: Set<String> = []
    private var loops = 0

    static let depthLimit = 96

    /// - Returns: the statements, and the text and strings among the tokens.
    static func parse(_ source: String) throws -> (nodes: [Node], literals: [String]) {
        let tokens = try Lexer.tokens(of: source)
        var parser = Parser(tokens: tokens)
        let nodes = try parser.block(until: [])
        let literals = tokens.compactMap { token -> String? in
            switch token.kind {
            case .data(let scalars), .string(let scalars): String(String.UnicodeScalarView(scalars))
            default: nil
            }
        }
        return (nodes, literals)
    }

    private init(tokens: [Token]) { self.tokens = tokens }

    var current: Token { tokens[min(position, tokens.count - 1)] }

    mutating func next() -> Token {
        defer { position += 1 }
        return current
    }

    mutating func accept(_ symbol: String) -> Bool {
        guard current.kind == .symbol(symbol) else { return false }
        position += 1
        return true
    }

    mutating func acceptName(_ name: String) -> Bool {
        guard isName(name) else { return false }
        position += 1
        return true
    }

    func isSymbol(_ symbol: String) -> Bool { current.kind == .symbol(symbol) }
    func isName(_ name: String) -> Bool { current.kind == .name(name) }

    mutating func expect(_ symbol: String) throws {
        guard accept(symbol) else { throw unexpected("'\(symbol)'") }
    }

    mutating func name() throws -> String {
        guard case .name(let name) = current.kind else { throw unexpected("a name") }
        position += 1
        return name
    }

    /// - Parameter expected: what should stand here; empty where nothing should.
    func unexpected(_ expected: String) -> JinjaError {
        let found =
            switch current.kind {
            case .data: "text"
            case .variableBegin: "'{{'"
            case .variableEnd: "'}}'"
            case .blockBegin: "'{%'"
            case .blockEnd: "'%}'"
            case .name(let name): "'\(name)'"
            case .string: "a string"
            case .integer, .float: "a number"
            case .symbol(let symbol): "'\(symbol)'"
            case .end: "the end of the template"
            }
        let wanted = expected.isEmpty ? "" : ", expected \(expected)"
        return JinjaError(.syntax, "unexpected \(found)\(wanted)", line: current.line)
    }

    mutating func nested<Result>(_ body: (inout Parser) throws -> Result) throws -> Result {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else {
            throw JinjaError(.limit, "nested deeper than \(Self.depthLimit)", line: current.line)
        }
        return try body(&self)
    }

    /// Statements until one whose keyword is among `enders`: that keyword is left in place, its `{%` is not.
    mutating func block(until enders: [String]) throws -> [Node] {
        try nested { parser in
            var nodes: [Node] = []
            while true {
                let token = parser.current
                switch token.kind {
                case .data(let scalars):
                    parser.position += 1
                    nodes.append(Node(statement: .text(scalars), line: token.line))
                case .variableBegin:
                    parser.position += 1
                    let expression = try parser.tuple()
                    guard parser.current.kind == .variableEnd else { throw parser.unexpected("'}}'") }
                    parser.position += 1
                    nodes.append(Node(statement: .output([expression]), line: token.line))
                case .blockBegin:
                    parser.position += 1
                    guard case .name(let keyword) = parser.current.kind else { throw parser.unexpected("a statement") }
                    if enders.contains(keyword) { return nodes }
                    let line = parser.current.line
                    parser.position += 1
                    nodes.append(Node(statement: try parser.statement(keyword, line: line), line: line))
                    try parser.expectBlockEnd()
                case .end where enders.isEmpty: return nodes
                case .end:
                    let wanted = enders.map { "'\($0)'" }.joined(separator: " or ")
                    throw JinjaError(.syntax, "the template ends, expected \(wanted)", line: token.line)
                default: throw parser.unexpected("")
                }
            }
        }
    }

    mutating func expectBlockEnd() throws {
        guard current.kind == .blockEnd else { throw unexpected("'%}'") }
        position += 1
    }

    /// The statements of a block and its end, to the `%}` that closes it, which is left.
    private mutating func body(until ender: String) throws -> [Node] {
        try expectBlockEnd()
        let nodes = try block(until: [ender])
        position += 1
        return nodes
    }

    private mutating func statement(_ keyword: String, line: Int) throws -> Statement {
        switch keyword {
        case "for": return try loop()
        case "if": return try condition()
        case "set": return try assignment()
        case "macro":
            let name = try name()
            return .macro(try macro(name, ender: "endmacro", hasSignature: true))
        case "call": return try callBlock(line: line)
        case "filter":
            let filter = try filters(of: nil, first: true)
            return .filterBlock(filter, body: try body(until: "endfilter"))
        case "with": return try with()
        case "generation": return .scope(try body(until: "endgeneration"))
        case "print":
            var expressions: [Expression] = []
            while current.kind != .blockEnd {
                if !expressions.isEmpty { try expect(",") }
                expressions.append(try expression())
            }
            return .output(expressions)
        case "break", "continue":
            guard loops > 0 else { throw JinjaError(.syntax, "'\(keyword)' outside of a loop", line: line) }
            return keyword == "break" ? .breakLoop : .continueLoop
        case "block", "extends", "include", "import", "from", "autoescape", "do", "trans", "debug":
            throw JinjaError(.unsupported, "the statement '\(keyword)' is not supported", line: line)
        default: throw JinjaError(.syntax, "there is no statement '\(keyword)'", line: line)
        }
    }

    private mutating func loop() throws -> Statement {
        let target = try assignmentTarget(allowsMembers: false, until: "in")
        guard acceptName("in") else { throw unexpected("'in'") }
        let items = try tuple(allowsConditional: false, until: "recursive")
        let filter = acceptName("if") ? try expression() : nil
        let isRecursive = acceptName("recursive")
        try expectBlockEnd()
        loops += 1
        let body = try block(until: ["endfor", "else"])
        loops -= 1
        var otherwise: [Node] = []
        if try name() == "else" { otherwise = try self.body(until: "endfor") }
        return .loop(
            Loop(
                target: target, items: items, filter: filter, isRecursive: isRecursive, body: body,
                otherwise: otherwise))
    }

    private mutating func condition() throws -> Statement {
        var branches: [(test: Expression?, body: [Node])] = []
        var test: Expression? = try tuple(allowsConditional: false)
        while true {
            try expectBlockEnd()
            let enders = test == nil ? ["endif"] : ["elif", "else", "endif"]
            branches.append((test, try block(until: enders)))
            switch try name() {
            case "elif": test = try tuple(allowsConditional: false)
            case "else": test = nil
            default: return .condition(branches)
            }
        }
    }

    private mutating func assignment() throws -> Statement {
        let target = try assignmentTarget(allowsMembers: true)
        if accept("=") { return .assign(target, try tuple()) }
        let filter = isSymbol("|") ? try filters(of: nil, first: false) : nil
        return .assignBlock(target, filter: filter, body: try body(until: "endset"))
    }

    private mutating func callBlock(line: Int) throws -> Statement {
        // The parameters stand before the call, the body behind it.
        let parameters = isSymbol("(") ? try signature() : []
        let call = try expression()
        guard case .call = call else { throw JinjaError(.syntax, "'call' without a call", line: line) }
        var macro = try macro("caller", ender: "endcall", hasSignature: false)
        macro.parameters = parameters
        return .call(call, macro)
    }

    private mutating func macro(_ name: String, ender: String, hasSignature: Bool) throws -> Macro {
        let parameters = hasSignature ? try signature() : []
        let outer = (names, loops)
        (names, loops) = ([], 0)
        let body = try body(until: ender)
        let takes = names.intersection(["varargs", "kwargs", "caller"])
        names.formUnion(outer.0)
        loops = outer.1
        return Macro(name: name, parameters: parameters, body: body, takes: takes)
    }

    private mutating func signature() throws -> [(name: String, standard: Expression?)] {
        var parameters: [(name: String, standard: Expression?)] = []
        try expect("(")
        while !isSymbol(")") {
            if !parameters.isEmpty { try expect(",") }
            let line = current.line
            let name = try name()
            if accept("=") {
                parameters.append((name, try expression()))
            } else if parameters.contains(where: { $0.standard != nil }) {
                throw JinjaError(.syntax, "the parameter '\(name)' has no default, one before it has", line: line)
            } else {
                parameters.append((name, nil))
            }
        }
        try expect(")")
        return parameters
    }

    private mutating func with() throws -> Statement {
        var bindings: [(target: Target, value: Expression)] = []
        while current.kind != .blockEnd {
            if !bindings.isEmpty { try expect(",") }
            let target = try single(allowsMembers: false)
            try expect("=")
            bindings.append((target, try expression()))
        }
        return .with(bindings, body: try body(until: "endwith"))
    }

    /// `a`, `a.b` or `a, (b, c)`.
    private mutating func assignmentTarget(allowsMembers: Bool, until ender: String? = nil) throws -> Target {
        var targets = [try single(allowsMembers: allowsMembers)]
        var isTuple = false
        while accept(",") {
            isTuple = true
            if isSymbol("=") || current.kind == .blockEnd || ender.map({ isName($0) }) ?? false { break }
            targets.append(try single(allowsMembers: allowsMembers))
        }
        return isTuple ? .tuple(targets) : targets[0]
    }

    private mutating func single(allowsMembers: Bool) throws -> Target {
        if accept("(") {
            let target = try nested { try $0.assignmentTarget(allowsMembers: allowsMembers) }
            try expect(")")
            return target
        }
        let line = current.line
        let name = try name()
        guard !["true", "false", "none", "True", "False", "None"].contains(name) else {
            throw JinjaError(.syntax, "'\(name)' cannot be assigned to", line: line)
        }
        guard allowsMembers, accept(".") else {
            if isSymbol(".") || isSymbol("[") { throw unexpected("a name alone") }
            return .name(name)
        }
        return .member(name, try self.name())
    }
}
