/// The words and phrases that are looked for: published lists (`published`) and our own (`ours`), English and Chinese.
///
/// A list's lines have the form `category score: phrase, {one|another} phrase`; braces stand for every choice of theirs.
/// What has few readings goes into the automaton, phrase by phrase; what has many becomes a pattern.
package enum PhraseLists {
    /// Readings up to which a template is written out.
    private static let readingLimit = 32

    /// Phrases for the automaton; a spelling that several lists hold stands once for each category.
    package static let all: [Phrase] = {
        var seen = Set<Phrase>()
        return templates.filter { $0.readings <= readingLimit }.flatMap(\.phrases).filter {
            seen.insert(Phrase($0.text, $0.category, score: 0)).inserted
        }
    }()

    private static let templates = (published + "\n" + oursEnglish + "\n" + oursChinese).split(separator: "\n")
        .flatMap { PhraseTemplate.parse($0) }

    /// The templates with many readings, one pattern a category, score and script.
    static func detectors() throws -> [PatternDetector] {
        struct Group: Hashable {
            var category: FilterCategory
            var score: Double
            var isChinese: Bool
        }
        let large = templates.filter { $0.readings > readingLimit }
        let groups = Dictionary(grouping: large) {
            Group(category: $0.category, score: $0.score, isChinese: $0.isChinese)
        }
        return try groups.sorted { ($0.key.category, $0.key.score) < ($1.key.category, $1.key.score) }.map {
            group, own in
            let pattern = own.map(\.pattern).joined(separator: "|")
            return try PatternDetector(
                group.isChinese ? "模板" : "template", group.category, score: group.score,
                group.isChinese ? pattern : #"(?i)\b(?:"# + pattern + #")\b"#)
        }
    }
}

/// A phrase with choices.
struct PhraseTemplate {
    var text: Substring
    var category: FilterCategory
    var score: Double

    /// Reads a line of a list; nothing for one that is none.
    static func parse(_ line: Substring) -> [PhraseTemplate] {
        let halves = line.split(separator: ":", maxSplits: 1)
        let head = halves.first?.split(separator: " ") ?? []
        guard halves.count == 2, head.count == 2, let score = Double(head[1]) else { return [] }
        let category = FilterCategory(rawValue: String(head[0]))
        return halves[1].split(separator: ",").map {
            PhraseTemplate(text: $0.drop { $0 == " " }, category: category, score: score)
        }
    }

    /// Fixed texts (one choice) and choices, in order.
    private var parts: [[Substring]] {
        var parts: [[Substring]] = []
        var rest = text
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            if open > rest.startIndex { parts.append([rest[..<open]]) }
            let choices = rest[rest.index(after: open)..<close]
            parts.append(choices.split(separator: "|", omittingEmptySubsequences: false))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { parts.append([rest]) }
        return parts
    }

    var readings: Int { parts.reduce(1) { $0 * $1.count } }

    var isChinese: Bool { text.unicodeScalars.contains { CharacterKind($0.value) == .han } }

    var phrases: [Phrase] {
        parts.reduce([""]) { texts, choices in texts.flatMap { text in choices.map { text + $0 } } }
            .map { Phrase($0, category, score: score) }
    }

    /// As a regular expression over folded text, with digits and signs for letters, and signs between Chinese characters.
    var pattern: String {
        parts.map { choices in
            let spelled = choices.map { isChinese ? Self.spellChinese($0) : Self.spell($0) }
            return spelled.count == 1 ? spelled[0] : "(?:" + spelled.joined(separator: "|") + ")"
        }.joined()
    }

    private static let standIns: [Character: String] = [
        "a": "[a4@]", "e": "[e3]", "i": "[i1!|]", "l": "[l1|]", "o": "[o0]", "s": "[s5$]", "t": "[t7]",
    ]

    private static func spell(_ text: Substring) -> String {
        text.map { character in
            switch character {
            case " ": #"[\s\p{P}]{1,3}"#
            case "'": "['’]?"
            case "-": "[- ]?"
            default: standIns[character] ?? String(character)
            }
        }.joined()
    }

    private static func spellChinese(_ text: Substring) -> String {
        text.map { String($0) + #"[ *_.|/~-]{0,2}"# }.joined()
    }
}
