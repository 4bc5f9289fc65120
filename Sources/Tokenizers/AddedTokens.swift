/// Tokens that are found in a text before it is cut into words: some in the text as it stands, the others once it is
/// normalized.
struct AddedTokens: Sendable {
    struct Token: Sendable {
        var id: Int32
        var content: [UInt8]
        var isSpecial: Bool
        /// Whether white space at its left or right belongs to it.
        var stripsLeft = false
        var stripsRight = false
        var isSingleWord = false
        /// Whether it is looked for in the normalized text, itself normalized.
        var isNormalized = false
    }

    enum Piece: Sendable {
        case text(Range<Int>)
        case token(Int32)
    }

    /// Tokens by what is looked for.
    struct Matcher: Sendable {
        /// The tokens that are spelt alike.
        private var tokens: [[Token]] = []
        /// Indices into `tokens`.
        private var patterns = ByteTrie([])
        /// Whether one begins with a byte.
        private var begins = [Bool](repeating: false, count: 256)

        init(_ all: [(bytes: [UInt8], token: Token)]) {
            var indices: [[UInt8]: Int] = [:]
            for (bytes, token) in all where !bytes.isEmpty {
                if let index = indices[bytes] {
                    tokens[index].append(token)
                } else {
                    indices[bytes] = tokens.count
                    tokens.append([token])
                    begins[Int(bytes[0])] = true
                }
            }
            patterns = ByteTrie(indices.map { ($0.key, Int32($0.value)) })
        }

        var isEmpty: Bool { tokens.isEmpty }

        /// Cuts `bytes` at the tokens, leftmost and longest first.
        ///
        /// - Parameter allows: whether a token may be found at a range.
        func split(_ bytes: [UInt8], allows: (Token, Range<Int>) -> Bool) -> [Piece] {
            var pieces: [Piece] = []
            var start = 0
            var position = 0
            while position < bytes.count {
                guard begins[Int(bytes[position])], let (token, length) = match(bytes, at: position, allows: allows)
                else {
                    position += 1
                    continue
                }
                let isAlone =
                    !token.isSingleWord
                    || !(UnicodeClasses.lastScalar(bytes[..<position]).map { UnicodeClasses.isWord($0.scalar) } ?? false)
                        && !(UnicodeClasses.scalar(bytes[(position + length)...]).map {
                            UnicodeClasses.isWord($0.scalar)
                        }
                            ?? false)
                guard isAlone else {
                    position += length
                    continue
                }
                var (begin, end) = (position, position + length)
                if token.stripsLeft {
                    while begin > start, let last = UnicodeClasses.lastScalar(bytes[start..<begin]),
                        UnicodeClasses.isSpace(last.scalar)
                    {
                        begin -= last.length
                    }
                }
                if token.stripsRight {
                    while let next = UnicodeClasses.scalar(bytes[end...]), UnicodeClasses.isSpace(next.scalar) {
                        end += next.length
                    }
                }
                if begin > start { pieces.append(.text(start..<begin)) }
                pieces.append(.token(token.id))
                (start, position) = (end, end)
            }
            if start < bytes.count { pieces.append(.text(start..<bytes.count)) }
            return pieces
        }

        private func match(
            _ bytes: [UInt8], at position: Int, allows: (Token, Range<Int>) -> Bool
        ) -> (Token, Int)? {
            var found: [(index: Int, end: Int)] = []
            var (node, end) = (ByteTrie.root, position)
            while end < bytes.count, let next = patterns.child(of: node, bytes[end]) {
                (node, end) = (next, end + 1)
                if let index = patterns.value(at: node) { found.append((Int(index), end)) }
            }
            for (index, end) in found.reversed() {
                for token in tokens[index] where allows(token, position..<end) { return (token, end - position) }
            }
            return nil
        }
    }

    let tokens: [Token]
    /// Whether none is looked for in the normalized text.
    var isPlain: Bool { normalized.isEmpty }
    private let plain: Matcher
    private let normalized: Matcher
    /// The tokens that are normalized and special, as they are spelt: where only a part of a text is trusted, they are found
    /// in that part as it stands, since what becomes of its borders in normalizing is not known.
    private let spelt: Matcher

    init(_ tokens: [Token], normalizer: Normalizer = .identity) {
        self.tokens = tokens.filter { !$0.content.isEmpty }
        plain = Matcher(self.tokens.filter { !$0.isNormalized }.map { ($0.content, $0) })
        normalized = Matcher(self.tokens.filter(\.isNormalized).map { (normalizer.apply($0.content), $0) })
        spelt = Matcher(self.tokens.map { ($0.content, $0) })
    }

    /// Cuts a text as it stands.
    ///
    /// - Parameters:
    ///   - trusted: ranges in which a special token may be found; elsewhere it is ordinary text.
    ///   - guarded: further tokens that are found there alone.
    func split(_ bytes: [UInt8], trusted: [Range<Int>], guarded: Set<Int32>) -> [Piece] {
        func needsTrust(_ token: Token) -> Bool { token.isSpecial || guarded.contains(token.id) }
        var trust = trusted[...]
        func isTrusted(_ range: Range<Int>) -> Bool {
            while let first = trust.first, first.upperBound <= range.lowerBound { trust.removeFirst() }
            return trust.first.map { $0.lowerBound <= range.lowerBound && range.upperBound <= $0.upperBound } ?? false
        }
        if trusted.isEmpty || trusted == [0..<bytes.count] {
            return plain.split(bytes) { token, range in !needsTrust(token) || isTrusted(range) }
        }
        return spelt.split(bytes) { token, range in
            needsTrust(token) ? isTrusted(range) : !token.isNormalized
        }
    }

    /// Cuts a text that is normalized.
    ///
    /// - Parameter isTrusted: whether special tokens may be found in it.
    func splitNormalized(_ bytes: [UInt8], isTrusted: Bool, guarded: Set<Int32>) -> [Piece] {
        if normalized.isEmpty { return bytes.isEmpty ? [] : [.text(0..<bytes.count)] }
        return normalized.split(bytes) { token, _ in
            isTrusted || !(token.isSpecial || guarded.contains(token.id))
        }
    }
}

extension AddedTokens {
    /// The tokens that are not special and stand in texts that a template writes: control tokens of its own.
    func ids(writtenIn literals: [String]) -> Set<Int32> {
        Set(
            tokens.filter { token in !token.isSpecial && literals.contains { $0.utf8.contains(token.content) } }
                .map(\.id))
    }
}
