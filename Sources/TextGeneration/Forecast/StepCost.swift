internal import Foundation

/// What a step takes by the sequences that share it: a part that does not depend on them (reading the weights) and one
/// for each, fitted to the steps of late by least squares. Has no clock of its own.
///
/// | symbol | variable |
/// |---|---|
/// | Σ1, Σr, Σt, Σr², Σrt | `count`, `rows`, `seconds`, `squares`, `products`: of steps, the older the less |
package struct StepCost: Sendable {
    private var count = 0.0
    private var rows = 0.0
    private var seconds = 0.0
    private var squares = 0.0
    private var products = 0.0
    /// Rows of drafts, and of them the accepted ones, of a decoding sequence in a step.
    private var draftedRows = 0.0
    private var gain = 0.0
    /// Seconds of steps after which those before count e times less.
    private static let memory = 2.0
    /// With steps of nearly the same size nothing is known of others: then more rows are taken to cost in proportion.
    private static let least = 0.15
    /// A step that took so many times what it was expected to take says nothing of others: the process was stopped, or the
    /// machine slept. So many of them in a row do.
    private static let outlier = (factor: 10.0, streak: 3)
    private var outliers = 0

    package init() {}

    package var isKnown: Bool { seconds > 0 }

    /// - Parameters:
    ///   - count: rows of the pass, all of them.
    ///   - duration: from the end of the step before it, if the engine was not idle.
    /// - Returns: false for an outlier, which changes nothing.
    @discardableResult package mutating func record(rows count: Int, duration: Duration) -> Bool {
        let (rows, taken) = (Double(count), duration / .seconds(1))
        guard count > 0, taken > 0, taken.isFinite else { return false }
        if isKnown, taken > Self.outlier.factor * expected(rows: rows) {
            outliers += 1
            guard outliers >= Self.outlier.streak else { return false }
        } else {
            outliers = 0
        }
        let kept = exp(-taken / Self.memory)
        self.count = self.count * kept + 1
        self.rows = self.rows * kept + rows
        seconds = seconds * kept + taken
        squares = squares * kept + rows * rows
        products = products * kept + rows * taken
        return true
    }

    /// Seconds that a step of so many rows is expected to take; never less than the mean of all steps.
    private func expected(rows: Double) -> Double {
        let mean = seconds / count
        return max(mean, mean + secondsPerRow * (rows - self.rows / count))
    }

    /// What drafts cost and brought in a step.
    package mutating func recordDrafts(_ drafted: Int, accepted: Int, sequences: Int) {
        guard sequences > 0 else { return }
        draftedRows += 0.05 * (Double(drafted) / Double(sequences) - draftedRows)
        gain += 0.05 * (Double(accepted) / Double(sequences) - gain)
    }

    /// Tokens that a step brings a sequence.
    package var tokensPerStep: Double { 1 + gain }

    /// Seconds of one row more.
    package var secondsPerRow: Double {
        guard isKnown else { return 0 }
        let meanRows = rows / count, proportional = seconds / rows
        let prior = (Self.least * meanRows) * (Self.least * meanRows)
        let variance = max(0, squares / count - meanRows * meanRows)
        let covariance = products / count - meanRows * seconds / count
        return min(max((covariance + prior * proportional) / (variance + prior), 0), proportional)
    }

    /// Seconds that a token takes when so many sequences decode, as passes of so many groups; 0 before anything is known.
    package func secondsPerToken(sequences: Int, groups: Int = 1) -> Double {
        guard isKnown else { return 0 }
        let perRow = secondsPerRow
        let fixed = seconds / count - perRow * rows / count
        return (Double(max(1, groups)) * fixed + perRow * Double(sequences) * (1 + draftedRows)) / tokensPerStep
    }
}
