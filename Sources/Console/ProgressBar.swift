/// One line that fills up: `label ████████░░░░░░  12/40`.
package struct ProgressBar: Sendable {
    private static let cells = 30
    private let label: String

    package init(_ label: String) { self.label = label }

    /// The line at `done` of `total`, which overwrites the one before it.
    ///
    /// - Parameter text: in the place of both numbers.
    package func line(_ done: Int, of total: Int, _ text: String? = nil) -> String {
        let filled = total > 0 ? min(Self.cells, max(0, min(done, total)) * Self.cells / total) : 0
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.cells - filled)
        return "\r\(label) \(bar) \(text ?? "\(done)/\(total)")\u{1B}[K"
    }
}
