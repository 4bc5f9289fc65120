/// How one word becomes ids: the last step of encoding.
protocol TokenModel: Sendable {
    /// Appends the ids of a word: valid UTF-8, or the bytes of some.
    func append(_ word: [UInt8], to ids: inout [Int32])
}

/// A word is a token, or the unknown one.
struct WordLevelModel: TokenModel {
    let ids: [[UInt8]: Int32]
    let unknownID: Int32

    func append(_ word: [UInt8], to ids: inout [Int32]) { ids.append(self.ids[word] ?? unknownID) }
}
