import Foundation

/// What is done to every text before it is looked at.
package struct Cleaning: Sendable, Codable {
    /// Unicode's normal forms (UAX #15).
    package enum NormalForm: String, Sendable, CaseIterable, Codable { case none, nfc, nfkc }

    package var normalForm: NormalForm = .nfc
    /// Scalars that a document has, at least and at most.
    package var length: ClosedRange<Int> = 1...Int.max

    package init() {}

    /// The text with `\n` at line ends, without control characters other than `\n` and tab, byte order marks, and
    /// noncharacters; in the normal form.
    package func cleaned(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { (0x20...0x7E).contains($0) || $0 == 0x0A || $0 == 0x09 }
        if isPlain { return text }
        var out = String.UnicodeScalarView()
        var wasReturn = false
        for scalar in text.unicodeScalars {
            if scalar == "\r" {
                out.append("\n")
            } else if !(wasReturn && scalar == "\n"), !Self.goes(scalar) {
                out.append(scalar)
            }
            wasReturn = scalar == "\r"
        }
        let clean = String(out)
        switch normalForm {
        case .none: return clean
        case .nfc: return clean.precomposedStringWithCanonicalMapping
        // Foundation's own composition leaves some pairs apart, such as ｶﾞ.
        case .nfkc: return clean.decomposedStringWithCompatibilityMapping.precomposedStringWithCanonicalMapping
        }
    }

    private static func goes(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A: false
        case 0..<0x20, 0x7F...0x9F, 0xFEFF, 0xFDD0...0xFDEF: true
        default: scalar.value & 0xFFFE == 0xFFFE
        }
    }

    /// Why a record is left out; nil where it is not.
    func objection(to record: DataRecord) -> String? {
        let texts = record.texts
        // A system message may be empty, an answer may not.
        let lengths = texts.map(\.unicodeScalars.count)
        let isBlank = texts.allSatisfy { $0.allSatisfy(\.isWhitespace) }
        if isBlank { return "empty" }
        let isDocument = record.form == .text || record.form == .messages || record.form == .prompt
        if !isDocument {
            for text in texts.dropFirst(record.form == .implicitPreference ? 0 : 1)
            where text.allSatisfy(\.isWhitespace) {
                return "an empty answer"
            }
        }
        let total = lengths.reduce(0, +)
        if total < length.lowerBound { return "too short" }
        return total > length.upperBound ? "too long" : nil
    }
}
