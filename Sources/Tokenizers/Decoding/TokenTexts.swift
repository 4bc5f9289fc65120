/// What each token adds to a text, one behind the other.
struct TokenTexts: Sendable {
    private var bytes: [UInt8] = []
    /// Of each token: where its bytes begin (from bit 32 on), how many there are (from bit 2 on), and its kind.
    private var spans: [UInt64] = []

    private static let missing: UInt64 = 0, plain: UInt64 = 1, special: UInt64 = 2, kindMask: UInt64 = 3

    /// - Throws: `TokenizerError.malformed` for a vocabulary of more than 1 GiB.
    init(_ vocabulary: Vocabulary) throws(TokenizerError) {
        spans.reserveCapacity(vocabulary.count)
        for entry in vocabulary.entries {
            let own = entry?.bytes ?? []
            guard bytes.count + own.count < 1 << 30 else {
                throw TokenizerError(.malformed, "the vocabulary's text has more than \(1 << 30) bytes")
            }
            let kind = entry.map { $0.isSpecial ? Self.special : Self.plain } ?? Self.missing
            spans.append(UInt64(bytes.count) << 32 | UInt64(own.count) << 2 | kind)
            bytes += own
        }
    }

    func isSpecial(_ id: Int32) -> Bool {
        spans.indices.contains(Int(id)) && spans[Int(id)] & Self.kindMask == Self.special
    }

    /// What tokens add in the midst of a text, between what stands before and behind them; nil where one is missing.
    func text(
        of ids: ArraySlice<Int32>, between head: [UInt8], and tail: [UInt8], skipsSpecialTokens: Bool
    ) -> [UInt8]? {
        let (source, spans) = (bytes, spans)
        let room = ids.count * 5 + 64
        var text = head + [UInt8](repeating: 0, count: room)
        var position = head.count
        for id in ids {
            guard id >= 0, Int(id) < spans.count else { return nil }
            let span = spans[Int(id)]
            if span & Self.kindMask == Self.missing { return nil }
            if skipsSpecialTokens, span & Self.kindMask == Self.special { continue }
            let start = Int(span >> 32)
            let end = start + Int((span & 0xFFFF_FFFF) >> 2)
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
        return text + tail
    }
}
