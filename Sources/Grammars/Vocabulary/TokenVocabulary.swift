/// A model's tokens as bytes, laid out for grammars. Made once for a tokenizer.
package final class TokenVocabulary: Sendable {
    package let count: Int
    package let endTokens: [Int32]
    let bytes: [[UInt8]?]
    /// Control tokens, and how a grammar spells them.
    let controls: [Int32: [UInt8]]
    private let controlNumbers: [[UInt8]: Int32]
    private let controlLengths: [Int]
    let trie: TokenTrie
    /// All tokens that add bytes, and all control tokens.
    let all: TokenMask
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
    ///   - controls: how a grammar spells control tokens, by number; those that end a text need none.
    ///   - endTokens: those that end a text.
    package init(tokens: [[UInt8]?], controls: [Int32: [UInt8]] = [:], endTokens: some Sequence<Int32>) {
        count = tokens.count
        self.controls = controls
        controlNumbers = Dictionary(controls.map { ($0.value, $0.key) }, uniquingKeysWith: Swift.min)
        controlLengths = Set(controls.values.map(\.count)).filter { $0 > 0 }.sorted(by: >)
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
        var all = TokenMask(count: count)
        for index in own.indices where own[index] != nil || controls[Int32(index)] != nil { all.insert(Int32(index)) }
        self.all = all
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

    /// A text's control tokens, and what stands between them.
    enum Piece {
        case bytes([UInt8])
        case token(Int32)
    }

    /// - Parameter text: where several control tokens begin at one place, it holds the longest.
    func pieces(of text: String) -> [Piece] {
        let text = Array(text.utf8)
        var pieces: [Piece] = []
        var start = 0, place = 0
        while place < text.count {
            let found = controlLengths.lazy.filter { place + $0 <= text.count }
                .compactMap { self.controlNumbers[Array(text[place..<place + $0])] }.first
            guard let found, let length = controls[found]?.count else {
                place += 1
                continue
            }
            if start < place { pieces.append(.bytes(Array(text[start..<place]))) }
            pieces.append(.token(found))
            place += length
            start = place
        }
        if start < text.count { pieces.append(.bytes(Array(text[start...]))) }
        return pieces
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
