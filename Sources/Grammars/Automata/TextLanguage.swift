/// Texts of an automaton whose length lies within bounds, in Unicode scalars.
struct TextLanguage: Sendable, Hashable {
    /// An interned automaton's number.
    var automaton: Int
    var min = 0
    var max: Int?

    var isBounded: Bool { min > 0 || max != nil }
}

/// From which state of an automaton a word of so many scalars more is to be had.
struct WordLengths: Sendable {
    private let longest: [Int]
    /// By length, by state; empty where no upper bound asks for it, or where every state goes on for ever in one-state loops.
    private var reach: [[Bool]] = []
    private let isUniversal: Bool

    /// - Throws: `GrammarError.tooComplex`.
    init(_ automaton: ScalarAutomaton, upTo max: Int?) throws(GrammarError) {
        longest = automaton.longest()
        isUniversal = automaton.isUniversal
        guard let max, !isUniversal else { return }
        guard max * automaton.stateCount <= 20_000_000 else {
            throw GrammarError(.tooComplex, "a pattern with a \"maxLength\" of \(max) takes too much memory")
        }
        reach.append(automaton.accepts)
        for length in 1..<Swift.max(1, max + 1) {
            reach.append(
                (0..<automaton.stateCount).map { state in
                    automaton.edges(of: Int32(state)).contains { reach[length - 1][Int($0.target)] }
                })
        }
    }

    /// Whether a word of at least `low` and at most `high` scalars begins at a state.
    func has(_ state: Int32, _ low: Int, _ high: Int?) -> Bool {
        guard let high else { return longest[Int(state)] >= low }
        if high < 0 || high < low { return false }
        if isUniversal { return true }
        return (Swift.max(0, low)...high).contains { $0 < reach.count && reach[$0][Int(state)] }
    }
}
