import Foundation

/// Standard output, as a terminal or not.
package enum Terminal {
    /// Whether someone is looking: progress and pictures are for eyes only.
    package static var isInteractive: Bool { isatty(STDOUT_FILENO) == 1 && !isDumb }

    private static var isDumb: Bool { ProcessInfo.processInfo.environment["TERM"].map { $0 == "dumb" } ?? true }

    /// Writes at once, without a line end.
    package static func write(_ text: String) { try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) }

    package static func line(_ text: String = "") { write(text + "\n") }

    /// Text from a model may hold control characters that would move the cursor or worse.
    package static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.filter {
                    $0 == "\n" || $0 == "\t" || $0.properties.generalCategory != .control
                }))
    }
}
