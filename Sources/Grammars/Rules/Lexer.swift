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
        let hope = Hope(state: state, terminal: terminal, own: own)
        if let known = hopes[hope] { return known }
        let result = try search(from: [(state, own)], terminal)
        if hopes.count > Self.limit { hopes.removeAll(keepingCapacity: true) }
        hopes[hope] = result
        return result
    }

    /// The same behind one of a range of characters.
    mutating func canEnd(
        _ state: State, _ terminal: Int32, _ own: Guard, behind range: ClosedRange<UInt32>
    ) throws(GrammarError) -> Bool {
        let next = try following(state, terminal, own, within: range)
        if next.contains(where: { ends($0.state).contains(terminal) }) { return true }
        return try search(from: next, terminal)
    }

    private mutating func search(
        from start: [(state: State, own: Guard)], _ terminal: Int32
    ) throws(GrammarError) -> Bool {
        var seen = Set(start.map { Hope(state: $0.state, terminal: terminal, own: $0.own) })
        var open = start
        var position = 0
        while position < open.count {
            // What takes so long to find out is taken for possible.
            if seen.count > Self.searchLimit { return true }
            let (state, own) = open[position]
            position += 1
            for next in try following(state, terminal, own, within: 0...0x10FFFF) {
                if ends(next.state).contains(terminal) { return true }
                if seen.insert(Hope(state: next.state, terminal: terminal, own: next.own)).inserted {
                    open.append(next)
                }
            }
        }
        return false
    }

    /// The states behind one character with which a terminal's word goes on, each once.
    private mutating func following(
        _ state: State, _ terminal: Int32, _ own: Guard, within range: ClosedRange<UInt32>
    ) throws(GrammarError) -> [(state: State, own: Guard)] {
        guard let part = states[state].parts.first(where: { $0.terminal == terminal }) else { return [] }
        var cuts = Set<UInt32>()
        for part in states[state].parts + guards[own].flatMap({ states[$0].parts }) {
            for edge in terminals[Int(part.terminal)].automaton.edges(of: part.state) {
                cuts.insert(edge.first)
                cuts.insert(edge.last + 1)
            }
        }
        let automaton = terminals[Int(terminal)].automaton
        var found: [(state: State, own: Guard)] = []
        var seen = Set<Hope>()
        for scalar in Set(cuts.filter { range.contains($0) } + [range.lowerBound]).sorted() {
            guard automaton.next(part.state, scalar) >= 0, let left = try next(guard: own, scalar) else { continue }
            let target = try next(state, scalar)
            if target >= 0, seen.insert(Hope(state: target, terminal: terminal, own: left)).inserted {
                found.append((target, left))
            }
        }
        return found
    }
}
