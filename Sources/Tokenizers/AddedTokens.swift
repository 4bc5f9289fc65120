/// Tokens that are found in the text as they stand, before anything else is done to it.
struct AddedTokens: Sendable {
    struct Token: Sendable {
        var id: Int32
        var content: [UInt8]
        var isSpecial: Bool
        /// Whether white space at its left or right belongs to it.
        var stripsLeft = false
        var stripsRight = false
        var isSingleWord = false
    }

    enum Piece: Sendable {
        case text(Range<Int>)
        case token(Int32)
    }

    private(set) var tokens: [Token] = []
    /// Indices into `tokens` by first byte, longest content first.
    private var byFirstByte = [[Int]](repeating: [], count: 256)

    init(_ tokens: [Token]) {
        self.tokens = tokens.filter { !$0.content.isEmpty }
        for (index, token) in self.tokens.enumerated() { byFirstByte[Int(token.content[0])].append(index) }
        for byte in 0..<256 {
            byFirstByte[byte].sort { self.tokens[$0].content.count > self.tokens[$1].content.count }
        }
    }

    /// Cuts `bytes` at the added tokens.
    ///
    /// - Parameter trusted: ranges in which a special token may be found; elsewhere it is ordinary text.
    func split(_ bytes: [UInt8], trusted: [Range<Int>], guarded: Set<Int32>) -> [Piece] {
        var pieces: [Piece] = []
        var start = 0
        var position = 0
        var trust = trusted[...]
        while position < bytes.count {
            while let first = trust.first, first.upperBound <= position { trust.removeFirst() }
            guard let token = match(bytes, at: position, trusted: trust.first, guarded: guarded) else {
                position += 1
                continue
            }
            var end = position
            if token.stripsLeft { while end > start, isSpace(bytes[end - 1]) { end -= 1 } }
            if end > start { pieces.append(.text(start..<end)) }
            pieces.append(.token(token.id))
            position += token.content.count
            if token.stripsRight { while position < bytes.count, isSpace(bytes[position]) { position += 1 } }
            start = position
        }
        if start < bytes.count { pieces.append(.text(start..<bytes.count)) }
        return pieces
    }

    private func match(_ bytes: [UInt8], at position: Int, trusted: Range<Int>?, guarded: Set<Int32>) -> Token? {
        for index in byFirstByte[Int(bytes[position])] {
            let token = tokens[index]
            let end = position + token.content.count
            guard end <= bytes.count, bytes[position..<end].elementsEqual(token.content) else { continue }
            if token.isSpecial || guarded.contains(token.id) {
                guard let trusted, trusted.lowerBound <= position, end <= trusted.upperBound else { continue }
            }
            if token.isSingleWord {
                guard position == 0 || !isWord(bytes[position - 1]), end == bytes.count || !isWord(bytes[end]) else {
                    continue
                }
            }
            return token
        }
        return nil
    }

    private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private func isWord(_ byte: UInt8) -> Bool {
        byte >= 0x80 || byte == UInt8(ascii: "_") || UnicodeScalar(byte).properties.isAlphabetic
            || (0x30...0x39).contains(byte)
    }
}
