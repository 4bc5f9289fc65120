/// What each token adds to a text, one behind the other.
struct TokenTexts: Sendable {
    private var bytes: [UInt8] = []
    /// Of each token: where its bytes end (from bit 2 on), and its kind. They begin where those of the token before end; 0
    /// stands first.
    private var ends: [UInt32] = [0]

    private static let missing: UInt32 = 0, plain: UInt32 = 1, special: UInt32 = 2, kindMask: UInt32 = 3

    /// - Throws: `TokenizerError.malformed` for a vocabulary of more than 1 GiB.
    init(_ vocabulary: Vocabulary) throws(TokenizerError) {
        ends.reserveCapacity(vocabulary.count + 1)
        for entry in vocabulary.entries {
            let own = entry?.bytes ?? []
            guard bytes.count + own.count < 1 << 30 else {
                throw TokenizerError(.malformed, "the vocabulary's text has more than \(1 << 30) bytes")
            }
            let kind = entry.map { $0.isSpecial ? Self.special : Self.plain } ?? Self.missing
            bytes += own
            ends.append(UInt32(bytes.count) << 2 | kind)
        }
    }

    func isSpecial(_ id: Int32) -> Bool {
        id >= 0 && Int(id) + 1 < ends.count && ends[Int(id) + 1] & Self.kindMask == Self.special
    }

    /// What tokens add in the midst of a text, between what stands before and behind them; nil where one is missing.
    func text(
        of ids: ArraySlice<Int32>, between head: [UInt8], and tail: [UInt8], skipsSpecialTokens: Bool
    ) -> [UInt8]? {
        let (source, ends) = (bytes, ends)
        let room = ids.count * 5 + 64
        var text = [UInt8](repeating: 0, count: head.count + tail.count + room)
        for (index, byte) in head.enumerated() { text[index] = byte }
        var position = head.count
        for id in ids {
            guard id >= 0, Int(id) + 1 < ends.count else { return nil }
            let last = ends[Int(id) + 1]
            if last & Self.kindMask == Self.missing { return nil }
            if skipsSpecialTokens, last & Self.kindMask == Self.special { continue }
            let start = Int(ends[Int(id)] >> 2), end = Int(last >> 2)
            if position + end - start > text.count {
                text += [UInt8](repeating: 0, count: room + end - start)
            }
            // Most are a few bytes long: a loop costs less than a call.
            for index in start..<end {
                text[position] = source[index]
                position &+= 1
            }
        }
        text.removeLast(text.count - position)
        text += tail
        return text
    }
}
