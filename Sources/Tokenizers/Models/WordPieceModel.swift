/// WordPiece (Devlin et al., arXiv 1810.04805): from the left the longest piece that is a token, pieces inside of a word
/// being spelt with a prefix; a word that cannot be cut so is unknown as a whole.
struct WordPieceModel: TokenModel {
    private let pieces: ByteTrie
    /// Where the pieces inside of a word begin; nil where there are none.
    private let continuing: Int32?
    private let unknownID: Int32
    private let characterLimit: Int

    /// - Parameters:
    ///   - continuingPrefix: how pieces inside of a word begin, for example `##`.
    ///   - characterLimit: how many characters a word may have before it is unknown.
    init(_ pieces: PieceTable, unknownID: Int32, continuingPrefix: [UInt8], characterLimit: Int) {
        self.pieces = ByteTrie(pieces.lazy.map { ($0.key, $0.value) })
        continuing = self.pieces.node(after: continuingPrefix)
        (self.unknownID, self.characterLimit) = (unknownID, characterLimit)
    }

    func append(_ word: [UInt8], to ids: inout [Int32]) {
        let count = ids.count
        guard word.count <= characterLimit || word.count(where: { $0 & 0xC0 != 0x80 }) <= characterLimit else {
            ids.append(unknownID)
            return
        }
        var position = 0
        var node: Int32? = ByteTrie.root
        while position < word.count {
            guard let start = node, let (id, end) = pieces.longestMatch(in: word, from: position, at: start) else {
                ids.removeSubrange(count...)
                ids.append(unknownID)
                return
            }
            ids.append(id)
            (position, node) = (end, continuing)
        }
    }
}
