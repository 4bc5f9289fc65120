/// A model's tokens as bytes, laid out for grammars. Made once for a tokenizer.
package final class TokenVocabulary: Sendable {
    package let count: Int
    package let endTokens: [Int32]
    let bytes: [[UInt8]?]
    let trie: TokenTrie
    /// Tokens that stay within a JSON string that has none of its characters begun; and of these, those of at most so many
    /// scalars.
    let inner: TokenMask
    let innerUpTo: [TokenMask]
    /// What follows the quotation mark that ends such a string, of the tokens that hold one.
    let exits: TokenTrie
    /// Those of these tokens that may end a member's name.
    let keyExits: [Int32]

    /// - Parameters:
    ///   - tokens: by number, the bytes that a token adds to a text; nil for one that adds none, as control tokens.
    ///   - endTokens: those that end a text.
    package init(tokens: [[UInt8]?], endTokens: some Sequence<Int32>) {
        count = tokens.count
        let ends = Set(endTokens)
        self.endTokens = ends.filter { $0 >= 0 && Int($0) < tokens.count }.sorted()
        var strings: [(bytes: [UInt8], entry: TokenTrie.Entry)] = []
        var exits: [(bytes: [UInt8], entry: TokenTrie.Entry)] = []
        var keyExits: [Int32] = []
        var inner = TokenMask(count: count)
        var lengths: [(id: Int32, scalars: Int)] = []
        var own = tokens
        for (index, token) in tokens.enumerated() {
            let id = Int32(index)
            guard let token, !token.isEmpty, !ends.contains(id) else {
                own[index] = nil
                continue
            }
            strings.append((token, .init(id: id, scalars: 0)))
            switch Self.place(token) {
            case .outside: break
            case .inside(let scalars):
                inner.insert(id)
                lengths.append((id, scalars))
            case .exit(let scalars, let rest):
                exits.append((rest, .init(id: id, scalars: Int32(scalars))))
                if rest.first.map({ [0x3A, 0x20, 0x09, 0x0A, 0x0D].contains($0) }) ?? true { keyExits.append(id) }
            }
        }
        bytes = own
        trie = TokenTrie(strings)
        (self.inner, self.exits, self.keyExits) = (inner, TokenTrie(exits), keyExits)
        var upTo: [TokenMask] = []
        var mask = TokenMask(count: count)
        lengths.sort { $0.scalars < $1.scalars }
        var next = 0
        for limit in 0...(lengths.last?.scalars ?? 0) {
            while next < lengths.count, lengths[next].scalars <= limit {
                mask.insert(lengths[next].id)
                next += 1
            }
            upTo.append(mask)
        }
        innerUpTo = upTo
    }

    /// nil for a token that adds nothing, and for one that there is not.
    func bytes(of id: Int32) -> [UInt8]? { bytes.indices.contains(Int(id)) ? bytes[Int(id)] : nil }

    private enum Place {
        case outside
        /// So many scalars are begun or ended in it.
        case inside(scalars: Int)
        case exit(scalars: Int, rest: [UInt8])
    }

    /// Where a token leads in a JSON string.
    private static func place(_ token: [UInt8]) -> Place {
        var decoder = TextDecoder.start
        var scalars = 0
        for (index, byte) in token.enumerated() {
            switch decoder.next(byte) {
            case .fault: return .outside
            case .end: return .exit(scalars: scalars, rest: Array(token[(index + 1)...]))
            case .scalar: scalars += 1
            case .escaped, .partial: break
            }
        }
        return .inside(scalars: decoder.isAtStart ? scalars : scalars + 1)
    }
}
