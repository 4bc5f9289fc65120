/// What each token adds to a text, one behind the other.
struct TokenTexts: Sendable {
    private var bytes: [UInt8] = []
    /// Where each token's bytes end.
    private var ends: [Int32] = []
    private var kinds: [Kind] = []

    private enum Kind: UInt8, Sendable { case missing, plain, special }

    /// - Throws: `TokenizerError.malformed` for a vocabulary of more than 2 GiB.
    init(_ vocabulary: Vocabulary) throws(TokenizerError) {
        ends.reserveCapacity(vocabulary.count)
        kinds.reserveCapacity(vocabulary.count)
        for entry in vocabulary.entries {
            bytes += entry?.bytes ?? []
            guard let end = Int32(exactly: bytes.count) else {
                throw TokenizerError(.malformed, "the vocabulary's text has more than \(Int32.max) bytes")
            }
            ends.append(end)
            kinds.append(entry.map { $0.isSpecial ? .special : .plain } ?? .missing)
        }
    }

    func isSpecial(_ id: Int32) -> Bool { kinds.indices.contains(Int(id)) && kinds[Int(id)] == .special }

    /// Where the bytes lie that a token adds; nil where there is no such token.
    private func range(_ id: Int32, _ skipsSpecialTokens: Bool) -> Range<Int>? {
        let index = Int(id)
        guard index >= 0, index < ends.count, kinds[index] != .missing else { return nil }
        if skipsSpecialTokens, kinds[index] == .special { return 0..<0 }
        return (index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index])
    }

    /// What tokens add in the midst of a text, between what stands before and behind them; nil where one is missing.
    func text(
        of ids: ArraySlice<Int32>, between head: [UInt8], and tail: [UInt8], skipsSpecialTokens: Bool
    ) -> [UInt8]? {
        var count = head.count + tail.count
        for id in ids {
            guard let range = range(id, skipsSpecialTokens) else { return nil }
            count += range.count
        }
        var text = head
        text.reserveCapacity(count)
        text += [UInt8](repeating: 0, count: count - head.count - tail.count)
        let source = bytes
        var position = head.count
        for id in ids {
            guard let range = range(id, skipsSpecialTokens) else { return nil }
            // Most are a few bytes long: a loop costs less than a call.
            for index in range {
                text[position] = source[index]
                position &+= 1
            }
        }
        text += tail
        return text
    }
}
