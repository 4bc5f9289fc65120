// The Boolean operations, by walking two automata side by side.

extension ScalarAutomaton {
    /// - Throws: `GrammarError.tooComplex` beyond ``stateLimit``.
    func intersection(_ other: ScalarAutomaton) throws(GrammarError) -> ScalarAutomaton {
        if isUniversal { return other }
        if other.isUniversal { return self }
        return try product(other, walksAlone: false) { $0 && $1 }
    }

    func union(_ other: ScalarAutomaton) throws(GrammarError) -> ScalarAutomaton {
        if isEmpty { return other }
        if other.isEmpty { return self }
        if isUniversal || other.isUniversal { return .all }
        return try product(other, walksAlone: true) { $0 || $1 }.minimized()
    }

    /// What is not a word of it.
    func complement() throws(GrammarError) -> ScalarAutomaton {
        if isEmpty { return .all }
        return try ScalarAutomaton.all.product(self, walksAlone: true) { $0 && !$1 }
    }

    func subtracting(_ other: ScalarAutomaton) throws(GrammarError) -> ScalarAutomaton {
        if other.isEmpty { return self }
        return try product(other, walksAlone: true) { $0 && !$1 }
    }

    /// - Parameter walksAlone: whether a walk goes on where one of the two has no state.
    private func product(
        _ other: ScalarAutomaton, walksAlone: Bool, _ accepts: (Bool, Bool) -> Bool
    ) throws(GrammarError) -> ScalarAutomaton {
        struct Pair: Hashable { var own, other: State }
        var numbers: [Pair: State] = [:]
        var order: [Pair] = []
        func number(_ pair: Pair) -> State {
            if pair.own < 0, pair.other < 0 { return -1 }
            if !walksAlone, pair.own < 0 || pair.other < 0 { return -1 }
            if let number = numbers[pair] { return number }
            numbers[pair] = State(order.count)
            order.append(pair)
            return State(order.count - 1)
        }
        _ = number(Pair(own: isEmpty ? -1 : 0, other: other.isEmpty ? -1 : 0))
        var states: [(edges: [Edge], accepts: Bool)] = []
        while states.count < order.count {
            guard order.count <= Self.stateLimit else { throw Self.tooManyStates }
            let pair = order[states.count]
            let mine = pair.own < 0 ? [] : edges(of: pair.own)
            let theirs = pair.other < 0 ? [] : other.edges(of: pair.other)
            let edges = Self.merged(mine, theirs).compactMap { first, last, own, other -> Edge? in
                let target = number(Pair(own: own, other: other))
                return target < 0 ? nil : Edge(first: first, last: last, target: target)
            }
            states.append(
                (
                    edges,
                    accepts(
                        pair.own >= 0 && self.accepts[Int(pair.own)],
                        pair.other >= 0 && other.accepts[Int(pair.other)])
                ))
        }
        return ScalarAutomaton(states: states)
    }

    static let tooManyStates = GrammarError(.tooComplex, "a pattern takes more than \(stateLimit) states")

    /// The ranges that two lists of ranges cut each other into, with the target in each; −1 for none.
    private static func merged(
        _ a: ArraySlice<Edge>, _ b: ArraySlice<Edge>
    ) -> [(first: UInt32, last: UInt32, a: State, b: State)] {
        var result: [(first: UInt32, last: UInt32, a: State, b: State)] = []
        var (i, j) = (a.startIndex, b.startIndex)
        var position: UInt32 = 0
        while i < a.endIndex || j < b.endIndex {
            let (left, right) = (i < a.endIndex ? a[i] : nil, j < b.endIndex ? b[j] : nil)
            let start = max(position, min(left?.first ?? .max, right?.first ?? .max))
            let inLeft = left.map { $0.first <= start } ?? false
            let inRight = right.map { $0.first <= start } ?? false
            var end = UInt32.max
            if let left { end = min(end, inLeft ? left.last : left.first - 1) }
            if let right { end = min(end, inRight ? right.last : right.first - 1) }
            result.append((start, end, inLeft ? left?.target ?? -1 : -1, inRight ? right?.target ?? -1 : -1))
            position = end + 1
            if let left, left.last == end { i += 1 }
            if let right, right.last == end { j += 1 }
        }
        return result
    }

    /// States that are told apart by more than this many rounds of looking are left as they are.
    private static let roundLimit = 32

    /// An automaton of the same language with fewer states: the smallest (Moore 1956), unless that takes too long to find;
    /// then one in which no two states have the same edges.
    func minimized() -> ScalarAutomaton {
        if let classes = equivalences() { return merged(classes) }
        var own = self
        while true {
            let next = own.merged(own.duplicates())
            if next.stateCount == own.stateCount { return own }
            own = next
        }
    }

    private struct Signature: Hashable {
        var own: Int32
        var edges: [Edge]
    }

    /// A state's edges by the classes that they lead to.
    private func signature(_ state: Int, _ own: Int32, _ classes: [Int32]) -> Signature {
        var all: [Edge] = []
        for edge in edges(of: State(state)) {
            let target = classes[Int(edge.target)]
            if let last = all.last, last.target == target, last.last + 1 == edge.first {
                all[all.count - 1].last = edge.last
            } else {
                all.append(Edge(first: edge.first, last: edge.last, target: target))
            }
        }
        return Signature(own: own, edges: all)
    }

    /// By state, the class of those that no word tells from it; nil beyond ``roundLimit``.
    private func equivalences() -> [Int32]? {
        var classes = accepts.map { Int32($0 ? 1 : 0) }
        var count = Set(classes).count
        for _ in 0..<Self.roundLimit {
            var numbers: [Signature: Int32] = [:]
            var next = classes
            for state in 0..<stateCount {
                let signature = signature(state, classes[state], classes)
                let number = numbers[signature] ?? Int32(numbers.count)
                numbers[signature] = number
                next[state] = number
            }
            classes = next
            if numbers.count == count { return classes }
            count = numbers.count
        }
        return nil
    }

    /// By state, the class of those with the same edges; from the last state on, so that ends are known to be the same before
    /// what leads to them.
    private func duplicates() -> [Int32] {
        var classes = (0..<stateCount).map { Int32($0) }
        var numbers: [Signature: Int32] = [:]
        for state in (0..<stateCount).reversed() {
            let signature = signature(state, accepts[state] ? 1 : 0, classes)
            let number = numbers[signature] ?? Int32(state)
            numbers[signature] = number
            classes[state] = number
        }
        var places: [Int32: Int32] = [:]
        return classes.map { number in
            let place = places[number] ?? Int32(places.count)
            places[number] = place
            return place
        }
    }

    /// One state for each class.
    private func merged(_ classes: [Int32]) -> ScalarAutomaton {
        let count = (classes.max() ?? -1) + 1
        if count == stateCount { return self }
        var firsts = [Int](repeating: -1, count: Int(count))
        for state in (0..<stateCount).reversed() { firsts[Int(classes[state])] = state }
        // The start stays the first.
        let order = [Int(classes[0])] + (0..<Int(count)).filter { $0 != Int(classes[0]) }
        var places = [Int32](repeating: 0, count: Int(count))
        for (place, number) in order.enumerated() { places[number] = Int32(place) }
        return ScalarAutomaton(
            states: order.map { number in
                (
                    edges(of: State(firsts[number])).map {
                        Edge(first: $0.first, last: $0.last, target: places[Int(classes[Int($0.target)])])
                    }, accepts[firsts[number]]
                )
            })
    }

    /// The words that begin with no other word.
    func withoutLongerWords() -> ScalarAutomaton {
        ScalarAutomaton(
            states: (0..<stateCount).map { state in
                (accepts[state] ? [] : Array(edges(of: State(state))), accepts[state])
            })
    }

    /// The words but the empty one.
    func withoutEmptyWord() -> ScalarAutomaton {
        // The beginning is a state of its own, to which nothing comes back.
        ScalarAutomaton(
            states: [(edges(of: 0).map { Edge(first: $0.first, last: $0.last, target: $0.target + 1) }, false)]
                + (0..<stateCount).map { state in
                    (
                        edges(of: State(state)).map { Edge(first: $0.first, last: $0.last, target: $0.target + 1) },
                        accepts[state]
                    )
                })
    }
}
