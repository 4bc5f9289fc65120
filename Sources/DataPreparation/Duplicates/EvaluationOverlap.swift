/// Texts that a model is to be judged by, and whether a document has a run of words of one.
///
/// As GPT-3's training data was kept apart from its evaluations (Brown et al., arXiv 2005.14165, appendix C): in lower case and
/// without punctuation, 13 words in a row are a match. A text of 8 to 12 words is looked for as a whole; a shorter one matches
/// too much by chance. Where a script sets no spaces, a unit is a character.
package struct EvaluationOverlap: Sendable {
    private var grams: [Int: Set<UInt64>] = [:]
    private let length: Int
    /// Texts that are too short to be looked for.
    package private(set) var tooShort = 0
    package private(set) var texts = 0

    package static let shortest = 8
    /// Runs that are kept, at most: some 16 to 43 bytes each.
    private static let limit = 50_000_000
    package private(set) var count = 0

    /// - Parameter length: units in a row that are a match.
    package init(length: Int) { self.length = length }

    /// - Throws: `DataError.outOfMemory` where there are too many.
    package mutating func add(_ text: String) throws(DataError) {
        texts += 1
        let hashes = TextUnits(text).hashes
        guard hashes.count >= Self.shortest else {
            tooShort += 1
            return
        }
        let own = min(length, hashes.count)
        for gram in TextUnits.grams(hashes, length: own) where grams[own, default: []].insert(gram).inserted {
            count += 1
        }
        guard count <= Self.limit else {
            throw DataError(
                .outOfMemory,
                "the texts of --exclude have more than \(Self.limit) different runs of \(length) words; give fewer texts"
            )
        }
    }

    package func touches(_ units: TextUnits) -> Bool {
        guard !grams.isEmpty else { return false }
        let hashes = units.hashes
        return grams.contains { length, known in
            TextUnits.grams(hashes, length: length).contains { known.contains($0) }
        }
    }
}
