import Foundation

/// Rules by which C4 was made of web pages: Raffel et al., Exploring the Limits of Transfer Learning (arXiv 1910.10683),
/// section 2.2, with those that only its code has (words of more than 1,000 letters, lines about cookies and terms of use).
/// Its list of words is the content filter's business.
package enum WebPageRules {
    private static let policies = [
        "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies",
    ]
    private static let ends: Set<Character> = [
        ".", "?", "!", "\"", "'", "。", "？", "！", "”", "’", "」", "』", "\u{2026}",
    ]
    private static let sentenceEnds: Set<Character> = [".", "?", "!", "。", "？", "！"]

    package enum Outcome: Sendable, Hashable {
        /// What is left of the page.
        case kept(String)
        case dropped(String)
    }

    /// Lines that end as sentences do and have three words stay; pages of fewer than five sentences go, and those with curly
    /// brackets or «lorem ipsum».
    package static func apply(_ text: String) -> Outcome {
        var kept: [Substring] = [], sentences = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
            let line = line.trimmedEnd.drop(while: \.isWhitespace)
            guard !line.split(whereSeparator: \.isWhitespace).contains(where: { $0.unicodeScalars.count > 1_000 })
            else {
                continue
            }
            guard let last = line.last, ends.contains(last), !line.hasSuffix("..."), last != "\u{2026}" else {
                continue
            }
            let units = TextUnits(String(line))
            guard units.count >= (units.isSpaceless ? 6 : 3) else { continue }
            let lower = line.lowercased()
            if lower.contains("lorem ipsum") { return .dropped("lorem ipsum") }
            if lower.contains("javascript") { continue }
            if line.contains("{") { return .dropped("a curly bracket") }
            if policies.contains(where: lower.contains) { continue }
            sentences += count(of: line)
            kept.append(line)
        }
        guard sentences >= 5 else { return .dropped("fewer than 5 sentences") }
        return .kept(kept.joined(separator: "\n"))
    }

    /// Runs of marks that end sentences, behind which a space, a quotation mark or the end stands; Chinese marks need none.
    private static func count(of line: Substring) -> Int {
        var count = 0, wasEnd = false, wasFull = false
        for character in line {
            if sentenceEnds.contains(character) {
                if "。？！".contains(character) {
                    if !wasFull { count += 1 }
                    (wasEnd, wasFull) = (false, true)
                } else {
                    wasEnd = true
                }
            } else {
                if wasEnd, character.isWhitespace || "\"'”’".contains(character) { count += 1 }
                (wasEnd, wasFull) = (false, false)
            }
        }
        return max(1, count + (wasEnd ? 1 : 0))
    }
}
