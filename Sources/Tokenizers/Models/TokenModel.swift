/// How one word becomes ids: the last step of encoding.
protocol TokenModel: Sendable {
    /// Appends the ids of a word: valid UTF-8, or the bytes of some.
    func append(_ word: [UInt8], to ids: inout [Int32])

    /// Whether nothing that stands before a word changes what becomes of it.
    var dependsOnWordAlone: Bool { get }
}

extension TokenModel {
    var dependsOnWordAlone: Bool { true }
}

/// A word is a token, or the unknown one.
struct WordLevelModel: TokenModel {
    let ids: PieceTable
    let unknownID: Int32
    /// Whether unknown words in a row are one unknown token.
    var fusesUnknown = false

    var dependsOnWordAlone: Bool { !fusesUnknown }

    func append(_ word: [UInt8], to ids: inout [Int32]) {
        let id = self.ids[word] ?? unknownID
        if !(fusesUnknown && id == unknownID && ids.last == unknownID) { ids.append(id) }
    }
}
