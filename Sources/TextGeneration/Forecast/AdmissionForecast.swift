/// When the requests of an engine will be complete, and whether another may come in: learnt from the engine's own steps.
/// Has no clock of its own; times are seconds on the caller's.
package struct AdmissionForecast: Sendable {
    private var estimate: CompletionEstimate
    private var lengths = AnswerLengths()
    /// How many sequences are worth running at a time.
    private var batch = EfficientBatch()
    /// Tokens that drafts had and brought until the last step.
    private var drafts = (proposed: 0, accepted: 0)
    /// The requests of the estimate's waiting sequences, in their order.
    private var waiting: [UInt64] = []
    private let sequenceLimit: Int
    /// The share of an answer's time that is kept back, for the case that all takes longer than it has of late.
    private static let reserve = 0.15

    package init(sequenceLimit: Int, cachePositions: Int) {
        self.sequenceLimit = sequenceLimit
        estimate = CompletionEstimate(sequenceLimit: sequenceLimit, cachePositions: cachePositions)
    }

    // MARK: What the engine tells

    /// Takes in a step.
    ///
    /// - Parameters:
    ///   - rows: of the pass, all of them.
    ///   - duration: from the end of the step before it, if the engine was not idle.
    ///   - decoding: sequences that decode.
    /// - Returns: false for an outlier, which says nothing of other steps.
    package mutating func record(
        rows: Int, duration: Duration, decoding: Int, statistics: EngineCore.Statistics
    ) -> Bool {
        let isTypical = estimate.cost.record(rows: rows, duration: duration)
        if isTypical { batch.record(rows: rows, duration: duration) }
        estimate.cost.recordDrafts(
            statistics.draftedTokens - drafts.proposed, accepted: statistics.acceptedTokens - drafts.accepted,
            sequences: decoding)
        drafts = (statistics.draftedTokens, statistics.acceptedTokens)
        return isTypical
    }

    /// Takes in an answer that has ended.
    ///
    /// - Parameter wasCut: whether it ended because no more tokens were allowed.
    package mutating func record(answer tokens: Int, wasCut: Bool) { lengths.record(tokens: tokens, wasCut: wasCut) }

    /// Takes in where all sequences stand.
    ///
    /// - Parameters:
    ///   - groups: passes under way at a time, of a model that is cut.
    ///   - target: when a request is meant to be complete; infinite for no deadline.
    package mutating func update(
        _ standings: (running: [EngineCore.Standing], waiting: [EngineCore.Standing]), groups: Int,
        target: (UInt64) -> Double
    ) {
        estimate.groups = groups
        // Sequences that show tokens as they come run in any case, and some of the others too.
        let rows = batch.rows(limit: sequenceLimit), others = standings.running.count { !$0.isPatient }
        estimate.patientLimit = max(rows / 4, rows * groups - others)
        estimate.running = standings.running.map { sequence($0, target) }
        estimate.waiting = standings.waiting.map { sequence($0, target) }
        waiting = standings.waiting.map(\.request)
    }

    private func sequence(
        _ standing: EngineCore.Standing, _ target: (UInt64) -> Double
    ) -> CompletionEstimate.Sequence {
        let answer =
            standing.hasKnownLength
            ? standing.allowed : lengths.remaining(generated: standing.generated, allowed: standing.allowed)
        return CompletionEstimate.Sequence(
            prompt: standing.prompt, answer: answer, positions: standing.positions + answer,
            deadline: target(standing.request), isPatient: standing.isPatient)
    }

    // MARK: What it foretells

    /// Sequences of patient callers that should run together, at most.
    package var patientLimit: Int { estimate.patientLimit }

    /// Tokens that answers have had of late; nil before any has ended.
    package var expectedAnswer: Int? { lengths.mean }

    /// Seconds until a newcomer's turn comes; nil where nobody waits.
    package var wait: Double? { estimate.wait }

    /// The waiting requests that would be complete only after their deadline.
    package func late(now: Double, deadline: (UInt64) -> Double) -> [UInt64] {
        guard estimate.cost.isKnown else { return [] }
        let ends = estimate.ends().dropFirst(estimate.running.count)
        return zip(waiting, ends).filter { now + $1 > deadline($0) }.map(\.0)
    }

    /// When an answer is meant to be complete that is begun now.
    ///
    /// - Parameter isLetIn: whether it runs already; then others that are let in after it may take half of the reserve.
    package static func target(deadline: Double, now: Double, isLetIn: Bool) -> Double {
        guard deadline.isFinite else { return deadline }
        return deadline - max(0, deadline - now) * (isLetIn ? reserve / 2 : reserve)
    }

    /// What a request adds to the engine's work.
    package func sequences(of request: GenerationRequest, target: Double) -> [CompletionEstimate.Sequence] {
        let resumed = Dictionary(request.resume.map { ($0.choice, $0) }) { $1 }
        return (0..<request.n).filter { resumed[$0]?.isFinished != true }.enumerated().map { number, choice in
            let generated = resumed[choice]?.ids.count ?? 0
            let allowed = max(0, request.maxTokens - generated)
            let answer = request.hasKnownLength ? allowed : lengths.remaining(generated: generated, allowed: allowed)
            // Further choices share the prompt's pages.
            let own = number == 0 ? request.prompt.count : 1
            return CompletionEstimate.Sequence(
                prompt: own + generated, answer: answer, positions: own + generated + answer, deadline: target,
                isPatient: request.isPatient)
        }
    }

    /// Seconds after which newcomers may try again, if they are not to be let in now; nil if they are.
    ///
    /// - Parameter offered: sequences that were let in and that the engine has not told of yet, in order.
    package func refusal(
        of newcomers: [CompletionEstimate.Sequence], offered: [CompletionEstimate.Sequence], now: Double
    ) -> Double? {
        var estimate = estimate
        estimate.waiting += offered
        return estimate.refusal(of: newcomers, now: now)
    }
}
