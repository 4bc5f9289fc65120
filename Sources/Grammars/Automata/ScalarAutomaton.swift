/// A deterministic automaton over Unicode scalars, of which every state can still reach an accepting one: what has a state
/// can be completed.
package struct ScalarAutomaton: Sendable, Hashable {
    /// From one state to another by any scalar of a range.
    struct Edge: Sendable, Hashable {
        var first: UInt32
        var last: UInt32
        var target: Int32
    }

    /// A state has a number from 0; the first is the start. `nil` is where no word goes on.
    typealias State = Int32

    /// States of one automaton, at most.
    static let stateLimit = 20_000

    /// Where the edges of each state begin, and one more.
    private(set) var offsets: [Int32]
    /// By state, then by scalar; ranges of one state do not overlap.
    private(set) var edges: [Edge]
    private(set) var accepts: [Bool]

    var stateCount: Int { accepts.count }
    /// Whether it accepts no word.
    var isEmpty: Bool { accepts.isEmpty }

    /// The language without words.
    static let none = ScalarAutomaton(offsets: [0], edges: [], accepts: [])
    /// All texts.
    static let all = ScalarAutomaton(
        offsets: [0, 2],
        edges: [Edge(first: 0, last: 0xD7FF, target: 0), Edge(first: 0xE000, last: 0x10FFFF, target: 0)],
        accepts: [true])

    private init(offsets: [Int32], edges: [Edge], accepts: [Bool]) {
        (self.offsets, self.edges, self.accepts) = (offsets, edges, accepts)
    }

    /// Leaves out states that the start does not reach or that reach no end.
    ///
    /// - Parameter states: edges of each state, sorted, with targets among them; −1 for a target that is none.
    init(states: [(edges: [Edge], accepts: Bool)]) {
        var kept: [Int] = []
        self.init(states: states, kept: &kept)
    }

    /// - Parameter kept: set to the number that each state had among `states`.
    init(states: [(edges: [Edge], accepts: Bool)], kept: inout [Int]) {
        var sources = [[Int32]](repeating: [], count: states.count)
        for (index, state) in states.enumerated() {
            for edge in state.edges where edge.target >= 0 { sources[Int(edge.target)].append(Int32(index)) }
        }
        var isLive = states.map(\.accepts)
        var open = isLive.indices.filter { isLive[$0] }
        while let state = open.popLast() {
            for source in sources[state] where !isLive[Int(source)] {
                isLive[Int(source)] = true
                open.append(Int(source))
            }
        }
        guard isLive.first == true else {
            (self, kept) = (.none, [])
            return
        }
        var numbers = [Int32](repeating: -1, count: states.count)
        var order = [0]
        numbers[0] = 0
        (offsets, edges, accepts) = ([0], [], [])
        var next = 0
        while next < order.count {
            let state = states[order[next]]
            for edge in state.edges where edge.target >= 0 && isLive[Int(edge.target)] {
                if numbers[Int(edge.target)] < 0 {
                    numbers[Int(edge.target)] = Int32(order.count)
                    order.append(Int(edge.target))
                }
                let target = numbers[Int(edge.target)]
                // Neighbours with one target are one range.
                if let last = edges.last, edges.count > Int(offsets[next]), last.target == target,
                    last.last + 1 == edge.first
                {
                    edges[edges.count - 1].last = edge.last
                } else {
                    edges.append(Edge(first: edge.first, last: edge.last, target: target))
                }
            }
            offsets.append(Int32(edges.count))
            accepts.append(state.accepts)
            next += 1
        }
        kept = order
    }

    /// Just these words.
    init(words: some Sequence<some Sequence<Unicode.Scalar>>) {
        var children: [[UInt32: Int32]] = [[:]]
        var accepts = [false]
        for word in words {
            var state = 0
            for scalar in word {
                if let next = children[state][scalar.value] {
                    state = Int(next)
                } else {
                    children[state][scalar.value] = Int32(children.count)
                    state = children.count
                    children.append([:])
                    accepts.append(false)
                }
            }
            accepts[state] = true
        }
        self.init(
            states: zip(children, accepts).map { children, accepts in
                (
                    children.sorted { $0.key < $1.key }.map { Edge(first: $0.key, last: $0.key, target: $0.value) },
                    accepts
                )
            })
    }

    /// Just this word.
    init(word: String) { self.init(words: [word.unicodeScalars]) }

    func edges(of state: State) -> ArraySlice<Edge> {
        edges[Int(offsets[Int(state)])..<Int(offsets[Int(state) + 1])]
    }

    /// - Returns: −1 where no word goes on.
    func next(_ state: State, _ scalar: UInt32) -> State {
        var (low, high) = (Int(offsets[Int(state)]), Int(offsets[Int(state) + 1]))
        while low < high {
            let middle = (low + high) / 2
            let edge = edges[middle]
            if scalar < edge.first {
                high = middle
            } else if scalar > edge.last {
                low = middle + 1
            } else {
                return edge.target
            }
        }
        return -1
    }

    func accepts(_ word: some Sequence<Unicode.Scalar>) -> Bool {
        guard !isEmpty else { return false }
        var state: State = 0
        for scalar in word {
            state = next(state, scalar.value)
            if state < 0 { return false }
        }
        return accepts[Int(state)]
    }

    /// Whether every text is a beginning of a word.
    var isTotal: Bool {
        !isEmpty
            && (0..<stateCount).allSatisfy { state in
                edges(of: State(state)).reduce(0) { $0 + Int($1.last - $1.first) + 1 } == 0x110000 - 0x800
            }
    }

    /// Whether every text is a word.
    var isUniversal: Bool { isTotal && accepts.allSatisfy { $0 } }

    /// The length of the longest word that begins at each state; `Int.max` where there is none.
    func longest() -> [Int] {
        // States on a cycle are those that remain when states without successors are taken away again and again.
        var length = [Int](repeating: 0, count: stateCount)
        var remaining = (0..<stateCount).map { edges(of: State($0)).count }
        var sources = [[Int]](repeating: [], count: stateCount)
        for state in 0..<stateCount { for edge in edges(of: State(state)) { sources[Int(edge.target)].append(state) } }
        var open = remaining.indices.filter { remaining[$0] == 0 }
        var isDone = [Bool](repeating: false, count: stateCount)
        while let state = open.popLast() {
            isDone[state] = true
            for source in sources[state] {
                length[source] = max(length[source], length[state] + 1)
                remaining[source] -= 1
                if remaining[source] == 0 { open.append(source) }
            }
        }
        return length.indices.map { isDone[$0] ? length[$0] : Int.max }
    }

    /// All words where there are no more than `limit`; else nil.
    func words(limit: Int) -> [String]? {
        guard !isEmpty else { return [] }
        guard longest()[0] < Int.max else { return nil }
        var words: [String] = []
        var open: [(state: State, word: [Unicode.Scalar])] = [(0, [])]
        while let (state, word) = open.popLast() {
            if accepts[Int(state)] {
                guard words.count < limit else { return nil }
                words.append(String(String.UnicodeScalarView(word)))
            }
            for edge in edges(of: state) {
                guard Int(edge.last - edge.first) + open.count <= 4 * limit else { return nil }
                for value in edge.first...edge.last {
                    if let scalar = Unicode.Scalar(value) { open.append((edge.target, word + [scalar])) }
                }
            }
        }
        return words
    }
}
