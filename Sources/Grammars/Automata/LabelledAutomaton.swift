/// Several automata walked as one, which says of each text by which of them it is accepted.
struct LabelledAutomaton: Sendable {
    let automaton: ScalarAutomaton
    /// By state, the labels of those that accept; 0 where none does.
    let labels: [UInt64]
    /// Whether every text is a beginning of an accepted one, and whether each is accepted under all labels.
    let isTotal: Bool
    let isUniversal: Bool

    /// - Throws: `GrammarError.tooComplex`.
    init(_ parts: [(automaton: ScalarAutomaton, label: UInt64)]) throws(GrammarError) {
        let parts = parts.filter { !$0.automaton.isEmpty }
        if parts.count == 1 {
            automaton = parts[0].automaton
            labels = automaton.accepts.map { $0 ? parts[0].label : 0 }
        } else {
            (automaton, labels) = try Self.union(parts)
        }
        isTotal = automaton.isTotal
        let first = labels.first ?? 0
        isUniversal = automaton.isTotal && first != 0 && labels.allSatisfy { $0 == first }
    }

    /// The texts with just this label.
    func automaton(of label: UInt64) -> ScalarAutomaton {
        ScalarAutomaton(
            states: labels.indices.map { (Array(automaton.edges(of: Int32($0))), labels[$0] == label) })
    }

    private static func union(
        _ parts: [(automaton: ScalarAutomaton, label: UInt64)]
    ) throws(GrammarError) -> (ScalarAutomaton, [UInt64]) {
        var numbers: [[Int32]: Int32] = [:]
        var order: [[Int32]] = []
        func number(_ tuple: [Int32]) -> Int32 {
            if let known = numbers[tuple] { return known }
            numbers[tuple] = Int32(order.count)
            order.append(tuple)
            return Int32(order.count - 1)
        }
        if !parts.isEmpty { _ = number(parts.map { _ in 0 }) }
        var states: [(edges: [ScalarAutomaton.Edge], accepts: Bool)] = []
        var labels: [UInt64] = []
        while states.count < order.count {
            guard order.count <= ScalarAutomaton.stateLimit else { throw ScalarAutomaton.tooManyStates }
            let tuple = order[states.count]
            var cuts = Set<UInt32>()
            for (part, state) in zip(parts, tuple) where state >= 0 {
                for edge in part.automaton.edges(of: state) {
                    cuts.insert(edge.first)
                    cuts.insert(edge.last + 1)
                }
            }
            let bounds = cuts.sorted()
            var edges: [ScalarAutomaton.Edge] = []
            for (first, behind) in zip(bounds, bounds.dropFirst()) {
                let target = zip(parts, tuple).map { $1 < 0 ? -1 : $0.automaton.next($1, first) }
                if target.contains(where: { $0 >= 0 }) {
                    edges.append(.init(first: first, last: behind - 1, target: number(target)))
                }
            }
            let label = zip(parts, tuple).reduce(UInt64(0)) { label, pair in
                pair.1 >= 0 && pair.0.automaton.accepts[Int(pair.1)] ? label | pair.0.label : label
            }
            labels.append(label)
            states.append((edges, label != 0))
        }
        var kept: [Int] = []
        let automaton = ScalarAutomaton(states: states, kept: &kept)
        return (automaton, kept.map { labels[$0] })
    }
}
