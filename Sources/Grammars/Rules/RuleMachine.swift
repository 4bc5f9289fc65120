/// One of the ways that a text follows through a grammar.
struct RuleThread: Hashable, Sendable {
    /// Of an instruction that takes something in, or of the one that accepts.
    var address: RuleProgram.Address
    /// Where calls go back to, the innermost first; −1 for none.
    var stack: Int32
    /// The state of an automaton, of a table of marks, or of the lexer; −1 for a word whose rivals are not known yet.
    var position: Int32 = 0
    /// Words before it that may not become longer.
    var ownGuard = Lexer.noGuard
    var decoder = TextDecoder.start
    /// Of a JSON text: how far it is, and where in the text it began. The latter tells no ways apart: only an ambiguous grammar
    /// could reach the same state by two beginnings.
    var value = Configuration()
    var origin: Int32 = 0

    static func == (a: RuleThread, b: RuleThread) -> Bool {
        a.address == b.address && a.stack == b.stack && a.position == b.position && a.decoder == b.decoder
            && a.ownGuard == b.ownGuard && a.value == b.value
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(address)
        hasher.combine(stack)
        hasher.combine(position)
        hasher.combine(ownGuard)
        hasher.combine(decoder)
        hasher.combine(value)
    }
}

/// What has been read so far, as a grammar's JSON texts need it.
struct RuleText: Sendable {
    /// Of a JSON text that is open, by where it began.
    struct Value: Sendable {
        var bytes: [UInt8] = []
        var names = MemberNames()
    }

    private(set) var count = 0
    private(set) var values: [Int32: Value] = [:]

    /// Takes bytes in that have been read.
    mutating func append(_ bytes: [UInt8], _ threads: [RuleThread], _ program: RuleProgram) {
        var open: [Int32: Value] = [:]
        for thread in threads where open[thread.origin] == nil {
            guard case .value = program.instructions[Int(thread.address)] else { continue }
            var value = values.removeValue(forKey: thread.origin) ?? Value()
            let own = bytes.dropFirst(max(0, Int(thread.origin) - count))
            value.bytes += own
            value.names.append(Array(own))
            open[thread.origin] = value
        }
        values = open
        count += bytes.count
    }

    /// What a JSON text needs to know of itself.
    func read(_ thread: RuleThread) -> ReadText {
        let value = values[thread.origin]
        return ReadText(
            text: value?.bytes ?? [], names: thread.value.phase == .key ? value?.names.innermost ?? [] : [],
            skipped: max(0, Int(thread.origin) - count))
    }
}

/// Reads a text byte by byte, or control token by control token, as far as a grammar allows it, by all ways at once.
final class RuleMachine {
    let program: RuleProgram
    private struct Frame: Hashable {
        var address: RuleProgram.Address
        var parent: Int32
    }
    private var frames = Interner<Frame>()
    var lexer: Lexer
    var masks = MaskCache<[RuleThread], TokenMask>()

    /// Ways that are followed at once, at most.
    private static let threadLimit = 1_024
    /// Calls that one text may have open, found so far.
    private static let frameLimit = 1_000_000

    init(_ program: RuleProgram) { (self.program, lexer) = (program, Lexer(program.terminals)) }

    /// How much has been found out.
    var size: Int { frames.count + lexer.size + program.schemas.reduce(0) { $0 + $1.size } }

    func allow(_ budget: Int) { for schema in program.schemas { schema.table.allow(budget) } }

    func start() throws(GrammarError) -> [RuleThread] {
        var next = Following()
        try add(program.start, -1, at: 0, to: &next)
        return try begun(next.threads, Lexer.noGuard)
    }

    /// Ways after a byte or a token, each once.
    struct Following {
        var threads: [RuleThread] = []
        /// Places without anything to take in that have been passed.
        var passed: [(RuleProgram.Address, Int32)] = []

        mutating func add(_ thread: RuleThread) {
            if !threads.contains(thread) { threads.append(thread) }
        }
    }

    /// Follows a way to what takes something in.
    ///
    /// - Parameter origin: where in the text that is.
    private func add(
        _ address: RuleProgram.Address, _ stack: Int32, at origin: Int, to next: inout Following
    ) throws(GrammarError) {
        var open = [(address, stack)]
        while let (address, stack) = open.popLast() {
            let instruction = program.instructions[Int(address)]
            switch instruction {
            case .byte, .token, .through, .free, .accept: next.add(RuleThread(address: address, stack: stack))
            case .terminal: next.add(RuleThread(address: address, stack: stack, position: -1))
            case .value(let schema, _):
                var thread = RuleThread(address: address, stack: stack, origin: Int32(origin))
                thread.value.state = program.schemas[schema].root
                next.add(thread)
            case .pattern(let automaton, let following):
                let own = program.automata[automaton]
                if own.isEmpty { continue }
                next.add(RuleThread(address: address, stack: stack))
                if own.accepts[0] { try pass(following, stack, &open, &next) }
            case .jump(let target): try pass(target, stack, &open, &next)
            case .fork(let targets): for target in targets { try pass(target, stack, &open, &next) }
            case .call(let target, let following):
                // A call that is the last thing to do needs no way back.
                if case .back = program.instructions[Int(following)] {
                    try pass(target, stack, &open, &next)
                } else {
                    let frame = Frame(address: following, parent: stack)
                    try pass(target, Int32(frames.intern(frame)), &open, &next)
                    guard frames.count < Self.frameLimit else {
                        throw GrammarError(.tooComplex, "the answer calls the grammar's rules too often")
                    }
                }
            case .back:
                if stack >= 0 { try pass(frames[stack].address, frames[stack].parent, &open, &next) }
            }
            guard next.threads.count <= Self.threadLimit else { throw Self.tooManyWays }
        }
    }

    private func pass(
        _ address: RuleProgram.Address, _ stack: Int32, _ open: inout [(RuleProgram.Address, Int32)],
        _ next: inout Following
    ) throws(GrammarError) {
        if next.passed.contains(where: { $0 == (address, stack) }) { return }
        next.passed.append((address, stack))
        open.append((address, stack))
    }

    /// Takes a byte in.
    ///
    /// - Parameters:
    ///   - text: what stands before the token; `tried` is what of the token has been read.
    /// - Returns: no way where the byte may not follow.
    func step(
        _ threads: [RuleThread], _ byte: UInt8, _ text: RuleText, tried: [UInt8], isTrial: Bool
    ) throws(GrammarError) -> [RuleThread] {
        var next = Following()
        var words: [Word] = []
        let place = text.count + tried.count + 1
        for thread in threads {
            switch program.instructions[Int(thread.address)] {
            case .terminal(let terminal, let following):
                try stepWord(thread, terminal, byte, following, &words, &next)
            case .byte(let set, let following):
                if set.contains(byte) { try add(following, thread.stack, at: place, to: &next) }
            case .value(let schema, let following):
                var read = text.read(thread)
                (read.tried, read.isTrial) = (tried, isTrial)
                var own = thread
                let machine = program.schemas[schema]
                guard try keepsGuard(&own, byte) else { continue }
                guard try machine.step(&own.value, byte, read) else { continue }
                if own.value.phase != .done { next.add(own) }
                if machine.canEnd(own.value) { try add(following, thread.stack, at: place, to: &next) }
            case .pattern(let number, let following):
                let automaton = program.automata[number]
                var own = thread
                switch own.decoder.next(byte, isEscaped: false) {
                case .partial(let range):
                    let edges = automaton.edges(of: own.position)
                    if edges.contains(where: { $0.first <= range.upperBound && $0.last >= range.lowerBound }) {
                        next.add(own)
                    }
                case .scalar(let scalar):
                    own.position = automaton.next(own.position, scalar)
                    guard own.position >= 0 else { continue }
                    if !automaton.edges(of: own.position).isEmpty { next.add(own) }
                    if automaton.accepts[Int(own.position)] {
                        try add(following, thread.stack, at: place, to: &next)
                    }
                default: continue
                }
            case .through(let table):
                var own = thread
                switch own.decoder.next(byte, isEscaped: false) {
                case .partial, .scalar: break
                default: continue
                }
                try stepMark(own, byte, program.marks[table], place, &next)
            case .free(let table): try stepMark(thread, byte, program.marks[table], place, &next)
            default: continue
            }
        }
        if program.terminals.isEmpty { return next.threads }
        var result = try begun(next.threads, Lexer.noGuard)
        for word in words {
            var behind = Following()
            for (address, stack) in word.places { try add(address, stack, at: place, to: &behind) }
            let own = try lexer.guard(word.ownGuard, and: word.state)
            for thread in try begun(behind.threads, own) where !result.contains(thread) { result.append(thread) }
        }
        guard result.count <= Self.threadLimit else { throw Self.tooManyWays }
        return result
    }

    private func stepMark(
        _ thread: RuleThread, _ byte: UInt8, _ table: MarkTable, _ place: Int, _ next: inout Following
    ) throws(GrammarError) {
        var own = thread
        own.position = table.next(own.position, byte)
        let target = table.target(own.position)
        if target >= 0 { try add(target, thread.stack, at: place, to: &next) } else { next.add(own) }
    }

    private static let tooManyWays = GrammarError(
        .tooComplex, "the grammar is followed in more than \(threadLimit) ways at once")

    /// Takes a control token in.
    func step(_ threads: [RuleThread], token: Int32, _ text: RuleText) throws(GrammarError) -> [RuleThread] {
        var next = Following()
        for thread in threads {
            switch program.instructions[Int(thread.address)] {
            case .token(token, let following): try add(following, thread.stack, at: text.count, to: &next)
            case .through(let table) where thread.decoder.isAtStart:
                if let target = program.marks[table].tokens[token] {
                    try add(target, thread.stack, at: text.count, to: &next)
                }
            case .free(let table):
                if let target = program.marks[table].tokens[token] {
                    try add(target, thread.stack, at: text.count, to: &next)
                } else {
                    next.add(RuleThread(address: thread.address, stack: thread.stack))
                }
            default: continue
            }
        }
        return try begun(next.threads, Lexer.noGuard)
    }

    /// Whether the text is whole.
    func canEnd(_ threads: [RuleThread]) -> Bool {
        threads.contains { thread in
            switch program.instructions[Int(thread.address)] {
            case .accept, .free: true
            default: false
            }
        }
    }

    /// Whether the text is whole, and nothing may follow.
    func isDone(_ threads: [RuleThread]) -> Bool {
        threads.allSatisfy { if case .accept = program.instructions[Int($0.address)] { true } else { false } }
    }
}
