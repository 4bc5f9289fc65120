/// Words to ids, as a model has it; what a word became is remembered.
final class WordEncoder: Sendable {
    private let model: any TokenModel
    /// Whether words reach the model in the alphabet of bytes.
    private let spellsWords: Bool
    private let cache = WordCache()

    init(_ model: any TokenModel, spellsWords: Bool) { (self.model, self.spellsWords) = (model, spellsWords) }

    /// Lends what is remembered to one text at a time.
    func withTable(_ body: (inout WordCache.Table) -> Void) { cache.withTable(body) }

    /// The words of a part of a text, which are not copied.
    func append(
        _ bytes: [UInt8], _ range: Range<Int>, cutBy scanner: WordScanner, to ids: inout [Int32],
        using table: inout WordCache.Table
    ) {
        let remembers = model.dependsOnWordAlone
        var start = range.lowerBound
        while start < range.upperBound {
            let end = scanner.end(of: start, in: bytes, limit: range.upperBound)
            if !remembers || !table.append(bytes, start..<end, to: &ids) {
                let (word, count) = (Array(bytes[start..<end]), ids.count)
                encode(word, to: &ids)
                if remembers { table.remember(word, ids[count...]) }
            }
            start = end
        }
    }

    func append(_ word: [UInt8], to ids: inout [Int32], using table: inout WordCache.Table) {
        if model.dependsOnWordAlone {
            if table.append(word, 0..<word.count, to: &ids) { return }
            let count = ids.count
            encode(word, to: &ids)
            table.remember(word, ids[count...])
        } else {
            encode(word, to: &ids)
        }
    }

    private func encode(_ word: [UInt8], to ids: inout [Int32]) {
        model.append(spellsWords ? ByteLevelAlphabet.spelling(of: word) : word, to: &ids)
    }
}
