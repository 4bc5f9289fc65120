// The match that a backtracking engine finds first, as an automaton.

extension Pattern {
    /// The automaton whose longest word at the beginning of a text is what a backtracking engine (Perl's, Python's) matches
    /// there: of `a|ab` only `a`, of `".*?"` only what has no other quotation mark within.
    ///
    /// The states are lists of places in the pattern in the order in which they would be tried, cut off behind the first that
    /// ends (Cox, "Regular expression matching: the virtual machine approach", 2009).
    ///
    /// - Throws: `GrammarError`: `.unsupported` for what looks around, `.tooComplex`.
    func firstMatch() throws(GrammarError) -> ScalarAutomaton {
        var compiler = FirstMatchCompiler()
        return try compiler.automaton(of: self)
    }
}

private struct FirstMatchCompiler {
    private enum Place {
        case scalars(ScalarSet, next: Int)
        /// Tried in this order.
        case split([Int])
        case end
    }

    private static let placeLimit = 200_000
    private static let workLimit = 400_000

    private var places: [Place] = []

    mutating func automaton(of pattern: Pattern) throws(GrammarError) -> ScalarAutomaton {
        let end = try add(.end)
        let entry = try write(pattern, before: end)
        let begin = following([entry])
        var numbers = [begin: Int32(0)]
        var order = [begin]
        var work = 0
        var states: [(edges: [ScalarAutomaton.Edge], accepts: Bool)] = []
        while states.count < order.count {
            let own = order[states.count]
            work += own.count
            guard order.count <= ScalarAutomaton.stateLimit, work <= Self.workLimit else {
                throw ScalarAutomaton.tooManyStates
            }
            var edges: [ScalarAutomaton.Edge] = []
            for (range, targets) in moves(of: own) {
                let next = following(targets)
                if numbers[next] == nil {
                    numbers[next] = Int32(order.count)
                    order.append(next)
                }
                edges.append(.init(first: range.lowerBound, last: range.upperBound, target: numbers[next] ?? -1))
            }
            states.append((edges, own.last == end))
        }
        return ScalarAutomaton(states: states).minimized()
    }

    private mutating func add(_ place: Place) throws(GrammarError) -> Int {
        guard places.count < Self.placeLimit else { throw GrammarError(.tooComplex, "a pattern repeats too much") }
        places.append(place)
        return places.count - 1
    }

    /// - Returns: where the pattern begins.
    private mutating func write(_ pattern: Pattern, before next: Int) throws(GrammarError) -> Int {
        switch pattern {
        case .empty: return next
        case .scalars(let set): return try add(.scalars(set, next: next))
        case .sequence(let parts):
            var next = next
            for part in parts.reversed() { next = try write(part, before: next) }
            return next
        case .choice(let parts):
            var targets: [Int] = []
            for part in parts { targets.append(try write(part, before: next)) }
            return try add(.split(targets))
        case .repeated(let part, let min, let max):
            return try write(part, min, max, isReluctant: false, before: next)
        case .reluctant(let part, let min, let max):
            return try write(part, min, max, isReluctant: true, before: next)
        case .start, .end: throw GrammarError(.unsupported, "^ and $ are not supported here")
        case .lookahead: throw GrammarError(.unsupported, "a look-ahead is not supported here")
        }
    }

    private mutating func write(
        _ part: Pattern, _ min: Int, _ max: Int?, isReluctant: Bool, before next: Int
    ) throws(GrammarError) -> Int {
        func both(_ own: Int) -> Place { .split(isReluctant ? [next, own] : [own, next]) }
        var entry = next
        if let max {
            for _ in min..<Swift.max(min, max) { entry = try add(both(try write(part, before: entry))) }
        } else {
            entry = try add(.end)
            places[entry] = both(try write(part, before: entry))
        }
        for _ in 0..<min { entry = try write(part, before: entry) }
        return entry
    }

    /// The places that take a scalar or end, in the order of their being tried, through the first that ends.
    private func following(_ start: [Int]) -> [Int] {
        var found: [Int] = []
        var seen = Set<Int>()
        var open = Array(start.reversed())
        while let place = open.popLast() {
            guard seen.insert(place).inserted else { continue }
            switch places[place] {
            case .scalars: found.append(place)
            case .split(let targets): open += targets.reversed()
            case .end: return found + [place]
            }
        }
        return found
    }

    /// The ranges of scalars that places tell apart, and where each leads.
    private func moves(of own: [Int]) -> [(range: ClosedRange<UInt32>, targets: [Int])] {
        var cuts = Set<UInt32>()
        for case .scalars(let set, _) in own.map({ places[$0] }) {
            for range in set.ranges {
                cuts.insert(range.lowerBound)
                cuts.insert(range.upperBound + 1)
            }
        }
        let bounds = cuts.sorted()
        return zip(bounds, bounds.dropFirst()).compactMap { low, behind in
            let targets = own.compactMap { place -> Int? in
                guard case .scalars(let set, let next) = places[place], set.contains(low) else { return nil }
                return next
            }
            return targets.isEmpty ? nil : (low...behind - 1, targets)
        }
    }
}
