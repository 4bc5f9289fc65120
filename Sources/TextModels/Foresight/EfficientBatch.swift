internal import Foundation

/// How many rows a pass needs to be worth its time: with more of them little more is done, and all wait longer. Found
/// out as passes come, by powers of two: the rows a second that passes of about that size have brought of late. Has no
/// clock of its own.
package struct EfficientBatch: Sendable {
    private struct Measure {
        var steps = 0
        /// Rows a second.
        var rate = 0.0
        /// Seconds of all passes until the last of this size.
        var seen = 0.0
    }

    private var measures = [Measure](repeating: Measure(), count: 16)
    private var elapsed = 0.0
    /// Fewer are not looked into: some long answers are not to hold up many short ones.
    package static let least = 16
    /// What twice as many rows must bring.
    private static let worthwhile = 1.1
    /// Passes after which a rate counts, and seconds of others after which it counts no more.
    private static let enough = 16
    private static let memory = 30.0

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
        measures[size].steps += 1
        measures[size].seen = elapsed
        let weight = max(0.05, 1 / Double(measures[size].steps))
        measures[size].rate += weight * (Double(rows) / taken - measures[size].rate)
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
        let isKnown = measures[size].steps >= Self.enough && elapsed - measures[size].seen <= Self.memory
        return isKnown ? measures[size].rate : nil
    }
}
