/// What SentencePiece does to a text before it cuts it.
struct SentencePieceNormalizer: Sendable {
    var map: CharacterMap?
    /// Whether a space is put before the text, or behind it where words end with theirs.
    var addsDummyPrefix = true
    var endsWordsWithWhitespace = false
    var removesExtraWhitespace = true
    var escapesWhitespace = true
    /// Symbols that stay as they are.
    var userDefined: ByteTrie?

    private static let mark = Array("▁".utf8)

    /// What stands at `position` becomes, and where the next one stands.
    private func prefix(_ bytes: [UInt8], _ position: Int) -> (end: Int, text: ArraySlice<UInt8>) {
        if let symbol = userDefined?.longestMatch(in: bytes, from: position) {
            return (symbol.end, bytes[position..<symbol.end])
        }
        if let found = map?.longest(in: bytes, from: position) { return (found.end, found.replacement) }
        var end = position + 1
        while end < bytes.count, bytes[end] & 0xC0 == 0x80 { end += 1 }
        return (end, bytes[position..<end])
    }

    func apply(_ bytes: [UInt8]) -> [UInt8] {
        var position = 0
        if removesExtraWhitespace {
            while position < bytes.count {
                let (end, text) = prefix(bytes, position)
                guard text.elementsEqual([0x20]) else { break }
                position = end
            }
        }
        if position == bytes.count { return [] }
        let space = escapesWhitespace ? Self.mark : [0x20]
        var out: [UInt8] = addsDummyPrefix && !endsWordsWithWhitespace ? space : []
        out.reserveCapacity(bytes.count + bytes.count / 4)
        var isBehindSpace = removesExtraWhitespace
        while position < bytes.count {
            let (end, text) = prefix(bytes, position)
            position = end
            let rest = isBehindSpace ? text.drop { $0 == 0x20 } : text
            guard !rest.isEmpty else { continue }
            for byte in rest {
                if byte == 0x20 { out.append(contentsOf: space) } else { out.append(byte) }
            }
            isBehindSpace = removesExtraWhitespace && rest.last == 0x20
        }
        if removesExtraWhitespace {
            while out.count >= space.count, out.suffix(space.count).elementsEqual(space) { out.removeLast(space.count) }
        }
        if addsDummyPrefix, endsWordsWithWhitespace { out += space }
        return out
    }
}
