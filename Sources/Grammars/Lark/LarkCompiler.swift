import JSON

/// Makes rules and terminals of a grammar in Lark's notation.
struct LarkCompiler {
    private let definitions: [String: LarkDocument.Definition]
    private let imports: [String: String]
    private var terminals: [String: GrammarExpression] = [:]
    private var rules: [String: GrammarExpression] = [:]
    /// Terminals that are being written, and templates within each other.
    private var open: [String] = []
    private var templateDepth = 0
    /// What may stand before every word.
    private var ignored: [GrammarExpression] = []

    private static let depthLimit = 50
    private static let ruleLimit = 20_000

    static func grammar(of document: LarkDocument) throws(GrammarError) -> Grammar {
        var compiler = try LarkCompiler(document)
        var ignored: [GrammarExpression] = []
        for part in document.ignored { ignored.append(try compiler.word(part, compiler.name(ofIgnored: part))) }
        compiler.ignored = ignored
        guard compiler.definitions["start"] != nil else {
            throw GrammarError(.malformed, "the grammar has no rule 'start', with which it begins")
        }
        let start = try compiler.rule("start", [])
        return Grammar(.sequence([start] + compiler.skipped), rules: compiler.rules)
    }

    private init(_ document: LarkDocument) throws(GrammarError) {
        var definitions: [String: LarkDocument.Definition] = [:]
        for definition in document.definitions {
            guard definitions[definition.name] == nil, document.imports[definition.name] == nil else {
                throw GrammarError(
                    .malformed, "line \(definition.line): '\(definition.name.prefix(80))' stands here a second time")
            }
            guard definition.parameters.isEmpty || !LarkDocument.isTerminal(definition.name) else {
                throw GrammarError(
                    .unsupported, "line \(definition.line): templates of terminals are not supported; make it a rule")
            }
            definitions[definition.name] = definition
        }
        (self.definitions, imports) = (definitions, document.imports)
    }

    private func name(ofIgnored part: LarkDocument.Part) -> String {
        if case .name(let name) = part { name } else { "%ignore" }
    }

    /// What may stand between words.
    private var skipped: [GrammarExpression] {
        ignored.isEmpty ? [] : [.repeated(ignored.count == 1 ? ignored[0] : .choice(ignored), min: 0, max: nil)]
    }

    // MARK: Rules

    /// A rule, with what its parameters stand for.
    private mutating func rule(
        _ name: String, _ arguments: [LarkDocument.Part]
    ) throws(GrammarError) -> GrammarExpression {
        guard let definition = definitions[name] else {
            throw GrammarError(.malformed, "the rule '\(name.prefix(80))' is named and not given")
        }
        guard definition.parameters.count == arguments.count else {
            throw GrammarError(
                .malformed,
                "'\(name.prefix(80))' takes \(definition.parameters.count) parts; it is used with \(arguments.count)")
        }
        let own = arguments.isEmpty ? "lark " + name : "lark \(name) \(arguments)"
        if rules[own] == nil {
            guard rules.count < Self.ruleLimit else {
                throw GrammarError(.tooComplex, "the grammar takes too many rules")
            }
            templateDepth += arguments.isEmpty ? 0 : 1
            defer { templateDepth -= arguments.isEmpty ? 0 : 1 }
            guard templateDepth <= Self.depthLimit, own.utf8.count < 10_000 else {
                throw GrammarError(.tooComplex, "templates are used too deep within each other")
            }
            rules[own] = .empty
            let scope = Dictionary(zip(definition.parameters, arguments)) { first, _ in first }
            rules[own] =
                definition.isLazy ? try lazyWord(definition) : try expression(definition.part, scope)
        }
        return .rule(own)
    }

    private mutating func expression(
        _ part: LarkDocument.Part, _ scope: [String: LarkDocument.Part]
    ) throws(GrammarError) -> GrammarExpression {
        switch part {
        case .expression(let source, _): return .sequence(skipped + [try word(part, "/\(source)/")])
        case .literal, .range: return .sequence(skipped + [try word(part, "a text")])
        case .value(let schema): return .sequence(skipped + [.value(schema)])
        case .name(let name):
            if let argument = scope[name] { return try expression(argument, [:]) }
            if LarkDocument.isTerminal(name) { return .sequence(skipped + [try word(part, name)]) }
            return try rule(name, [])
        case .template(let name, let parts):
            return try rule(name, parts.map { $0.replacing(scope) })
        case .sequence(let parts):
            var written: [GrammarExpression] = []
            for part in parts { written.append(try expression(part, scope)) }
            return written.count == 1 ? written[0] : .sequence(written)
        case .choice(let parts):
            var written: [GrammarExpression] = []
            for part in parts { written.append(try expression(part, scope)) }
            return .choice(written)
        case .repeated(let part, let min, let max): return .repeated(try expression(part, scope), min: min, max: max)
        }
    }

    // MARK: Terminals

    private mutating func lazyWord(_ definition: LarkDocument.Definition) throws(GrammarError) -> GrammarExpression {
        let automaton = try pattern(definition.part).firstMatch().withoutLongerWords()
        return .sequence(skipped + [Self.terminal(automaton, isLiteral: false)])
    }

    /// A terminal. One that may be empty is one that may be left out.
    private mutating func word(_ part: LarkDocument.Part, _ name: String) throws(GrammarError) -> GrammarExpression {
        if case .name(let name) = part, let known = terminals[name] { return known }
        var isLiteral = if case .literal = part { true } else { false }
        var isLazy = false
        if case .name(let name) = part, let definition = definitions[name] {
            isLiteral = if case .literal = definition.part { true } else { false }
            isLazy = definition.isLazy
        }
        let written: GrammarExpression
        do throws(GrammarError) {
            var automaton = try pattern(part).firstMatch()
            if isLazy { automaton = automaton.withoutLongerWords() }
            written = Self.terminal(automaton, isLiteral: isLiteral)
        } catch { throw GrammarError(error.code, "'\(name.prefix(80))': \(error.message)") }
        if case .name(let name) = part { terminals[name] = written }
        return written
    }

    private static func terminal(_ automaton: ScalarAutomaton, isLiteral: Bool) -> GrammarExpression {
        if automaton.isEmpty || !automaton.accepts[0] { return .terminal(.init(automaton, isLiteral: isLiteral)) }
        let filled = automaton.withoutEmptyWord()
        return filled.isEmpty ? .empty : .optional(.terminal(.init(filled, isLiteral: isLiteral)))
    }

    private func isBareChoice(_ part: LarkDocument.Part) throws(GrammarError) -> Bool {
        switch part {
        case .expression(let source, let flags):
            return flags.isEmpty ? try PythonPatternParser.isBareChoice(source, flags) : false
        case .name(let name):
            // A terminal that stands within itself is refused elsewhere.
            guard let definition = definitions[name], !open.contains(name) else { return false }
            if case .expression = definition.part { return try isBareChoice(definition.part) }
            return false
        default: return false
        }
    }

    private mutating func pattern(_ part: LarkDocument.Part) throws(GrammarError) -> Pattern {
        switch part {
        case .literal(let text, let ignoresCase):
            return .sequence(
                text.unicodeScalars.map {
                    .scalars(ignoresCase ? PythonClasses.withOtherCases(ScalarSet([$0])) : ScalarSet([$0]))
                })
        case .expression(let source, let flags): return try PythonPatternParser.parse(source, flags)
        case .range(let range): return .scalars(ScalarSet([range]))
        case .name(let name):
            if let source = imports[name].flatMap({ LarkCommon.expressions[$0] }) {
                return try PythonPatternParser.parse(source)
            }
            guard LarkDocument.isTerminal(name) else {
                throw GrammarError(.unsupported, "the rule '\(name.prefix(80))' cannot stand in a terminal")
            }
            guard let definition = definitions[name] else {
                throw GrammarError(.malformed, "the terminal '\(name.prefix(80))' is named and not given")
            }
            guard !open.contains(name), open.count < Self.depthLimit else {
                throw GrammarError(
                    .unsupported, "the terminal '\(name.prefix(80))' stands within itself; make it a rule")
            }
            open.append(name)
            defer { open.removeLast() }
            return try pattern(definition.part)
        case .sequence(let parts):
            var written: [Pattern] = []
            for part in parts {
                guard try !isBareChoice(part) else {
                    throw GrammarError(
                        .unsupported,
                        "an expression with '|' stands beside other parts, which Lark reads as one expression without "
                            + "brackets; write them: /(…|…)/")
                }
                written.append(try pattern(part))
            }
            return .sequence(written)
        case .choice(let parts):
            var written: [Pattern] = []
            for part in parts { written.append(try pattern(part)) }
            // Lark tries what may be longest first.
            let order = written.indices.sorted {
                let (a, b) = (written[$0].lengths, written[$1].lengths)
                return a.max != b.max ? a.max > b.max : a.min != b.min ? a.min > b.min : $0 < $1
            }
            return .choice(order.map { written[$0] })
        case .repeated(let part, let min, let max): return .repeated(try pattern(part), min: min, max: max)
        case .template(let name, _):
            throw GrammarError(.unsupported, "the template '\(name.prefix(80))' cannot stand in a terminal")
        case .value: throw GrammarError(.unsupported, "%json cannot stand in a terminal")
        }
    }
}

extension Grammar {
    /// The texts of a grammar in Lark's notation, as its lexer finds their words.
    ///
    /// - Throws: `GrammarError` with the line or the name.
    package init(lark text: String) throws(GrammarError) {
        self = try LarkCompiler.grammar(of: try LarkParser.parse(text))
    }
}
