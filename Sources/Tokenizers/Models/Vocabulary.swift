/// The tokens of a tokenizer: what bytes each id stands for, and which are control tokens.
package struct Vocabulary: Sendable {
    /// One token.
    struct Entry: Sendable {
        /// The bytes it adds to a text.
        var bytes: [UInt8]
        /// As it is spelt before it is decoded.
        var piece: [UInt8]
        var isSpecial: Bool
        var isAdded: Bool
    }

    /// By id; nil where the vocabulary has a gap.
    var entries: [Entry?] = []
    /// The id of a piece as the model spells it.
    var idOfPiece = PieceTable()

    /// How many tokens a file says that it has, so that gaps between ids are in proportion.
    var expectedCount = 0

    static let sizeLimit = 4_000_000

    /// The ids that so many tokens may have: a file of a few lines must not take the memory of millions.
    static func idLimit(_ count: Int) -> Int { min(sizeLimit, max(1 << 18, 4 * count)) }

    package var count: Int { entries.count }

    /// A token's spelling, or nil where there is none.
    func piece(_ id: Int) -> [UInt8]? { entries.indices.contains(id) ? entries[id]?.piece : nil }

    func isSpecial(_ id: Int32) -> Bool { entries.indices.contains(Int(id)) && entries[Int(id)]?.isSpecial == true }

    mutating func reserveCapacity(_ count: Int) {
        entries.reserveCapacity(count)
        idOfPiece.reserveCapacity(count)
    }

    mutating func insert(
        id: Int, piece: [UInt8], bytes: [UInt8], isSpecial: Bool, isAdded: Bool = false, spelling: [UInt8]? = nil
    ) throws(TokenizerError) {
        let limit = Self.idLimit(max(expectedCount, idOfPiece.count))
        guard id >= 0, id < limit else {
            throw TokenizerError(
                .malformed, "token id \(id) lies outside 0..<\(limit), where a vocabulary of this size has its ids")
        }
        while entries.count <= id { entries.append(nil) }
        entries[id] = Entry(bytes: bytes, piece: spelling ?? piece, isSpecial: isSpecial, isAdded: isAdded)
        idOfPiece[piece] = Int32(id)
    }
}
