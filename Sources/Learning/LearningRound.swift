import Foundation

/// A round of learning as it is kept: how far it is, and each step of it.
package struct LearningRound: Sendable, Codable {
    package enum Stage: String, Sendable, Codable {
        case collecting, training, judging, canary
        /// The new adapter serves everybody.
        case promoted
        /// The canary's ratings spoke against it, or for nothing.
        case rolledBack
        /// It was not let before users.
        case rejected
        /// There was too little to learn from.
        case skipped
        case failed
    }

    package struct Note: Sendable, Codable {
        package var time: Int64
        package var text: String
    }

    /// What stands between an adapter and users.
    package struct Judgement: Sendable, Codable {
        /// How often a held-out answer that was liked gains more likelihood than one that was not (0.5: by chance).
        package var preference: Double
        package var liked: Int
        package var disliked: Int
        package var perplexity: Double
        package var perplexityBefore: Double
        /// Answers to held-out prompts in which the filter finds something.
        package var flagged: Int
        package var flaggedBefore: Int
        package var answers: Int

        /// For people.
        var text: String {
            String(
                format:
                    "held-out feedback: liked answers gain more in %.3f of pairs (%d liked, %d not); perplexity of the "
                    + "fixed text %.3f, before %.3f (%+.2f %%); the filter finds something in %d of %d answers, before in %d",
                preference, liked, disliked, perplexity, perplexityBefore, (perplexity / perplexityBefore - 1) * 100,
                flagged, answers, flaggedBefore)
        }
    }

    package var id: String
    /// The model whose users are asked.
    package var model: String
    package var stage = Stage.collecting
    package var notes: [Note] = []
    package var method: RatedAnswers.Method?
    /// What served before: an adapter of an earlier round, or the model itself.
    package var old: String
    package var job: String?
    /// The adapter of this round: the last that was judged.
    package var new: String?
    package var report: RatedAnswers.Report?
    package var judgement: Judgement?
    /// The last feedback before the canary began.
    package var canaryBegan: Int64?

    package init(id: String, model: String, old: String) { (self.id, self.model, self.old) = (id, model, old) }

    package mutating func note(_ text: String) {
        notes.append(Note(time: Int64(Date().timeIntervalSince1970), text: text))
    }
}
