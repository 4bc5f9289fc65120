/// A grammar as instructions for a pushdown automaton that follows several ways at once (Thompson, 1968, with calls).
struct RuleProgram {
    typealias Address = Int32

    enum Instruction: Sendable {
        case byte(ByteSet, next: Address)
        /// A control token.
        case token(Int32, next: Address)
        case fork([Address])
        case jump(Address)
        case call(Address, next: Address)
        case back
        /// A JSON text, by the number of its schema's machine.
        case value(Int, next: Address)
        /// A word of a lexer, by the number of its terminal.
        case terminal(Int32, next: Address)
        /// A text of an automaton.
        case pattern(Int, next: Address)
        /// Any characters through one of a table's marks, behind which its target stands.
        case through(Int)
        /// Any tokens, through one of a table's marks.
        case free(Int)
        /// The text is whole.
        case accept
    }

    /// A set of byte values.
    struct ByteSet: Sendable, Hashable {
        private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        init(_ ranges: ClosedRange<UInt8>...) {
            for range in ranges { for byte in range { insert(byte) } }
        }

        func contains(_ byte: UInt8) -> Bool {
            let word =
                switch byte >> 6 {
                case 0: words.0
                case 1: words.1
                case 2: words.2
                default: words.3
                }
            return word & 1 << UInt64(byte & 63) != 0
        }

        private mutating func insert(_ byte: UInt8) {
            let bit: UInt64 = 1 << UInt64(byte & 63)
            switch byte >> 6 {
            case 0: words.0 |= bit
            case 1: words.1 |= bit
            case 2: words.2 |= bit
            default: words.3 |= bit
            }
        }

        static func == (a: ByteSet, b: ByteSet) -> Bool { a.words == b.words }
        func hash(into hasher: inout Hasher) {
            hasher.combine(words.0)
            hasher.combine(words.1)
            hasher.combine(words.2)
            hasher.combine(words.3)
        }
    }

    fileprivate(set) var instructions: [Instruction] = []
    fileprivate(set) var schemas: [SchemaMachine] = []
    fileprivate(set) var automata: [ScalarAutomaton] = []
    fileprivate(set) var marks: [MarkTable] = []
    fileprivate(set) var terminals: [GrammarExpression.Terminal] = []
    fileprivate(set) var start: Address = 0

    /// Instructions that a grammar may take.
    static let sizeLimit = 200_000
    /// Times that a part may be asked for.
    static let repetitionLimit = 10_000

    /// - Throws: `GrammarError` that names what is unknown, not enforced or too large.
    init(_ grammar: Grammar, _ vocabulary: TokenVocabulary) throws(GrammarError) {
        var compiler = try RuleCompiler(grammar, vocabulary)
        self = try compiler.compile()
    }

    fileprivate init() {}
}

/// Writes a grammar's instructions, each part in front of what follows it.
private struct RuleCompiler {
    private var grammar: Grammar
    private let vocabulary: TokenVocabulary
    private var program = RuleProgram()
    private var entries: [String: RuleProgram.Address] = [:]
    private var unwritten: [String] = []
    private var patterns: [String: Int] = [:]
    private var terminals: [GrammarExpression.Terminal: Int] = [:]

    private let productive: ProductiveRules

    init(_ grammar: Grammar, _ vocabulary: TokenVocabulary) throws(GrammarError) {
        self.grammar = try LeftRecursion.removed(from: grammar)
        self.vocabulary = vocabulary
        productive = ProductiveRules(self.grammar)
    }

    mutating func compile() throws(GrammarError) -> RuleProgram {
        guard productive.ends(grammar.start) else {
            throw GrammarError(.unsatisfiable, "no text ends as the grammar asks")
        }
        let end = try add(.accept)
        program.start = try write(grammar.start, before: end)
        while let name = unwritten.popLast() {
            guard let expression = grammar.rules[name], let entry = entries[name] else { continue }
            let back = try add(.back)
            program.instructions[Int(entry)] = .jump(try write(expression, before: back))
        }
        return program
    }

    private mutating func add(_ instruction: RuleProgram.Instruction) throws(GrammarError) -> RuleProgram.Address {
        guard program.instructions.count < RuleProgram.sizeLimit else {
            throw GrammarError(.tooComplex, "the grammar takes more than \(RuleProgram.sizeLimit) steps")
        }
        program.instructions.append(instruction)
        return Int32(program.instructions.count - 1)
    }

    /// - Returns: where the expression begins.
    private mutating func write(
        _ expression: GrammarExpression, before next: RuleProgram.Address
    ) throws(GrammarError) -> RuleProgram.Address {
        switch expression {
        case .text(let text):
            var next = next
            for piece in vocabulary.pieces(of: text).reversed() { next = try write(piece, before: next) }
            return next
        case .character(let ranges):
            var entries: [RuleProgram.Address] = []
            for bytes in ranges.flatMap(UTF8Ranges.of) {
                var entry = next
                for range in bytes.reversed() { entry = try add(.byte(.init(range), next: entry)) }
                entries.append(entry)
            }
            return entries.count == 1 ? entries[0] : try add(.fork(entries))
        case .pattern(let source):
            if patterns[source] == nil {
                program.automata.append(try PatternParser.parse(source).automaton(isWhole: true))
                patterns[source] = program.automata.count - 1
            }
            return try add(.pattern(patterns[source] ?? 0, next: next))
        case .terminal(let terminal):
            if terminals[terminal] == nil {
                program.terminals.append(terminal)
                terminals[terminal] = program.terminals.count - 1
            }
            return try add(.terminal(Int32(terminals[terminal] ?? 0), next: next))
        case .value(let schema):
            program.schemas.append(try machine(schema))
            return try add(.value(program.schemas.count - 1, next: next))
        case .through(let text): return try add(.through(try marks([(text, next)])))
        case .sequence(let parts):
            var next = next
            for part in parts.reversed() { next = try write(part, before: next) }
            return next
        case .choice(let parts):
            var entries: [RuleProgram.Address] = []
            for part in parts where productive.ends(part) { entries.append(try write(part, before: next)) }
            return entries.count == 1 ? entries[0] : try add(.fork(entries))
        case .repeated(let part, let min, let max): return try write(part, min, max, before: next)
        case .rule(let name):
            guard grammar.rules[name] != nil else {
                throw GrammarError(.malformed, "the rule '\(name.prefix(80))' is named and not given")
            }
            if entries[name] == nil {
                entries[name] = try add(.back)
                unwritten.append(name)
            }
            return try add(.call(entries[name] ?? 0, next: next))
        case .free(let markers, let repeats):
            let place = try add(.back)
            var targets: [(String, RuleProgram.Address)] = []
            for marker in markers where productive.ends(marker.expression) {
                targets.append((marker.text, try write(marker.expression, before: repeats ? place : next)))
            }
            program.instructions[Int(place)] = .free(try marks(targets))
            return place
        }
    }

    private func machine(_ schema: GrammarExpression.Schema) throws(GrammarError) -> SchemaMachine {
        do throws(GrammarError) { return try SchemaMachine(schema: schema.json) } catch {
            if let other = schema.otherwise { return try SchemaMachine(schema: other) }
            throw GrammarError(error.code, at: error.path.map { schema.place + $0 }, error.message)
        }
    }

    private mutating func write(
        _ piece: TokenVocabulary.Piece, before next: RuleProgram.Address
    ) throws(GrammarError) -> RuleProgram.Address {
        switch piece {
        case .token(let id): return try add(.token(id, next: next))
        case .bytes(let bytes):
            var next = next
            for byte in bytes.reversed() { next = try add(.byte(.init(byte...byte), next: next)) }
            return next
        }
    }

    private mutating func write(
        _ part: GrammarExpression, _ min: Int, _ max: Int?, before next: RuleProgram.Address
    ) throws(GrammarError) -> RuleProgram.Address {
        guard min <= RuleProgram.repetitionLimit, max ?? 0 <= RuleProgram.repetitionLimit, max ?? min >= min, min >= 0
        else {
            throw GrammarError(
                .tooComplex,
                "a part is asked for \(min)…\(max.map(String.init) ?? "") times; "
                    + "0…\(RuleProgram.repetitionLimit) are possible, the lesser first")
        }
        var entry = next
        if !productive.ends(part) { return min == 0 ? next : try add(.fork([])) }
        if let max {
            for _ in min..<max { entry = try add(.fork([try write(part, before: entry), next])) }
        } else {
            entry = try add(.back)
            program.instructions[Int(entry)] = .fork([try write(part, before: entry), next])
        }
        for _ in 0..<min { entry = try write(part, before: entry) }
        return entry
    }

    private mutating func marks(_ targets: [(text: String, target: RuleProgram.Address)]) throws(GrammarError) -> Int {
        var table = MarkTable()
        for (text, target) in targets {
            guard !text.isEmpty else { throw GrammarError(.malformed, "a text that ends another one is empty") }
            let pieces = vocabulary.pieces(of: text)
            switch pieces.first {
            case .token(let id)?:
                var next = target
                for piece in pieces.dropFirst().reversed() { next = try write(piece, before: next) }
                table.tokens[id] = next
            case .bytes(let bytes)?:
                var next = target
                for piece in pieces.dropFirst().reversed() { next = try write(piece, before: next) }
                table.add(bytes, next)
            case nil: break
            }
        }
        table.link()
        program.marks.append(table)
        return program.marks.count - 1
    }
}

/// Rules of which a text can come: not those that call themselves in every alternative.
private struct ProductiveRules {
    private let given: Set<String>
    private var names = Set<String>()

    init(_ grammar: Grammar) {
        given = Set(grammar.rules.keys)
        var grew = true
        while grew {
            grew = false
            for (name, expression) in grammar.rules where !names.contains(name) && ends(expression) {
                names.insert(name)
                grew = true
            }
        }
    }

    /// Whether a text can come of an expression. Rules that are not given count as such: what names them says so.
    func ends(_ expression: GrammarExpression) -> Bool {
        switch expression {
        case .text, .pattern, .value, .through, .free: true
        case .character(let ranges): !ranges.isEmpty
        case .terminal(let terminal): !terminal.automaton.isEmpty
        case .sequence(let parts): parts.allSatisfy(ends)
        case .choice(let parts): parts.contains(where: ends)
        case .repeated(let part, let min, _): min == 0 || ends(part)
        case .rule(let name): names.contains(name) || !given.contains(name)
        }
    }
}
