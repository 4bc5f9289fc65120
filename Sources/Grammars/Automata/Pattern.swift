/// A regular expression of ECMA-262 (clause 22.2, with the flag u), as far as it is a regular language.
indirect enum Pattern: Sendable, Hashable {
    case empty
    case scalars(ScalarSet)
    case sequence([Pattern])
    case choice([Pattern])
    /// At least `min` times, and at most `max`; nil for any number.
    case repeated(Pattern, min: Int, max: Int?)
    /// The same, of which the fewest are tried first. That tells only where one of several matches is taken: ``firstMatch()``.
    case reluctant(Pattern, min: Int, max: Int?)
    case start
    case end
    case lookahead(Pattern, isNegative: Bool)

    /// The automaton of the texts in which the pattern is found.
    ///
    /// - Parameter isWhole: whether the whole text must be what the pattern describes.
    /// - Throws: `GrammarError`: `.unsupported` for a look-ahead that does not stand at the beginning, `.tooComplex`.
    func automaton(isWhole: Bool = false) throws(GrammarError) -> ScalarAutomaton {
        var work = PatternCompiler.workLimit
        return try automaton(isWhole: isWhole, work: &work)
    }

    /// - Parameter work: states of intermediate automata that may still be looked at.
    func automaton(isWhole: Bool = false, work: inout Int) throws(GrammarError) -> ScalarAutomaton {
        let (aheads, rest, isAnchored) = leadingLookaheads()
        if aheads.isEmpty { return try PatternCompiler.automaton(of: self, isWhole: isWhole, work: &work) }
        guard isAnchored || isWhole else {
            throw GrammarError(.unsupported, "a look-ahead stands elsewhere than behind ^, which is not supported")
        }
        var automaton = try PatternCompiler.automaton(of: .sequence([.start, rest]), isWhole: isWhole, work: &work)
        for (pattern, isNegative) in aheads {
            let own = try PatternCompiler.automaton(of: .sequence([.start, pattern]), isWhole: false, work: &work)
            automaton = try isNegative ? automaton.subtracting(own) : automaton.intersection(own)
        }
        return automaton.minimized()
    }

    /// Look-aheads at the beginning of the text, what follows them, and whether ^ stands before.
    private func leadingLookaheads() -> (aheads: [(Pattern, Bool)], rest: Pattern, isAnchored: Bool) {
        guard case .sequence(let parts) = self else {
            if case .lookahead(let pattern, let isNegative) = self { return ([(pattern, isNegative)], .empty, false) }
            return ([], self, false)
        }
        var aheads: [(Pattern, Bool)] = []
        var isAnchored = false
        for (index, part) in parts.enumerated() {
            switch part {
            case .start: isAnchored = true
            case .lookahead(let pattern, let isNegative): aheads.append((pattern, isNegative))
            default: return (aheads, .sequence(Array(parts[index...])), isAnchored)
            }
        }
        return (aheads, .empty, isAnchored)
    }
}

/// Thompson's construction (1968), then the subset construction. ^ and $ are edges that only the text's ends let through.
struct PatternCompiler {
    /// States of the intermediate automaton, at most.
    private static let limit = 200_000

    /// States of it that those of the automaton stand for, all together, at most.
    static let workLimit = 400_000

    private enum Edge {
        case free(Int)
        case atStart(Int)
        case atEnd(Int)
        case scalars(ScalarSet, Int)
    }

    private var states: [[Edge]] = []

    static func automaton(
        of pattern: Pattern, isWhole: Bool, work: inout Int
    ) throws(GrammarError) -> ScalarAutomaton {
        var compiler = PatternCompiler()
        let (first, last) = (try compiler.state(), try compiler.state())
        if isWhole {
            try compiler.add(pattern, from: first, to: last)
            return try compiler.determinized(from: first, to: last, &work)
        }
        // Anything may stand before and behind.
        let (before, behind) = (try compiler.state(), try compiler.state())
        compiler.states[before] = [.scalars(.all, before), .free(first)]
        compiler.states[behind] = [.scalars(.all, behind)]
        try compiler.add(pattern, from: first, to: last)
        compiler.states[last].append(.free(behind))
        return try compiler.determinized(from: before, to: behind, &work)
    }

    private mutating func state() throws(GrammarError) -> Int {
        guard states.count < Self.limit else { throw GrammarError(.tooComplex, "a pattern repeats too much") }
        states.append([])
        return states.count - 1
    }

    private mutating func add(_ pattern: Pattern, from first: Int, to last: Int) throws(GrammarError) {
        switch pattern {
        case .empty: states[first].append(.free(last))
        case .scalars(let set): if !set.ranges.isEmpty { states[first].append(.scalars(set, last)) }
        case .start: states[first].append(.atStart(last))
        case .end: states[first].append(.atEnd(last))
        case .sequence(let parts):
            var here = first
            for part in parts {
                let next = try state()
                try add(part, from: here, to: next)
                here = next
            }
            states[here].append(.free(last))
        case .choice(let parts):
            for part in parts {
                let (own, end) = (try state(), try state())
                states[first].append(.free(own))
                try add(part, from: own, to: end)
                states[end].append(.free(last))
            }
        case .repeated(let part, let min, let max), .reluctant(let part, let min, let max):
            var here = first
            for _ in 0..<min {
                let next = try state()
                try add(part, from: here, to: next)
                here = next
            }
            guard let max else {
                let (own, end) = (try state(), try state())
                states[here].append(.free(own))
                try add(part, from: own, to: end)
                states[end].append(.free(own))
                states[own].append(.free(last))
                return
            }
            for _ in min..<Swift.max(min, max) {
                states[here].append(.free(last))
                let next = try state()
                try add(part, from: here, to: next)
                here = next
            }
            states[here].append(.free(last))
        case .lookahead:
            throw GrammarError(.unsupported, "a look-ahead stands elsewhere than behind ^, which is not supported")
        }
    }

    /// All states that can be reached without a scalar.
    private func closure(_ start: [Int], isStart: Bool, isEnd: Bool) -> [Int] {
        var seen = Set(start)
        var open = start
        while let state = open.popLast() {
            for edge in states[state] {
                let target: Int
                switch edge {
                case .free(let next): target = next
                case .atStart(let next) where isStart: target = next
                case .atEnd(let next) where isEnd: target = next
                default: continue
                }
                if seen.insert(target).inserted { open.append(target) }
            }
        }
        return seen.sorted()
    }

    private func determinized(
        from first: Int, to last: Int, _ work: inout Int
    ) throws(GrammarError) -> ScalarAutomaton {
        var numbers: [[Int]: Int32] = [:]
        var order: [[Int]] = []
        var result: [(edges: [ScalarAutomaton.Edge], accepts: Bool)] = []
        let begin = closure([first], isStart: true, isEnd: false)
        // The text's beginning is a state of its own: nothing comes back to it.
        order.append(begin)
        while result.count < order.count {
            let isStart = result.isEmpty
            let own = order[result.count]
            work -= own.count
            guard order.count <= ScalarAutomaton.stateLimit, work >= 0 else {
                throw ScalarAutomaton.tooManyStates
            }
            var moves: [(range: ClosedRange<UInt32>, target: Int)] = []
            for state in own {
                for case .scalars(let set, let target) in states[state] {
                    moves += set.ranges.map { ($0, target) }
                }
            }
            var cuts = Set<UInt32>()
            for move in moves {
                cuts.insert(move.range.lowerBound)
                cuts.insert(move.range.upperBound + 1)
            }
            let bounds = cuts.sorted()
            moves.sort { $0.range.lowerBound < $1.range.lowerBound }
            var edges: [ScalarAutomaton.Edge] = []
            var memo: [[Int]: Int32] = [:]
            for (low, high) in zip(bounds, bounds.dropFirst()) {
                let targets = Set(
                    moves.lazy.prefix { $0.range.lowerBound <= low }.filter { $0.range.upperBound >= low }
                        .map(\.target)
                ).sorted()
                if targets.isEmpty { continue }
                let number: Int32
                if let known = memo[targets] {
                    number = known
                } else {
                    let closed = closure(targets, isStart: false, isEnd: false)
                    if let known = numbers[closed] {
                        number = known
                    } else {
                        number = Int32(order.count)
                        numbers[closed] = number
                        order.append(closed)
                    }
                    memo[targets] = number
                }
                edges.append(.init(first: low, last: high - 1, target: number))
            }
            let ends = closure(own, isStart: isStart, isEnd: true)
            result.append((edges, ends.contains(last)))
        }
        return ScalarAutomaton(states: result).minimized()
    }
}
