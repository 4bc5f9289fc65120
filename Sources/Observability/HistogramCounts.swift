/// How many values fell at or below each of some bounds.
package struct HistogramCounts: Sendable, Equatable {
    /// Ascending; one more bucket counts what is above the last.
    package let bounds: [Double]
    package private(set) var counts: [UInt64]
    package private(set) var sum: Double = 0

    package init(bounds: [Double]) {
        (self.bounds, counts) = (bounds, [UInt64](repeating: 0, count: bounds.count + 1))
    }

    package var count: UInt64 { counts.reduce(0, +) }

    /// - Parameter times: how often the value was seen.
    package mutating func observe(_ value: Double, times: Int = 1) {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if value <= bounds[middle] { high = middle } else { low = middle + 1 }
        }
        counts[low] += UInt64(times)
        sum += value * Double(times)
    }

    /// Adds what another one with the same bounds has counted.
    package mutating func merge(_ other: HistogramCounts) {
        precondition(bounds == other.bounds, "histograms of bounds \(bounds) and \(other.bounds) do not add up")
        for index in counts.indices { counts[index] += other.counts[index] }
        sum += other.sum
    }
}
