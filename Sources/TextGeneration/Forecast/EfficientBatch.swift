internal import Foundation

/// How many rows a pass needs to be worth its time: with more of them little more is done, and all wait longer. Found
/// out as passes come, by powers of two: the rows a second that passes of about that size have brought of late. Has no
/// clock of its own.
package struct EfficientBatch: Sendable {
    private struct Measure {
        var steps = 0
        /// Rows and seconds of passes of this size, in which older ones count less.
        var rows = 0.0
        var seconds = 0.0
        /// Seconds of all passes until the last of this size.
        var seen = 0.0
    }

    private var measures = [Measure](repeating: Measure(), count: 16)
    private var elapsed = 0.0
    /// Fewer are not looked into: some long answers are not to hold up many short ones.
    package static let least = 16
    /// What twice as many rows must bring: more than the length of what sequences look back on makes a difference.
    private static let worthwhile = 1.2
    /// Passes and seconds after which a rate counts, and seconds of others after which it counts no more.
    private static let enough = (steps: 16, seconds: 0.5)
    private static let memory = 60.0
    /// Seconds of passes of a size after which those before count e times less.
    private static let recent = 5.0

    package init() {}

    /// - Parameters:
    ///   - rows: of the pass, all of them.
    ///   - duration: of the step.
    package mutating func record(rows: Int, duration: Duration) {
        let taken = duration / .seconds(1)
        guard rows > 0, taken > 0, taken.isFinite else { return }
        elapsed += taken
        let size = min(Int(log2(Double(rows)).rounded()), measures.count - 1)
        if elapsed - measures[size].seen > Self.memory { measures[size] = Measure() }
        let kept = exp(-taken / Self.recent)
        measures[size].steps += 1
        measures[size].seen = elapsed
        measures[size].rows = measures[size].rows * kept + Double(rows)
        measures[size].seconds = measures[size].seconds * kept + taken
    }

    /// - Parameter limit: rows, at most.
    package func rows(limit: Int) -> Int {
        var rows = Self.least
        // Where nothing is known yet, that size is tried.
        while rows < limit, let rate = rate(of: rows) {
            guard let next = self.rate(of: 2 * rows) else { return min(2 * rows, limit) }
            guard next > Self.worthwhile * rate else { break }
            rows *= 2
        }
        return min(rows, limit)
    }

    private func rate(of rows: Int) -> Double? {
        let size = min(Int(log2(Double(rows)).rounded()), measures.count - 1)
        let measure = measures[size]
        let isKnown =
            measure.steps >= Self.enough.steps && measure.seconds >= Self.enough.seconds
            && elapsed - measure.seen <= Self.memory
        return isKnown ? measure.rows / measure.seconds : nil
    }
}
