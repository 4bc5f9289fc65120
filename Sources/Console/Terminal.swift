internal import CLinux
import Foundation

/// Standard output, as a terminal or not.
package enum Terminal {
    /// Whether someone is looking: progress and pictures are for eyes only.
    package static var isInteractive: Bool { isatty(STDOUT_FILENO) == 1 && !isDumb }

    private static var isDumb: Bool { ProcessInfo.processInfo.environment["TERM"].map { $0 == "dumb" } ?? true }

    /// Columns and rows; nil where there is no terminal.
    package static var size: (columns: Int, rows: Int)? {
        let size = nephele_terminal_size(STDOUT_FILENO)
        return size == 0 ? nil : (Int(size & 0xFFFF), Int(size >> 16))
    }

    /// How many columns a text takes: two for each character of East Asian width (UAX #11).
    package static func width(of text: String) -> Int {
        text.reduce(0) { $0 + ($1.unicodeScalars.contains(where: isWide) ? 2 : 1) }
    }

    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            true
        default: false
        }
    }

    /// A line that takes no more columns; «…» stands for what is left out.
    package static func cut(_ text: String, to columns: Int) -> String {
        guard width(of: text) > columns else { return text }
        var cut = ""
        var taken = 1
        for character in text {
            taken += width(of: String(character))
            if taken > columns { break }
            cut.append(character)
        }
        return columns > 0 ? cut + "…" : ""
    }

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
