/// Finds words of terminals as a lexer does: all terminals that may begin at a place are read at once, and the longest word is
/// taken. While it could still become longer, what follows the shorter one is a guess that the longer one disproves.
///
/// A state is what can still become a word; a *guard* is a set of states in which none may end, as a guess has it.
struct Lexer {
    typealias State = Int32
    typealias Guard = Int32

    static let noGuard: Guard = 0

    private struct Part: Hashable {
        var terminal: Int32
        var state: Int32
    }

    private struct Rivals: Hashable {
        /// Those that began at the place; what another place began is another reading of the text.
        var start: Int32
        /// Those of which a word can still go on or end.
        var parts: [Part]
    }

    /// States and guards that may be found out, all together.
    private static let limit = 200_000
    /// States that a search for a way to a word's end looks at.
    private static let searchLimit = 4_000

    private let terminals: [GrammarExpression.Terminal]
    private var starts = Interner<[Int32]>()
    private var states = Interner<Rivals>()
    private var guards = Interner<[State]>([])
    /// By state, the terminals of which a word ends there.
    private var winners: [[Int32]] = []
    /// By state, whether a given text can still come to its end there.
    private var literals: [Bool] = []
    /// By state and ASCII character what follows; −2 for what is not known yet.
    private var ascii: [State] = []
    private struct Step: Hashable {
        var state: Int32
        var scalar: UInt32
    }
    private var others: [Step: State] = [:]
    private var guardSteps: [Step: Guard] = [:]
    private struct Hope: Hashable {
        var state: State
        var terminal: Int32
        var own: Guard
    }
    private var hopes: [Hope: Bool] = [:]
    private var firstBytes: [State: [UInt8]] = [:]

    init(_ terminals: [GrammarExpression.Terminal]) { self.terminals = terminals }

    /// How much has been found out.
    var size: Int { states.count + guards.count }

    // MARK: States

    /// Where words of these terminals begin.
    mutating func start(_ terminals: Set<Int32>) throws(GrammarError) -> State {
        let all = terminals.sorted()
        return try state(
            Rivals(start: Int32(starts.intern(all)), parts: all.map { Part(terminal: $0, state: 0) }))
    }

    private mutating func state(_ rivals: Rivals) throws(GrammarError) -> State {
        if let known = states.number(of: rivals) { return State(known) }
        guard size < Self.limit else { throw GrammarError(.tooComplex, "the grammar's terminals take too many states") }
        var ends = rivals.parts.filter { terminals[Int($0.terminal)].automaton.accepts[Int($0.state)] }.map(\.terminal)
        let literals = ends.filter { terminals[Int($0)].isLiteral }
        if !literals.isEmpty { ends = literals }
        winners.append(ends)
        self.literals.append(rivals.parts.contains { terminals[Int($0.terminal)].isLiteral })
        ascii += repeatElement(-2, count: 128)
        return State(states.intern(rivals))
    }

    /// The terminals of which a word ends in a state: those that are given texts, or else all of them.
    func ends(_ state: State) -> [Int32] { winners[Int(state)] }

    /// Whether a terminal's word can go on in a state, whatever the others do.
    func isOpen(_ state: State, _ terminal: Int32) -> Bool {
        states[state].parts.contains { $0.terminal == terminal && hasEdges($0) }
    }

    private func hasEdges(_ part: Part) -> Bool {
        !terminals[Int(part.terminal)].automaton.edges(of: part.state).isEmpty
    }

    /// - Returns: −1 where no word goes on.
    mutating func next(_ state: State, _ scalar: UInt32) throws(GrammarError) -> State {
        if scalar < 128 {
            let known = ascii[Int(state) * 128 + Int(scalar)]
            if known != -2 { return known }
        } else if let known = others[Step(state: state, scalar: scalar)] {
            return known
        }
        let parts = states[state].parts.compactMap { part -> Part? in
            let target = terminals[Int(part.terminal)].automaton.next(part.state, scalar)
            return target < 0 ? nil : Part(terminal: part.terminal, state: target)
        }
        let target = parts.isEmpty ? -1 : try self.state(Rivals(start: states[state].start, parts: parts))
        if scalar < 128 {
            ascii[Int(state) * 128 + Int(scalar)] = target
        } else {
            if others.count > Self.limit { others.removeAll(keepingCapacity: true) }
            others[Step(state: state, scalar: scalar)] = target
        }
        return target
    }

    /// Bytes that a word can go on with in a state, where no character has been begun.
    mutating func bytes(_ state: State) -> [UInt8] {
        if let known = firstBytes[state] { return known }
        var may = Set<UInt8>()
        for part in states[state].parts {
            for edge in terminals[Int(part.terminal)].automaton.edges(of: part.state) {
                for sequence in UTF8Ranges.of(edge.first...edge.last) {
                    may.formUnion(sequence.first.map(Array.init) ?? [])
                }
            }
        }
        firstBytes[state] = may.sorted()
        return may.sorted()
    }

    // MARK: Guards

    /// A guard that a word which could be longer adds to another one.
    mutating func `guard`(_ own: Guard, and state: State) throws(GrammarError) -> Guard {
        guard states[state].parts.contains(where: { hasEdges($0) }), !guards[own].contains(state) else { return own }
        return try intern((guards[own] + [state]).sorted())
    }

    private mutating func intern(_ states: [State]) throws(GrammarError) -> Guard {
        guard size < Self.limit else { throw GrammarError(.tooComplex, "the grammar's terminals take too many states") }
        return Guard(guards.intern(states))
    }

    /// - Returns: nil where a longer word has ended, so that the guess was wrong.
    mutating func next(guard own: Guard, _ scalar: UInt32) throws(GrammarError) -> Guard? {
        if own == Self.noGuard { return own }
        let step = Step(state: own, scalar: scalar)
        if let known = guardSteps[step] { return known < 0 ? nil : known }
        var left: [State] = []
        var isWrong = false
        for state in guards[own] {
            let target = try next(state, scalar)
            if target < 0 { continue }
            if !ends(target).isEmpty { isWrong = true }
            if !left.contains(target) { left.append(target) }
        }
        let result = isWrong ? -1 : try intern(left.sorted())
        if guardSteps.count > Self.limit { guardSteps.removeAll(keepingCapacity: true) }
        guardSteps[step] = result
        return isWrong ? nil : result
    }

    // MARK: Whether a word can still end

    /// Whether a state leads to a word of a terminal before a guard's guess is disproved.
    mutating func canEnd(_ state: State, _ terminal: Int32, _ own: Guard) throws(GrammarError) -> Bool {
        // Only given texts take a word from a terminal, and every state of an automaton leads to a word.
        if own == Self.noGuard, !literals[Int(state)] { return isOpen(state, terminal) }
        let hope = Hope(state: state, terminal: terminal, own: own)
        if let known = hopes[hope] { return known }
        let result = try search(hope, within: 0...0x10FFFF)
        if hopes.count > Self.limit { hopes.removeAll(keepingCapacity: true) }
        hopes[hope] = result
        return result
    }

    /// The same behind one of a range of characters.
    mutating func canEnd(
        _ state: State, _ terminal: Int32, _ own: Guard, behind range: ClosedRange<UInt32>
    ) throws(GrammarError) -> Bool {
        try search(Hope(state: state, terminal: terminal, own: own), within: range)
    }

    /// - Parameter range: of the first character.
    private mutating func search(_ start: Hope, within range: ClosedRange<UInt32>) throws(GrammarError) -> Bool {
        let automaton = terminals[Int(start.terminal)].automaton
        var seen = Set<Hope>()
        var open = [start]
        var position = 0
        while position < open.count {
            // What takes so long to find out is taken for possible.
            if seen.count > Self.searchLimit { return true }
            let (hope, range) = (open[position], position == 0 ? range : 0...0x10FFFF)
            position += 1
            guard let part = states[hope.state].parts.first(where: { $0.terminal == hope.terminal }) else { continue }
            for scalar in cuts(hope, within: range) {
                guard automaton.next(part.state, scalar) >= 0, let left = try next(guard: hope.own, scalar) else {
                    continue
                }
                let target = try next(hope.state, scalar)
                if target < 0 { continue }
                if ends(target).contains(hope.terminal) { return true }
                let next = Hope(state: target, terminal: hope.terminal, own: left)
                if seen.insert(next).inserted { open.append(next) }
            }
        }
        return false
    }

    /// Characters of which every other one of a range leads where one of them does.
    private func cuts(_ hope: Hope, within range: ClosedRange<UInt32>) -> [UInt32] {
        var cuts: Set = [range.lowerBound]
        for part in states[hope.state].parts + guards[hope.own].flatMap({ states[$0].parts }) {
            for edge in terminals[Int(part.terminal)].automaton.edges(of: part.state) {
                if range.contains(edge.first) { cuts.insert(edge.first) }
                if range.contains(edge.last + 1) { cuts.insert(edge.last + 1) }
            }
        }
        return cuts.sorted()
    }
}
