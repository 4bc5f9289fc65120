import JSON

/// Reads grammars in Lark's notation.
///
///     start: "SELECT" NAME ("," NAME)*
///     NAME: /[a-z]+/i
///     %import common.WS
///     %ignore WS
///
/// Source: docs/grammar.md of Lark 1.3, docs/syntax.md of llguidance 1.9.
struct LarkParser {
    var scanner: LarkScanner
    private var document = LarkDocument()
    private var depth = 0

    private static let depthLimit = 100

    /// - Throws: `GrammarError` with the line: for what is no such grammar, and for what is not supported.
    static func parse(_ text: String) throws(GrammarError) -> LarkDocument {
        var parser = LarkParser(scanner: try LarkScanner(text))
        while parser.scanner.skip(lines: true) {
            if parser.scanner.current == "%" { try parser.statement() } else { try parser.definition() }
            parser.scanner.skip(lines: false)
            guard parser.scanner.isAtLineEnd else { throw parser.scanner.failure("expected the end of the rule") }
        }
        return parser.document
    }

    private init(scanner: LarkScanner) { self.scanner = scanner }

    // MARK: Statements

    private mutating func statement() throws(GrammarError) {
        scanner.take("%")
        let name = try scanner.name()
        scanner.skip(lines: false)
        switch name {
        case "ignore": document.ignored.append(try alternatives())
        case "import": try importation()
        case "llguidance":
            guard case .object(let options) = try scanner.json(), options.members.isEmpty else {
                throw scanner.unsupported("options of '%llguidance' are not supported")
            }
        case "declare":
            throw scanner.unsupported(
                "'%declare' names terminals that only a program's own lexer finds; give their texts")
        default:
            throw scanner.unsupported("'%\(name.prefix(40))' is not supported; %import common.… and %ignore are")
        }
    }

    /// `common.NAME`, `common.NAME -> OTHER`, `common (NAME, NAME)`.
    private mutating func importation() throws(GrammarError) {
        let library = scanner.current == "." ? "." : try scanner.name()
        guard library == "common" else {
            throw scanner.unsupported("'%import \(library.prefix(40))…': only what is in 'common' can be imported")
        }
        func add(_ name: String, as other: String) throws(GrammarError) {
            guard LarkCommon.expressions[name] != nil else {
                throw scanner.failure("there is no 'common.\(name.prefix(40))'")
            }
            document.imports[other] = name
        }
        if scanner.take(".") {
            let name = try scanner.name()
            scanner.skip(lines: false)
            guard scanner.take("->") else { return try add(name, as: name) }
            scanner.skip(lines: false)
            return try add(name, as: try scanner.name())
        }
        scanner.skip(lines: false)
        try scanner.expect("(")
        repeat {
            scanner.skip(lines: true)
            let name = try scanner.name()
            try add(name, as: name)
            scanner.skip(lines: true)
        } while scanner.take(",")
        try scanner.expect(")")
    }

    // MARK: Definitions

    private mutating func definition() throws(GrammarError) {
        let line = scanner.line
        // How a tree is made of it changes no text.
        while scanner.take("?") || scanner.take("!") {}
        var definition = LarkDocument.Definition(name: try scanner.name(), part: .sequence([]), line: line)
        if scanner.take("{") {
            repeat {
                scanner.skip(lines: true)
                definition.parameters.append(try scanner.name())
                scanner.skip(lines: true)
            } while scanner.take(",")
            try scanner.expect("}")
        }
        if scanner.current == "[" { try attributes(of: &definition) }
        scanner.skip(lines: false)
        if scanner.current == "." {
            throw scanner.unsupported(
                "'\(definition.name.prefix(40))' has a priority, which is not supported: the longest word is taken, and a text "
                    + "before an expression")
        }
        try scanner.expect(":")
        if scanner.current == ":" { throw scanner.failure("'::=' is GBNF's; in Lark's notation a rule is 'name: …'") }
        scanner.skip(lines: false)
        definition.part = try alternatives()
        document.definitions.append(definition)
    }

    /// llguidance's `name[lazy, capture="x"]`.
    private mutating func attributes(of definition: inout LarkDocument.Definition) throws(GrammarError) {
        scanner.take("[")
        repeat {
            scanner.skip(lines: true)
            let name = try scanner.name()
            switch name {
            case "lazy": definition.isLazy = true
            case "capture": if scanner.take("=") { _ = try scanner.literal() }
            default:
                throw scanner.unsupported("the attribute '\(name.prefix(40))' is not supported; lazy and capture are")
            }
            scanner.skip(lines: true)
        } while scanner.take(",")
        try scanner.expect("]")
    }

    // MARK: Expressions

    private mutating func alternatives() throws(GrammarError) -> LarkDocument.Part {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else {
            throw GrammarError(.tooComplex, "brackets stand deeper than \(Self.depthLimit) within each other")
        }
        var found: [LarkDocument.Part] = []
        // An empty line of alternatives may stand first.
        repeat {
            scanner.skip(lines: depth > 1)
            found.append(try sequence())
            scanner.skip(lines: depth > 1)
            if scanner.take("->") {
                scanner.skip(lines: false)
                _ = try scanner.name()
                scanner.skip(lines: depth > 1)
            }
        } while scanner.takeBar()
        return found.count == 1 ? found[0] : .choice(found)
    }

    private mutating func sequence() throws(GrammarError) -> LarkDocument.Part {
        var parts: [LarkDocument.Part] = []
        while let part = try atom() {
            parts.append(try repetition(of: part))
            scanner.skip(lines: depth > 1)
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    /// nil where none begins here.
    private mutating func atom() throws(GrammarError) -> LarkDocument.Part? {
        guard let scalar = scanner.current else { return nil }
        switch scalar {
        case "\"": return try literalOrRange()
        case "/":
            let (source, flags) = try scanner.expression()
            return .expression(source, flags)
        case "(", "[":
            scanner.take(String(scalar))
            let inner = try alternatives()
            scanner.skip(lines: true)
            try scanner.expect(scalar == "(" ? ")" : "]")
            return scalar == "(" ? inner : .repeated(inner, min: 0, max: 1)
        case "%":
            scanner.take("%")
            let name = try scanner.name()
            guard name == "json" else {
                throw scanner.unsupported("'%\(name.prefix(40))' is not supported within a rule; %json is")
            }
            scanner.skip(lines: true)
            return .value(try scanner.json())
        case "<": throw scanner.unsupported("tokens are not named in grammars; write their text")
        case "@": throw scanner.unsupported("other grammars cannot be named here")
        case "&", "~": throw scanner.unsupported("'\(scalar)' between terminals is not supported")
        case let named where LarkScanner.isNamed(named) && !("0"..."9").contains(named): return try nameOrTemplate()
        default: return nil
        }
    }

    private mutating func literalOrRange() throws(GrammarError) -> LarkDocument.Part {
        let first = try scanner.literal()
        if scanner.take("i") { return .literal(first, ignoresCase: true) }
        let end = scanner.position
        scanner.skip(lines: false)
        guard scanner.take("..") else {
            scanner.position = end
            return .literal(first, ignoresCase: false)
        }
        scanner.skip(lines: false)
        let last = try scanner.literal()
        guard let low = first.unicodeScalars.first, first.unicodeScalars.count == 1,
            let high = last.unicodeScalars.first, last.unicodeScalars.count == 1, low <= high
        else { throw scanner.failure("a range goes from one character to a later one") }
        return .range(low.value...high.value)
    }

    private mutating func nameOrTemplate() throws(GrammarError) -> LarkDocument.Part {
        let name = try scanner.name()
        // `{` behind a name is a template's, but for a number or a comma, which are llguidance's counts.
        guard scanner.current == "{", !scanner.isCount else { return .name(name) }
        scanner.take("{")
        var parts: [LarkDocument.Part] = []
        repeat {
            scanner.skip(lines: true)
            guard let part = try atom() else { throw scanner.failure("expected what a template is used with") }
            parts.append(part)
            scanner.skip(lines: true)
        } while scanner.take(",")
        try scanner.expect("}")
        return .template(name, parts)
    }

    /// `*`, `+`, `?`, `~ n`, `~ n..m` and llguidance's `{n,m}`.
    private mutating func repetition(of part: LarkDocument.Part) throws(GrammarError) -> LarkDocument.Part {
        scanner.skip(lines: false)
        if scanner.take("*") { return .repeated(part, min: 0, max: nil) }
        if scanner.take("+") { return .repeated(part, min: 1, max: nil) }
        if scanner.take("?") { return .repeated(part, min: 0, max: 1) }
        if scanner.take("~") {
            scanner.skip(lines: false)
            let min = try scanner.count()
            scanner.skip(lines: false)
            guard scanner.take("..") else { return .repeated(part, min: min, max: min) }
            scanner.skip(lines: false)
            return try counted(part, min, try scanner.count())
        }
        guard scanner.current == "{", scanner.isCount else { return part }
        scanner.take("{")
        let min = scanner.current == "," ? 0 : try scanner.count()
        var max: Int? = min
        if scanner.take(",") { max = scanner.current == "}" ? nil : try scanner.count() }
        try scanner.expect("}")
        return try counted(part, min, max)
    }

    private func counted(
        _ part: LarkDocument.Part, _ min: Int, _ max: Int?
    ) throws(GrammarError) -> LarkDocument.Part {
        if let max, max < min { throw scanner.failure("\(min)..\(max) asks for at least more than at most") }
        return .repeated(part, min: min, max: max)
    }
}
