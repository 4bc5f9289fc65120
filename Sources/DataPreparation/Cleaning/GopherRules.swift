/// Rules by which MassiveText was made: Rae et al., Scaling Language Models (arXiv 2112.11446), section A1.1 and table A1.
///
/// They count words. Where a script sets no spaces, two characters are taken for a word, and the rules that know English
/// (the length of words, stop words) do not apply.
package enum GopherRules {
    private static let stopWords: Set<String> = ["the", "be", "to", "of", "and", "that", "have", "with"]

    /// The quality rule that a document breaks; nil where there is none.
    package static func quality(_ text: String, _ units: TextUnits) -> String? {
        let perWord = units.isSpaceless ? 2 : 1
        let words = units.count / perWord
        if words < 50 { return "fewer than 50 words" }
        if words > 100_000 { return "more than 100,000 words" }
        if !units.isSpaceless {
            let mean = Double((0..<units.count).reduce(0) { $0 + units.length($1) }) / Double(units.count)
            if mean < 3 { return "a mean word of less than 3 letters" }
            if mean > 10 { return "a mean word of more than 10 letters" }
        }
        let hashes = text.utf8.count { $0 == UInt8(ascii: "#") }
        if Double(hashes) / Double(words) > 0.1 { return "more than 0.1 # a word" }
        if Double(ellipses(text)) / Double(words) > 0.1 { return "more than 0.1 ellipses a word" }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: text.hasSuffix("\n"))
        let bullets = lines.count { line in
            let first = line.first { !$0.isWhitespace }
            return first == "•" || first == "-"
        }
        if Double(bullets) > 0.9 * Double(lines.count) { return "more than 90 % of lines with bullets" }
        let open = lines.count { line in
            let end = line.last { !$0.isWhitespace } == "…"
            return end || line.trimmedEnd.hasSuffix("...")
        }
        if Double(open) > 0.3 * Double(lines.count) { return "more than 30 % of lines that end with an ellipsis" }
        let alphabetic = (0..<units.count).count { index in
            units.text(index).unicodeScalars.contains { $0.properties.isAlphabetic }
        }
        if Double(alphabetic) < 0.8 * Double(units.count) { return "fewer than 80 % of words with a letter" }
        if !units.isSpaceless {
            var seen = Set<String>()
            for index in 0..<units.count where units[index].count <= 4 {
                let word = units.text(index)
                if stopWords.contains(word) { seen.insert(word) }
            }
            if seen.count < 2 { return "fewer than 2 stop words" }
        }
        return nil
    }

    /// "..." and "…", none counted twice.
    private static func ellipses(_ text: String) -> Int {
        var count = 0, dots = 0
        for scalar in text.unicodeScalars {
            if scalar == "…" { count += 1 }
            dots = scalar == "." ? dots + 1 : 0
            if dots == 3 {
                count += 1
                dots = 0
            }
        }
        return count
    }

    // MARK: Repetition

    private static let topGrams: [(length: Int, share: Double)] = [(2, 0.20), (3, 0.18), (4, 0.16)]
    private static let repeatedGrams: [(length: Int, share: Double)] = [
        (5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10),
    ]

    /// The rule about repetition that a document breaks; nil where there is none. Shares are of scalars of the text.
    package static func repetition(_ text: String, _ units: TextUnits) -> String? {
        let scalars = Double(text.unicodeScalars.count)
        guard scalars > 0 else { return nil }
        let blocks: [(parts: [Substring], name: String)] = [
            (paragraphs(text), "paragraphs"), (text.split(separator: "\n"), "lines"),
        ]
        for (parts, name) in blocks {
            let (count, length) = repeated(parts)
            if Double(count) > 0.30 * Double(parts.count) { return "more than 30 % of \(name) repeated" }
            if Double(length) / scalars > 0.20 { return "more than 20 % of characters in repeated \(name)" }
        }
        let hashes = units.hashes
        let perWord = units.isSpaceless ? 2 : 1
        // Letters before each unit, so that a run's are a difference.
        var letters = [0]
        for index in 0..<units.count { letters.append(letters[index] + units.length(index)) }
        for (words, share) in topGrams {
            let length = words * perWord
            let top = mostFrequent(
                TextUnits.grams(hashes, length: length), letters, length, spaces: units.isSpaceless ? 0 : words - 1)
            if Double(top) / scalars > share {
                return "a run of \(words) words in more than \(percent(share)) of the text"
            }
        }
        for (words, share) in repeatedGrams {
            let length = words * perWord
            let covered = repeated(TextUnits.grams(hashes, length: length), letters, length)
            if Double(covered) / scalars > share {
                return "more than \(percent(share)) of the text in repeated runs of \(words) words"
            }
        }
        return nil
    }

    private static func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }

    private static func paragraphs(_ text: String) -> [Substring] {
        var parts: [Substring] = []
        var rest = text[...]
        while let gap = rest.firstRange(of: "\n\n") {
            parts.append(rest[..<gap.lowerBound])
            rest = rest[gap.upperBound...].drop { $0 == "\n" }
        }
        return (parts + [rest]).filter { !$0.isEmpty }
    }

    /// How many parts stood before, and their scalars.
    private static func repeated(_ parts: [Substring]) -> (count: Int, length: Int) {
        var seen = Set<Substring>(), count = 0, length = 0
        for part in parts where !seen.insert(part).inserted {
            count += 1
            length += part.unicodeScalars.count
        }
        return (count, length)
    }

    /// Letters of the runs that are as frequent as any, of which the first is taken, times how often they stand; 0 where none
    /// stands twice.
    private static func mostFrequent(_ grams: [UInt64], _ letters: [Int], _ length: Int, spaces: Int) -> Int {
        var counts: [UInt64: (count: Int, first: Int)] = [:]
        for (index, gram) in grams.enumerated() { counts[gram, default: (0, index)].count += 1 }
        guard let top = counts.values.max(by: { ($0.count, -$0.first) < ($1.count, -$1.first) }), top.count > 1 else {
            return 0
        }
        return (letters[top.first + length] - letters[top.first] + spaces) * top.count
    }

    /// Letters of runs that stood before, none counted twice.
    private static func repeated(_ grams: [UInt64], _ letters: [Int], _ length: Int) -> Int {
        var seen = Set<UInt64>(), index = 0, covered = 0
        while index < grams.count {
            if seen.insert(grams[index]).inserted {
                index += 1
            } else {
                covered += letters[index + length] - letters[index]
                index += length
            }
        }
        return covered
    }
}

extension Substring {
    /// Without white space at its end.
    var trimmedEnd: Substring {
        var rest = self
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return rest
    }
}
