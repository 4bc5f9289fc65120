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
    fileprivate(set) var start: Address = 0

    /// Instructions that a grammar may take.
    static let sizeLimit = 200_000
    /// Times that a part may be asked for.
    static let repetitionLimit = 10_000

    /// - Throws: `GrammarError` that names what is unknown, not enforced or too large.
    init(_ grammar: Grammar, _ vocabulary: TokenVocabulary) throws(GrammarError) {
        var compiler = RuleCompiler(grammar, vocabulary)
        self = try compiler.compile()
    }

    fileprivate init() {}
}

/// Writes a grammar's instructions, each part in front of what follows it.
private struct RuleCompiler {
    private let grammar: Grammar
    private let vocabulary: TokenVocabulary
    private var program = RuleProgram()
    private var entries: [String: RuleProgram.Address] = [:]
    private var unwritten: [String] = []
    private var patterns: [String: Int] = [:]

    private let productive: ProductiveRules

    init(_ grammar: Grammar, _ vocabulary: TokenVocabulary) {
        (self.grammar, self.vocabulary, productive) = (grammar, vocabulary, ProductiveRules(grammar))
    }

    mutating func compile() throws(GrammarError) -> RuleProgram {
        try LeftRecursion.check(grammar)
        guard productive.ends(grammar.start) else { throw GrammarError(.unsatisfiable, "no text ends as the grammar asks") }
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
                .tooComplex, "a part is asked for \(min)…\(max.map(String.init) ?? "") times; "
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

/// Finds texts in a text that is read byte by byte (Aho and Corasick, 1975).
struct MarkTable: Sendable {
    private struct State: Sendable {
        var children: [UInt8: Int32] = [:]
        var failure: Int32 = 0
        var target: RuleProgram.Address = -1
    }

    private var states = [State()]
    /// Control tokens that are marks, and what stands behind them.
    var tokens: [Int32: RuleProgram.Address] = [:]

    mutating func add(_ bytes: [UInt8], _ target: RuleProgram.Address) {
        var state = 0
        for byte in bytes {
            if let next = states[state].children[byte] {
                state = Int(next)
            } else {
                states.append(State())
                states[state].children[byte] = Int32(states.count - 1)
                state = states.count - 1
            }
        }
        states[state].target = target
    }

    mutating func link() {
        var open = [0]
        var next = 0
        while next < open.count {
            let state = open[next]
            next += 1
            for (byte, child) in states[state].children {
                let failure = state == 0 ? 0 : self.next(states[state].failure, byte)
                states[Int(child)].failure = failure
                if states[Int(child)].target < 0 { states[Int(child)].target = states[Int(failure)].target }
                open.append(Int(child))
            }
        }
    }

    func next(_ state: Int32, _ byte: UInt8) -> Int32 {
        var state = state
        while true {
            if let next = states[Int(state)].children[byte] { return next }
            if state == 0 { return 0 }
            state = states[Int(state)].failure
        }
    }

    /// What stands behind the mark that ends here; −1 where none does.
    func target(_ state: Int32) -> RuleProgram.Address { states[Int(state)].target }
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
        case .sequence(let parts): parts.allSatisfy(ends)
        case .choice(let parts): parts.contains(where: ends)
        case .repeated(let part, let min, _): min == 0 || ends(part)
        case .rule(let name): names.contains(name) || !given.contains(name)
        }
    }
}

/// Rules that begin with themselves: following them would never come to a first character.
private enum LeftRecursion {
    static func check(_ grammar: Grammar) throws(GrammarError) {
        var nullable = Set<String>()
        var grew = true
        while grew {
            grew = false
            for (name, expression) in grammar.rules where !nullable.contains(name) && isNullable(expression, nullable) {
                nullable.insert(name)
                grew = true
            }
        }
        var done = Set<String>()
        for name in grammar.rules.keys.sorted() where !done.contains(name) {
            var path: [(name: String, rest: [String])] = [(name, first(grammar.rules[name] ?? .empty, nullable))]
            while let (current, rest) = path.last {
                guard let next = rest.first else {
                    done.insert(current)
                    path.removeLast()
                    continue
                }
                path[path.count - 1].rest.removeFirst()
                if path.contains(where: { $0.name == next }) {
                    throw GrammarError(
                        .unsupported, "the rule '\(next.prefix(80))' begins with itself; write it as a repetition")
                }
                if !done.contains(next), let expression = grammar.rules[next] {
                    path.append((next, first(expression, nullable)))
                }
            }
        }
    }

    private static func isNullable(_ expression: GrammarExpression, _ nullable: Set<String>) -> Bool {
        switch expression {
        case .text(let text): text.isEmpty
        case .character, .value, .through: false
        case .pattern, .free: true
        case .sequence(let parts): parts.allSatisfy { isNullable($0, nullable) }
        case .choice(let parts): parts.contains { isNullable($0, nullable) }
        case .repeated(let part, let min, _): min == 0 || isNullable(part, nullable)
        case .rule(let name): nullable.contains(name)
        }
    }

    /// The rules that may be called before a character comes.
    private static func first(_ expression: GrammarExpression, _ nullable: Set<String>) -> [String] {
        switch expression {
        case .text, .character, .value, .through, .pattern, .free: return []
        case .sequence(let parts):
            var names: [String] = []
            for part in parts {
                names += first(part, nullable)
                if !isNullable(part, nullable) { break }
            }
            return names
        case .choice(let parts): return parts.flatMap { first($0, nullable) }
        case .repeated(let part, _, _): return first(part, nullable)
        case .rule(let name): return [name]
        }
    }
}
