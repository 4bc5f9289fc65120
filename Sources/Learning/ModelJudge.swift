import ContentFilter
import Foundation

/// Looks at adapters before users do: held-out feedback, a fixed text, the filter.
struct ModelJudge: Sendable {
    /// What a model makes of the held-out answers, of the fixed text, and of held-out prompts.
    struct Figures: Sendable {
        /// The mean log-probability of each held-out answer's tokens.
        var logProbabilities: [Double] = []
        var perplexity = 0.0
        /// Answers to held-out prompts in which the filter finds something.
        var flagged = 0
    }

    private let calls: GatewayCalls
    private let filter: ContentFilter
    private let options: Learner.Options
    private let heldOut: [RatedAnswers.Judged]

    /// Held-out answers that are looked at, and prompts that are answered, at most.
    private static let (answerLimit, promptLimit) = (200, 12)
    private static let answerTokens = 64

    init(calls: GatewayCalls, filter: ContentFilter, options: Learner.Options, _ answers: RatedAnswers) {
        (self.calls, self.filter, self.options) = (calls, filter, options)
        heldOut = Self.some(of: answers.heldOut)
    }

    /// Of many, every so manieth: the earliest are there as the latest are.
    static func some<Element>(of all: [Element]) -> [Element] {
        let step = max(1, (all.count + answerLimit - 1) / answerLimit)
        return stride(from: 0, to: all.count, by: step).map { all[$0] }
    }

    func figures(of model: String) async throws -> Figures {
        var figures = Figures()
        for one in heldOut {
            figures.logProbabilities.append(
                try await calls.logProbability(of: one.answer, behind: one.turns, model))
        }
        for one in heldOut.prefix(Self.promptLimit) {
            let answer = try await calls.answer(model, to: one.turns, tokens: Self.answerTokens)
            if filter.objects(to: answer, .out) { figures.flagged += 1 }
        }
        figures.perplexity = try await calls.perplexity(model, of: options.fixedText)
        return figures
    }

    func judgement(_ new: Figures, against old: Figures) -> LearningRound.Judgement {
        var gains: (liked: [Double], disliked: [Double]) = ([], [])
        for (index, one) in heldOut.enumerated() {
            let gain = new.logProbabilities[index] - old.logProbabilities[index]
            if one.isGood { gains.liked.append(gain) } else { gains.disliked.append(gain) }
        }
        return LearningRound.Judgement(
            preference: Self.preference(gains.liked, gains.disliked), liked: gains.liked.count,
            disliked: gains.disliked.count, perplexity: new.perplexity, perplexityBefore: old.perplexity,
            flagged: new.flagged, flaggedBefore: old.flagged, answers: min(heldOut.count, Self.promptLimit))
    }

    /// The probability that one that was liked gains more than one that was not (Mann and Whitney's U, as a share). Where only
    /// one kind is held out, the share of it that moves as it should.
    static func preference(_ liked: [Double], _ disliked: [Double]) -> Double {
        func share(_ values: [Double], above bar: Double) -> Double {
            values.reduce(0) { $0 + ($1 > bar ? 1 : $1 == bar ? 0.5 : 0) }
        }
        switch (liked.isEmpty, disliked.isEmpty) {
        case (true, true): return 0.5
        case (false, true): return share(liked, above: 0) / Double(liked.count)
        case (true, false): return share(disliked.map { -$0 }, above: 0) / Double(disliked.count)
        case (false, false):
            let pairs = Double(liked.count * disliked.count)
            return disliked.reduce(0) { $0 + share(liked, above: $1) } / pairs
        }
    }

    /// Why an adapter is not let before users; nil where it is.
    func objection(_ judgement: LearningRound.Judgement) -> String? {
        let rise = judgement.perplexity / judgement.perplexityBefore - 1
        if judgement.preference < options.leastPreference {
            return String(
                format: "held-out feedback is preferred in %.3f of pairs; %.3f is the least", judgement.preference,
                options.leastPreference)
        }
        if !(rise <= options.largestRise) {
            return String(
                format: "the perplexity of the fixed text rises by %.2f %%; %.2f %% is the most", rise * 100,
                options.largestRise * 100)
        }
        if judgement.flagged > judgement.flaggedBefore {
            return "the filter finds something in \(judgement.flagged) of \(judgement.answers) answers; before in "
                + "\(judgement.flaggedBefore)"
        }
        return nil
    }
}
