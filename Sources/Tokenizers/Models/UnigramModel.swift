/// A unigram language model (Kudo, arXiv 1804.10959): of all ways to cut a word into pieces the likeliest, found by
/// Viterbi's algorithm in time linear in the word's length.
///
/// Sums are as precise as the scores are: `Double` in Hugging Face tokenizers, `Float` in SentencePiece.
struct UnigramModel<Score: BinaryFloatingPoint & Sendable>: TokenModel {
    struct Piece: Sendable {
        var bytes: [UInt8]
        var id: Int32
        /// log-likelihood
        var score: Score
        /// Taken wherever it stands, as SentencePiece's user-defined symbols are.
        var isUserDefined = false
    }

    private let pieces: ByteTrie
    private let scores: [Score]
    private let ids: [Int32]
    private let userDefined: [Bool]
    private let maximum: Score
    private let unknownScore: Score
    private let unknownID: Int32
    private let byteIDs: [Int32?]

    /// - Parameters:
    ///   - minimum: the lowest score of all tokens, control tokens among them. Unknown characters score 10 less.
    ///   - maximum: the highest one.
    ///   - byteIDs: tokens for the bytes of unknown characters; empty where there are none.
    init(_ pieces: [Piece], minimum: Score, maximum: Score, unknownID: Int32, byteIDs: [Int32?]) {
        self.pieces = ByteTrie(pieces.enumerated().lazy.map { ($0.element.bytes, Int32($0.offset)) })
        scores = pieces.map(\.score)
        ids = pieces.map(\.id)
        userDefined = pieces.map(\.isUserDefined)
        (unknownScore, self.maximum) = (minimum - 10, maximum)
        (self.unknownID, self.byteIDs) = (unknownID, byteIDs)
    }

    /// The best way to a place in the word.
    private struct Step {
        var score: Score = 0
        /// Where the last piece begins; −1 where no way leads here.
        var start: Int32 = -1
        /// −1 for an unknown character.
        var piece: Int32 = -1
    }

    func append(_ word: [UInt8], to ids: inout [Int32]) {
        var steps = [Step](repeating: Step(), count: word.count + 1)
        func offer(_ end: Int, _ score: Score, _ start: Int, _ piece: Int32) {
            if steps[end].start < 0 || score > steps[end].score {
                steps[end] = Step(score: score, start: Int32(start), piece: piece)
            }
        }
        var start = 0
        while start < word.count {
            let score = steps[start].score
            var character = start + 1
            while character < word.count, word[character] & 0xC0 == 0x80 { character += 1 }
            var hasCharacter = false
            var node = ByteTrie.root
            var end = start
            while end < word.count, let next = pieces.child(of: node, word[end]) {
                node = next
                end += 1
                guard let piece = pieces.value(at: node) else { continue }
                let own =
                    userDefined[Int(piece)] ? Score(end - start) * maximum - Score(0.1) : scores[Int(piece)]
                offer(end, score + own, start, piece)
                if end == character { hasCharacter = true }
            }
            if !hasCharacter { offer(character, score + unknownScore, start, -1) }
            start = character
        }
        appendPath(steps, word, to: &ids)
    }

    private func appendPath(_ steps: [Step], _ word: [UInt8], to ids: inout [Int32]) {
        var path: [(range: Range<Int>, piece: Int32)] = []
        var end = word.count
        while end > 0 {
            let step = steps[end]
            path.append((Int(step.start)..<end, step.piece))
            end = Int(step.start)
        }
        var unknown: Range<Int>?
        func appendUnknown() {
            guard let range = unknown else { return }
            unknown = nil
            let bytes = byteIDs.isEmpty ? [] : word[range].compactMap { byteIDs[Int($0)] }
            if bytes.count == range.count { ids.append(contentsOf: bytes) } else { ids.append(unknownID) }
        }
        for (range, piece) in path.reversed() {
            if piece < 0 {
                // Unknown characters in a row are one.
                unknown = (unknown?.lowerBound ?? range.lowerBound)..<range.upperBound
            } else {
                appendUnknown()
                ids.append(self.ids[Int(piece)])
            }
        }
        appendUnknown()
    }
}
