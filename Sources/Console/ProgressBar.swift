/// One line that fills up: `label ████████░░░░░░  12/40`.
package struct ProgressBar: Sendable {
    private static let cells = 30
    private let label: String

    package init(_ label: String) { self.label = label }

    /// The line at `done` of `total`, which overwrites the one before it.
    package func line(_ done: Int, of total: Int) -> String {
        let filled = total > 0 ? min(Self.cells, max(0, done) * Self.cells / total) : 0
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.cells - filled)
        return "\r\(label) \(bar) \(done)/\(total)\u{1B}[K"
    }
}
