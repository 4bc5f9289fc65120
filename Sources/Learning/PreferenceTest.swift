import Foundation

/// Whether users like a new model's answers more often than the old one's, looked at after every pair of ratings.
///
/// The evidence is the e-process of Turner, Ly and Grünwald, «Generic E-variables for exact sequential k-sample tests that
/// allow for optional stopping» (arXiv 2106.02693), for two Bernoulli streams in blocks of one rating each: against
/// H₀ «the new one is liked no more often», a block multiplies it by
///
///     p(y_new | θ_new) p(y_old | θ_old) / p(y_new | θ₀) p(y_old | θ₀),   θ₀ = (θ_new + θ_old) / 2,
///
/// with θ as the blocks before say it (posterior means under Beta(½, ½)); a block in which θ_new ≤ θ_old multiplies by 1.
/// Under H₀ it exceeds 1/α with probability α at most, however often it is looked at (Ville's inequality).
package struct PreferenceTest: Sendable, Equatable {
    package enum Verdict: Sendable, Equatable {
        case newIsBetter, oldIsBetter
        /// More ratings are needed.
        case open
    }

    /// The probability at most with which one that is not better is taken for better.
    package let error: Double
    /// Blocks that were looked at: none behind a verdict.
    package private(set) var pairs = 0
    /// The largest evidence so far that the new one is better, and that the old one is.
    package private(set) var evidence = (new: 1.0, old: 1.0)
    package private(set) var verdict = Verdict.open

    /// - Parameters:
    ///   - new: whether each answer of the new model was liked, in the order of the ratings; so `old`.
    ///   - error: in 0..<1.
    package init(new: [Bool], old: [Bool], error: Double) {
        precondition(error > 0 && error < 1, "an error rate of \(error)")
        self.error = error
        var likes = (new: 0, old: 0), log = (new: 0.0, old: 0.0)
        for (liked, disliked) in zip(new, old) {
            let rates = (
                new: (Double(likes.new) + 0.5) / (Double(pairs) + 1),
                old: (Double(likes.old) + 0.5) / (Double(pairs) + 1)
            )
            let even = (rates.new + rates.old) / 2
            let gain =
                Foundation.log(Self.probability(liked, rates.new) * Self.probability(disliked, rates.old))
                - Foundation.log(Self.probability(liked, even) * Self.probability(disliked, even))
            if rates.new > rates.old { log.new += gain } else if rates.old > rates.new { log.old += gain }
            likes = (likes.new + (liked ? 1 : 0), likes.old + (disliked ? 1 : 0))
            pairs += 1
            evidence = (max(evidence.new, exp(log.new)), max(evidence.old, exp(log.old)))
            verdict =
                log.new >= -Foundation.log(error)
                ? .newIsBetter : log.old >= -Foundation.log(error) ? .oldIsBetter : .open
            if verdict != .open { return }
        }
    }

    private static func probability(_ isLiked: Bool, _ rate: Double) -> Double { isLiked ? rate : 1 - rate }

    package static func == (a: PreferenceTest, b: PreferenceTest) -> Bool {
        a.error == b.error && a.pairs == b.pairs && a.evidence == b.evidence && a.verdict == b.verdict
    }
}
