/// Sizes the chunks of prompts so that a long prompt does not stall the streams that run beside it: a step of the
/// engine is to take `target`. Is told how long steps took; has no clock of its own.
package struct StepPacer: Sendable {
    private let target: Duration
    private let limit: Int
    /// The recent cost of one row.
    private var secondsPerRow: Double?
    /// A pass over fewer rows costs hardly less: it waits for the weights.
    private static let least = 16
    /// Before anything is known.
    private static let first = 32

    /// - Parameters:
    ///   - target: of a step while streams run.
    ///   - limit: rows of a pass, at most.
    package init(target: Duration = .milliseconds(80), limit: Int) {
        (self.target, self.limit) = (target, limit)
    }

    /// Rows for prompts in the next step.
    ///
    /// - Parameter decodingRows: of the streams that wait for it; without any a step may take what it takes.
    package func promptBudget(decodingRows: Int) -> Int {
        guard decodingRows > 0 else { return limit }
        guard let secondsPerRow, secondsPerRow > 0 else { return min(Self.first, limit) }
        let rows = Int(min(target / .seconds(1) / secondsPerRow, Double(limit))) - decodingRows
        return min(max(rows, Self.least), limit)
    }

    /// - Parameters:
    ///   - rows: of the pass, all of them.
    ///   - duration: of the step.
    package mutating func record(rows: Int, duration: Duration) {
        guard rows >= Self.least else { return }
        let cost = duration / .seconds(1) / Double(rows)
        secondsPerRow = secondsPerRow.map { ($0 + cost) / 2 } ?? cost
    }
}
