package import Accounts
package import ContentFilter
import Foundation
package import GatewayClient
import PromptRouting

/// Makes a model better by what its users say of its answers: a round takes their ratings, trains an adapter, judges it, tries
/// it on some of them, and lets it serve or not.
///
/// Each step is written down before the next begins: a round whose process dies is gone on with by the next one.
package struct Learner: Sendable {
    package struct Options: Sendable {
        /// nil: kto; dpo where there are more corrections than a half of the ratings.
        package var method: RatedAnswers.Method?
        /// Samples without which a round is not begun.
        package var leastSamples = 40
        package var epochs: Int?
        package var batch: Int?
        package var learningRateMultiplier: Double?
        /// Of pairs of held-out answers that are ordered as users order them.
        package var leastPreference = 0.55
        /// Of the perplexity of a fixed text: 0.02 is 2 %.
        package var largestRise = 0.02
        package var fixedText = Learner.text
        /// Of users, to whom the adapter is shown.
        package var share = 0.05
        /// With which an adapter that is no better is promoted, at most.
        package var errorRate = 0.05
        /// Pairs of ratings after which an adapter that is not found to be better goes.
        package var longestCanary = 500
        package var interval: Duration = .seconds(2)

        package init() {}
    }

    private let accounts: AccountStore
    private let store: LearningStore
    private let calls: GatewayCalls
    private let filter: ContentFilter
    private let options: Options
    private let tell: @Sendable (String) -> Void

    /// - Parameter tell: is told of each step as it is made.
    package init(
        accounts: AccountStore, store: LearningStore, gateway: GatewayClient, filter: ContentFilter, _ options: Options,
        tell: @escaping @Sendable (String) -> Void
    ) {
        (self.accounts, self.store, calls) = (accounts, store, GatewayCalls(client: gateway))
        (self.filter, self.options, self.tell) = (filter, options, tell)
    }

    /// A passage of Darwin's «On the Origin of Species» (1859): what an adapter is not to unlearn.
    package static let text = """
        When we look to the individuals of the same variety or sub-variety of our older cultivated plants and animals, one of \
        the first points which strikes us, is, that they generally differ much more from each other, than do the individuals of \
        any one species or variety in a state of nature. When we reflect on the vast diversity of the plants and animals which \
        have been cultivated, and which have varied during all ages under the most different climates and treatment, I think we \
        are driven to conclude that this greater variability is simply due to our domestic productions having been raised under \
        conditions of life not so uniform as, and somewhat different from, those to which the parent-species have been exposed \
        under nature.
        """

    /// A whole round of a model, or what is left of one that another process has begun.
    ///
    /// - Throws: `LearningError`, `GatewayClientError`, `AccountsError`; the round stays open, and the next call goes on.
    package func round(of model: String) async throws -> LearningRound {
        let old = try await store.route(of: model)?.current ?? model
        var round = try await store.begin(model, old: old)
        while true {
            switch round.stage {
            case .collecting: try await collect(&round)
            case .training: try await train(&round)
            case .judging: try await judge(&round)
            case .canary: try await watch(&round)
            case .promoted, .rolledBack, .rejected, .skipped, .failed: return round
            }
        }
    }

    private func write(_ round: inout LearningRound, _ text: String, then stage: LearningRound.Stage) async throws {
        round.note(text)
        round.stage = stage
        let isOver = ![.collecting, .training, .judging, .canary].contains(stage)
        try await store.save(round, isOver: isOver)
        tell(text)
    }

    /// All that is rated of the model's answers, and of its adapters'.
    private func rated(_ round: LearningRound) async throws -> RatedAnswers {
        var all: [RatedRecording] = [], after: Int64 = 0
        let until = round.canaryBegan ?? .max
        while true {
            let page = try await accounts.ratedRecordings(after: after)
            guard let last = page.last else { break }
            all += page.filter { recording in
                let isOwn = recording.model == round.model || recording.model.hasPrefix("ft:\(round.model):")
                return isOwn && recording.number <= until
            }
            after = last.number
        }
        return RatedAnswers(all, filter)
    }

    private func collect(_ round: inout LearningRound) async throws {
        let answers = try await rated(round), report = answers.report
        let method =
            options.method ?? (answers.count(.dpo) * 2 > answers.count(.kto) ? RatedAnswers.Method.dpo : .kto)
        (round.report, round.method) = (report, method)
        let said =
            "\(report.rated) ratings: \(report.learned) answers to learn from, \(report.heldOut) held out; left out: "
            + "\(report.optedOut) of users who opted out, \(report.filtered) in which the filter finds something, "
            + "\(report.duplicates) said before, \(report.contradictory) rated both ways, \(report.empty) empty, "
            + "\(report.callingTools) with calls of tools"
        guard answers.count(method) >= options.leastSamples else {
            let few = "; \(method.rawValue) has \(answers.count(method)), fewer than \(options.leastSamples)"
            return try await write(&round, said + few, then: .skipped)
        }
        try await write(&round, said, then: .training)
    }

    private func train(_ round: inout LearningRound) async throws {
        let method = round.method ?? .kto
        if round.job == nil {
            let answers = try await rated(round)
            let job = try await calls.train(round.old, on: answers, by: method, options)
            round.job = job.id
            try await write(
                &round,
                "the job \(job.id) trains \(round.old) by \(method.rawValue) on \(answers.count(method)) samples",
                then: .training)
        }
        while let id = round.job {
            let job: GatewayCalls.Job
            do { job = try await calls.job(id) } catch let error as GatewayClientError where error.code == .unreachable
            {
                // Gateways come back; the job goes on without them.
                try await pause(round)
                continue
            }
            switch job.status {
            case "succeeded":
                round.new = job.fine_tuned_model
                return try await write(&round, "the adapter is \(job.fine_tuned_model ?? "")", then: .judging)
            case "failed", "cancelled":
                let why = job.error.map { ": \($0.message)" } ?? ""
                return try await write(&round, "the job \(id) is \(job.status)\(why)", then: .failed)
            default: try await pause(round)
            }
        }
    }

    private func pause(_ round: LearningRound) async throws {
        try await Task.sleep(for: options.interval)
        try await store.save(round)
    }

    /// Judges the adapters of the job's epochs, the last first: the first to which nothing is to be objected goes on. Later
    /// ones know more of what users like, and have forgotten more of the rest.
    private func judge(_ round: inout LearningRound) async throws {
        guard let job = round.job else { throw LearningError(.malformed, "the round judges, and has no job") }
        let candidates = try await calls.checkpoints(job)
        let judge = ModelJudge(calls: calls, filter: filter, options: options, try await rated(round))
        let old = try await keeping(round) { [round] in try await judge.figures(of: round.old) }
        var chosen: String?
        for candidate in candidates where chosen == nil {
            let new = try await keeping(round) { try await judge.figures(of: candidate) }
            let judgement = judge.judgement(new, against: old)
            (round.new, round.judgement) = (candidate, judgement)
            let objection = judge.objection(judgement)
            if objection == nil { chosen = candidate }
            let verdict = objection.map { "Not let before users: \($0)" } ?? "Nothing speaks against it"
            try await write(&round, "\(candidate): \(judgement.text). \(verdict)", then: .judging)
        }
        guard let chosen else {
            try await write(&round, "none of the adapters of \(job) is let before users", then: .rejected)
            for candidate in candidates { try? await calls.delete(candidate) }
            return
        }
        round.canaryBegan = try await accounts.lastFeedback()
        try await store.put(
            LearnedRoute(model: round.model, current: round.old, candidate: chosen, share: options.share))
        let share = (options.share * 100).formatted(.number.precision(.fractionLength(0...2)))
        try await write(&round, "\(chosen) answers \(share) % of users", then: .canary)
        for candidate in candidates where candidate != chosen { try? await calls.delete(candidate) }
    }

    /// Does something that takes long, and keeps the round's lease meanwhile.
    private func keeping<Value: Sendable>(
        _ round: LearningRound, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask { [store] in
                while true {
                    try await Task.sleep(for: .seconds(4))
                    try await store.save(round)
                }
            }
            defer { group.cancelAll() }
            guard let value = try await group.next() ?? nil else { throw CancellationError() }
            return value
        }
    }

    /// Follows the ratings of both until they say which one users like better.
    private func watch(_ round: inout LearningRound) async throws {
        guard let new = round.new, let began = round.canaryBegan else { return }
        var ratings = CanaryRatings(new: new, old: round.old), after = began
        while true {
            let page = try await accounts.ratedRecordings(after: after)
            ratings.add(page)
            after = page.last?.number ?? after
            let test = PreferenceTest(new: ratings.new, old: ratings.old, error: options.errorRate)
            let said = String(
                format:
                    "after %d pairs of ratings (liked: %d of %d, before %d of %d) the evidence is %.3g : 1 that it is liked "
                    + "more often, %.3g : 1 that it is liked less often", test.pairs, ratings.new.count { $0 },
                ratings.new.count, ratings.old.count { $0 }, ratings.old.count, test.evidence.new, test.evidence.old)
            switch test.verdict {
            case .newIsBetter:
                try await store.put(LearnedRoute(model: round.model, current: new))
                return try await write(
                    &round, "\(said); error rate \(options.errorRate). \(new) is promoted", then: .promoted)
            case .oldIsBetter: return try await rollBack(&round, new, said)
            case .open where test.pairs >= options.longestCanary:
                return try await rollBack(&round, new, "\(said), which is too little")
            case .open: if page.isEmpty { try await pause(round) }
            }
        }
    }

    private func rollBack(_ round: inout LearningRound, _ new: String, _ said: String) async throws {
        try await store.put(LearnedRoute(model: round.model, current: round.old))
        try await write(&round, "\(said). \(round.old) stays", then: .rolledBack)
        // Requests that were routed before end where they are.
        try await Task.sleep(for: .seconds(3))
        try? await calls.delete(new)
    }
}
