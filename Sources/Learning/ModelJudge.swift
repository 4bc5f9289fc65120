import ContentFilter
import Foundation

/// Looks at an adapter before users do: held-out feedback, a fixed text, the filter.
struct ModelJudge: Sendable {
    let calls: GatewayCalls
    let filter: ContentFilter
    let options: Learner.Options

    /// Held-out answers that are looked at, and prompts that are answered, at most.
    private static let (answerLimit, promptLimit) = (200, 12)
    private static let answerTokens = 64

    func judge(_ new: String, against old: String, _ answers: RatedAnswers) async throws -> LearningRound.Judgement {
        // Of many, every so manieth: the earliest and the latest are there.
        let all = answers.heldOut, step = max(1, all.count / Self.answerLimit)
        let some = stride(from: 0, to: all.count, by: step).map { all[$0] }
        var gains: (liked: [Double], disliked: [Double]) = ([], [])
        for one in some {
            let values = try await calls.logProbability(of: one.answer, behind: one.turns, [new, old])
            if one.isGood {
                gains.liked.append(values[0] - values[1])
            } else {
                gains.disliked.append(values[0] - values[1])
            }
        }
        var flagged = (new: 0, old: 0)
        let prompts = some.prefix(Self.promptLimit)
        for one in prompts {
            let answer = try await calls.answer(new, to: one.turns, tokens: Self.answerTokens)
            if filter.objects(to: answer, .out) { flagged.new += 1 }
            let before = try await calls.answer(old, to: one.turns, tokens: Self.answerTokens)
            if filter.objects(to: before, .out) { flagged.old += 1 }
        }
        return LearningRound.Judgement(
            preference: Self.preference(gains.liked, gains.disliked), liked: gains.liked.count,
            disliked: gains.disliked.count, perplexity: try await calls.perplexity(new, of: options.fixedText),
            perplexityBefore: try await calls.perplexity(old, of: options.fixedText), flagged: flagged.new,
            flaggedBefore: flagged.old, answers: prompts.count)
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
