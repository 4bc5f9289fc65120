import Foundation
import Tensors

/// A measured value, how sure it is, and of how many.
package struct Estimate: Sendable, Codable, Hashable {
    package var value: Double
    /// The 95 % confidence interval; nil where there are too few to say.
    package var low: Double?
    package var high: Double?
    /// Units that were drawn: windows, samples, facts, pairs, pictures.
    package var count: Int

    package init(value: Double, low: Double? = nil, high: Double? = nil, count: Int) {
        (self.value, self.low, self.high, self.count) = (value, low, high, count)
    }

    /// The share of ones among zeros and ones, with Wilson's interval (1927), which holds near 0 and 1 too.
    init(share values: [Double]) {
        let count = Double(values.count), share = values.reduce(0, +) / count, z = 1.959964
        let middle = share + z * z / (2 * count)
        let half = z * (share * (1 - share) / count + z * z / (4 * count * count)).squareRoot()
        let scale = 1 + z * z / count
        self.init(
            value: share, low: max(0, (middle - half) / scale), high: min(1, (middle + half) / scale),
            count: values.count)
    }
}

/// Confidence intervals by drawing again (Efron, Bootstrap Methods, 1979): percentiles of a statistic over samples of the
/// same size, drawn with replacement by Philox, so that a seed gives the same interval everywhere.
package struct Bootstrap: Sendable {
    package let seed: UInt64
    package let draws: Int

    package init(seed: UInt64, draws: Int = 1_000) {
        precondition(draws >= 100, "percentiles of \(draws) draws")
        (self.seed, self.draws) = (seed, draws)
    }

    /// - Parameter statistic: of units by their numbers, each as often as it was drawn.
    package func estimate(count: Int, _ statistic: ([Int]) -> Double) -> Estimate {
        precondition(count > 0, "an estimate of nothing")
        let value = statistic(Array(0..<count))
        guard count > 1 else { return Estimate(value: value, count: count) }
        let random = Philox(seed: seed)
        var values: [Double] = []
        var drawn = [Int](repeating: 0, count: count)
        for draw in 0..<draws {
            for place in 0..<count {
                let words = random.block((UInt32(truncatingIfNeeded: place), UInt32(draw), 0, 0x426F_6F74))
                let number = UInt64(words.0) << 32 | UInt64(words.1)
                drawn[place] = Int(number.multipliedFullWidth(by: UInt64(count)).high)
            }
            values.append(statistic(drawn))
        }
        values.sort()
        return Estimate(
            value: value, low: Self.quantile(values, 0.025), high: Self.quantile(values, 0.975), count: count)
    }

    /// The mean of values.
    package func mean(_ values: [Double]) -> Estimate {
        estimate(count: values.count) { places in
            places.reduce(0) { $0 + values[$1] } / Double(places.count)
        }
    }

    /// Σ numerators / Σ denominators, of units that have both.
    package func ratio(_ numerators: [Double], _ denominators: [Double]) -> Estimate {
        precondition(numerators.count == denominators.count, "\(numerators.count) of \(denominators.count)")
        return estimate(count: numerators.count) { places in
            var above = 0.0, below = 0.0
            for place in places {
                above += numerators[place]
                below += denominators[place]
            }
            return above / below
        }
    }

    /// Linear between neighbours, as NumPy's default.
    static func quantile(_ sorted: [Double], _ share: Double) -> Double {
        let place = share * Double(sorted.count - 1)
        let low = Int(place), rest = place - Double(low)
        return low + 1 < sorted.count ? sorted[low] + rest * (sorted[low + 1] - sorted[low]) : sorted[low]
    }
}

/// For statistics of a set that a unit drawn twice would change, such as how many words are different: the standard error
/// over sets with one unit left out (Tukey's jackknife), and a normal interval.
package enum Jackknife {
    /// - Parameter bounds: what the statistic can be; the interval ends there.
    package static func estimate(
        count: Int, within bounds: ClosedRange<Double>, _ statistic: ([Int]) -> Double
    ) -> Estimate {
        precondition(count > 0, "an estimate of nothing")
        let all = Array(0..<count), value = statistic(all)
        guard count > 2 else { return Estimate(value: value, count: count) }
        let without = all.map { left in statistic(all.filter { $0 != left }) }
        let mean = without.reduce(0, +) / Double(count)
        let spread = without.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let error = (Double(count - 1) / Double(count) * spread).squareRoot()
        return Estimate(
            value: value, low: max(bounds.lowerBound, value - 1.959964 * error),
            high: min(bounds.upperBound, value + 1.959964 * error), count: count)
    }
}
