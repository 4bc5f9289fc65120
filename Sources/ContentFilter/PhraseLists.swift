/// The words and phrases that are looked for: published lists (`published`) and our own (`ours`), English and Chinese.
///
/// A list's lines have the form `category score: phrase, {one|another} phrase`; braces stand for every choice of theirs.
/// What has few readings goes into the automaton phrase by phrase, what has many slot by slot.
package enum PhraseLists {
    /// Phrases for the automaton; a spelling that several lists hold stands once for each category.
    package static let all: [Phrase] = {
        var seen = Set<Phrase>()
        let short = templates.filter(\.isShort).flatMap(\.phrases)
        return (short + short.flatMap(disguises)).filter {
            seen.insert(Phrase($0.text, $0.category, score: 0)).inserted
        }
    }()

    /// The templates with many readings.
    static let sequences: [PhraseSequence] = {
        let plain = templates.filter { !$0.isShort }.flatMap(\.sequences)
        return plain + plain.flatMap(disguises)
    }()

    // MARK: ROT13 and backwards

    private static func disguises(_ phrase: Phrase) -> [Phrase] {
        let letters = phrase.text.utf8.count { (97...122).contains($0 | 0x20) }
        guard phrase.score >= 0.7, letters >= 5, phrase.text.utf8.allSatisfy({ $0 < 0x80 }) else { return [] }
        return [rotated(phrase.text), String(phrase.text.reversed())].map {
            Phrase($0, phrase.category, score: phrase.score)
        }
    }

    private static func disguises(_ sequence: PhraseSequence) -> [PhraseSequence] {
        guard sequence.slots.joined().allSatisfy({ $0.utf8.allSatisfy { $0 < 0x80 } }) else { return [] }
        var (turned, backwards) = (sequence, sequence)
        turned.slots = sequence.slots.map { $0.map(rotated) }
        backwards.slots = sequence.slots.reversed().map { $0.map { String($0.reversed()) } }
        return [turned, backwards]
    }

    private static func rotated(_ text: String) -> String {
        let bytes = text.utf8.map { byte -> UInt8 in
            guard (97...122).contains(byte | 0x20) else { return byte }
            return byte & 0x20 | ((byte & 0x1F - 1 + 13) % 26 + 1) | 0x40
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let templates = (published + "\n" + oursEnglish + "\n" + oursChinese).split(separator: "\n")
        .flatMap { PhraseTemplate.parse($0) }
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

    /// Readings up to which a template is written out.
    private static let readingLimit = 32

    var isShort: Bool { parts.count == 1 || parts.reduce(1) { $0 * $1.count } <= Self.readingLimit }

    var phrases: [Phrase] {
        parts.reduce([""]) { texts, choices in texts.flatMap { text in choices.map { text + $0 } } }
            .map { Phrase($0, category, score: score) }
    }

    /// A slot that may stay empty is there in one sequence and not in another.
    var sequences: [PhraseSequence] {
        let slots = parts.map { choices in choices.map { $0.trimmed } }.filter { $0 != [""] }
        return slots.reduce([[]]) { readings, slot in
            let choices = slot.filter { !$0.isEmpty }.flatMap(Self.spellings)
            return readings.map { $0 + [choices] } + (slot.contains("") ? readings : [])
        }.map { PhraseSequence(category: category, score: score, slots: $0) }
    }

    /// `i'm` is also written `im`, `self-harm` also `selfharm`.
    private static func spellings(_ choice: Substring) -> [String] {
        let bare = choice.filter { $0 != "'" && $0 != "-" }
        return bare == choice ? [bare] : [String(choice), bare]
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        guard let last = lastIndex(where: { $0 != " " }) else { return "" }
        return self[...last].drop { $0 == " " }
    }
}
