internal import Foundation

/// How strongly a text speaks for a watermark: the one-proportion test of arXiv 2301.10226, §3.
///
/// A pair of context and token counts once, however often it stands there: repeats have the same colour and would pass
/// for evidence. Without a watermark each pair is green with probability γ, whatever the text.
package struct WatermarkEvidence: Sendable, Equatable {
    /// Distinct pairs of context and token, T.
    package var scored: Int
    /// How many of the tokens are green.
    package var green: Int
    /// Standard deviations above γT: (green − γT) / √(Tγ(1 − γ)), equation 3; 0 for T = 0.
    package var zScore: Double
    /// How likely so many green ones or more are without a watermark: the binomial tail itself, which z only approximates
    /// for short texts; 1 for T = 0.
    package var pValue: Double

    package init(scored: Int, green: Int, gamma: Double) {
        precondition((0...max(0, scored)).contains(green), "\(green) of \(scored) pairs are green")
        (self.scored, self.green) = (scored, green)
        let deviation = (Double(scored) * gamma * (1 - gamma)).squareRoot()
        zScore = scored == 0 ? 0 : (Double(green) - gamma * Double(scored)) / deviation
        pValue = Self.tail(scored, green, gamma)
    }

    /// The normal distribution's tail beyond z: ½ erfc(z / √2).
    package static func tail(beyond z: Double) -> Double { erfc(z / 2.squareRoot()) / 2 }

    /// P(X ≥ k), X binomial of n and p.
    private static func tail(_ n: Int, _ k: Int, _ p: Double) -> Double {
        if k <= 0 { return 1 }
        // The side of the mean is summed on which terms fall from k on.
        if Double(k) > Double(n) * p { return min(1, sum(n, p, from: k, step: 1)) }
        return max(0, 1 - sum(n, p, from: k - 1, step: -1))
    }

    /// P(X = k) and all terms beyond it, each from the one before by their ratio.
    private static func sum(_ n: Int, _ p: Double, from k: Int, step: Int) -> Double {
        let (count, start) = (Double(n), Double(k))
        let ways = lgamma(count + 1) - lgamma(start + 1) - lgamma(count - start + 1)
        let first = exp(ways + start * log(p) + (count - start) * log1p(-p))
        let odds = p / (1 - p)
        var (total, term, x) = (1.0, 1.0, start)
        while term > total * 1e-17, step > 0 ? x < count : x > 0 {
            term *= step > 0 ? (count - x) / (x + 1) * odds : x / (count - x + 1) / odds
            total += term
            x += Double(step)
        }
        return first * total
    }
}

/// Counts the green tokens of a text that comes piece by piece. The first ``GreenList/contextWidth`` of its tokens have no
/// context and do not count, so that a text that was cut loses no more than they.
package struct GreenCount: Sendable {
    private let list: GreenList
    private var context: [Int32] = []
    /// Pairs that were met, by a hash under the key.
    private var seen: Set<UInt64> = []
    private var green = 0

    package init(_ list: GreenList) { self.list = list }

    package mutating func take(_ ids: some Sequence<Int32>) {
        for id in ids {
            if let colours = list.colours(after: context), seen.insert(colours.fingerprint(of: id)).inserted,
                colours.isGreen(id)
            {
                green += 1
            }
            if context.count == list.contextWidth { context.removeFirst() }
            context.append(id)
        }
    }

    package var evidence: WatermarkEvidence {
        WatermarkEvidence(scored: seen.count, green: green, gamma: list.gamma)
    }
}

extension GreenList {
    /// That of a whole text.
    package func evidence(in ids: [Int32]) -> WatermarkEvidence {
        var count = GreenCount(self)
        count.take(ids)
        return count.evidence
    }
}
