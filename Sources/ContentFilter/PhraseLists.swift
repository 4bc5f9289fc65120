/// The words and phrases that are looked for: published lists (`published`) and our own (`ours`), English and Chinese.
package enum PhraseLists {
    /// Every phrase; a spelling that several lists hold stands once for each category.
    package static let all: [Phrase] = {
        var seen = Set<Phrase>()
        return (parse(published) + parse(oursEnglish) + parse(oursChinese)).filter {
            seen.insert(Phrase($0.text, $0.category, score: 0)).inserted
        }
    }()

    /// Reads lines of the form `category score: phrase, {one|another} phrase`. Braces stand for every choice of theirs.
    static func parse(_ text: String) -> [Phrase] {
        text.split(separator: "\n").flatMap { line -> [Phrase] in
            let halves = line.split(separator: ":", maxSplits: 1)
            let head = halves.first?.split(separator: " ") ?? []
            guard halves.count == 2, head.count == 2, let score = Double(head[1]) else { return [] }
            return halves[1].split(separator: ",").flatMap { part in
                expand(part.drop { $0 == " " }).map {
                    Phrase($0, FilterCategory(rawValue: String(head[0])), score: score)
                }
            }
        }
    }

    private static func expand(_ text: Substring) -> [String] {
        guard let open = text.firstIndex(of: "{"), let close = text[open...].firstIndex(of: "}") else {
            return [String(text)]
        }
        let rest = expand(text[text.index(after: close)...])
        let choices = text[text.index(after: open)..<close].split(separator: "|", omittingEmptySubsequences: false)
        return choices.flatMap { choice in rest.map { String(text[..<open]) + choice + $0 } }
    }
}
