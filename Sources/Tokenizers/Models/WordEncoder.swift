/// Words to ids, as a model has it; what a word became is remembered.
final class WordEncoder: Sendable {
    private let model: any TokenModel
    /// Whether words reach the model in the alphabet of bytes.
    private let spellsWords: Bool
    private let cache = WordCache()

    init(_ model: any TokenModel, spellsWords: Bool) { (self.model, self.spellsWords) = (model, spellsWords) }

    /// Lends what is remembered to one text at a time.
    func withTable(_ body: (inout WordCache.Table) -> Void) { cache.withTable(body) }

    func append(_ word: [UInt8], to ids: inout [Int32], using table: inout WordCache.Table) {
        if model.dependsOnWordAlone {
            table.append(word, to: &ids, make: encode)
        } else {
            encode(word, to: &ids)
        }
    }

    private func encode(_ word: [UInt8], to ids: inout [Int32]) {
        model.append(spellsWords ? ByteLevelAlphabet.spelling(of: word) : word, to: &ids)
    }
}
