/// When sequences end that share an engine. All that run gain a token a step, and a step is the longer the more of them
/// there are; the others wait their turn, those of patient callers until few enough such run. Has no clock of its own.
///
/// A newcomer is let in when it ends in time *and* all others still do: where sequences share the time, each that is let
/// in slows those that run, long before the batch is full.
package struct CompletionEstimate: Sendable {
    package struct Sequence: Sendable {
        /// Rows to be computed before its next token.
        package var prompt: Int
        /// Tokens that it will still have.
        package var answer: Int
        /// Positions that it will have in the cache.
        package var positions: Int
        /// In seconds of the caller's clock; infinite for none.
        package var deadline: Double
        package var isPatient: Bool

        package init(
            prompt: Int, answer: Int, positions: Int, deadline: Double = .infinity, isPatient: Bool = false
        ) {
            (self.prompt, self.answer, self.positions, self.deadline) = (prompt, answer, positions, deadline)
            self.isPatient = isPatient
        }
    }

    package var cost = StepCost()
    /// Passes under way at a time, of a model that is cut.
    package var groups = 1
    package var running: [Sequence] = []
    /// In order of turn.
    package var waiting: [Sequence] = []
    /// Sequences of patient callers that run together, at most; at least one.
    package var patientLimit = Int.max
    private let sequenceLimit: Int
    private let cachePositions: Int
    /// More time than it has been of late: steps grow longer as answers do, and others want the processor too; and an
    /// answer that comes too late is work for nothing.
    private static let caution = 1.15

    package init(sequenceLimit: Int, cachePositions: Int) {
        (self.sequenceLimit, self.cachePositions) = (sequenceLimit, cachePositions)
    }

    /// Seconds from now to the end of each: those that run, those that wait, the newcomers.
    package func ends(with newcomers: [Sequence] = []) -> [Double] {
        let all = running + waiting + newcomers
        let perRow = cost.secondsPerRow
        var ends = Array(repeating: 0.0, count: all.count)
        // Progress in tokens at which each that runs ends, the next one last.
        var active: [(end: Double, index: Int)] = []
        var (time, progress) = (0.0, 0.0)
        var used = running.reduce(0) { $0 + $1.positions }
        // What runs fits, however much it shares.
        let room = max(cachePositions, used)
        var patients = 0
        func start(_ index: Int) {
            let entry = all[index]
            if entry.isPatient { patients += 1 }
            time += Double(entry.prompt) * perRow
            let end = progress + Double(entry.answer)
            var (low, high) = (0, active.count)
            while low < high {
                let middle = (low + high) / 2
                if active[middle].end > end { low = middle + 1 } else { high = middle }
            }
            active.insert((end, index), at: low)
        }
        for index in running.indices { start(index) }
        let turns = running.count..<all.count
        // The last is next.
        var patient = turns.reversed().filter { all[$0].isPatient }
        var others = turns.reversed().filter { !all[$0].isPatient }
        var next: Int? {
            let first = patients < patientLimit ? patient.last : nil
            return first.map { min($0, others.last ?? $0) } ?? others.last
        }
        while true {
            while let index = next, active.count < sequenceLimit, active.isEmpty || used + all[index].positions <= room
            {
                used += all[index].positions
                if all[index].isPatient { patient.removeLast() } else { others.removeLast() }
                start(index)
            }
            guard let first = active.popLast() else { break }
            if all[first.index].isPatient { patients -= 1 }
            time +=
                (first.end - progress) * cost.secondsPerToken(sequences: active.count + 1, groups: groups)
            progress = first.end
            used -= all[first.index].positions
            ends[first.index] = time
        }
        return ends
    }

    /// Seconds after which newcomers may try again, if they are not to be let in now; nil if they are. An engine with nothing
    /// to do takes whatever comes: what it expects may be wrong, and only work can tell.
    ///
    /// - Parameter now: on the clock of the deadlines.
    package func refusal(of newcomers: [Sequence], now: Double) -> Double? {
        guard cost.isKnown else { return nil }
        let others = running + waiting
        guard !others.isEmpty else { return nil }
        let ends = ends(with: newcomers)
        let overdue =
            zip(newcomers, ends.dropFirst(others.count))
            .map { newcomer, end in end * Self.caution - (newcomer.deadline - now) }.max() ?? 0
        if overdue > 0 { return overdue }
        func isLate(_ index: Int, _ ends: [Double]) -> Bool { ends[index] > others[index].deadline - now }
        guard others.indices.contains(where: { isLate($0, ends) }) else { return nil }
        // One that is late in any case holds nobody up.
        let without = self.ends()
        let suffers = others.indices.contains { isLate($0, ends) && !isLate($0, without) }
        return suffers ? without.min() ?? 0 : nil
    }

    /// Seconds until a newcomer's turn comes; nil where nobody waits.
    package var wait: Double? {
        guard cost.isKnown, !waiting.isEmpty else { return nil }
        return ends(with: [Sequence(prompt: 0, answer: 0, positions: 1)]).last
    }
}
