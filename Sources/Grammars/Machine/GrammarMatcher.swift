/// How far one answer has followed a grammar. A value: a copy goes its own way.
package struct GrammarMatcher: Sendable {
    private let grammar: CompiledGrammar
    private var threads: [RuleThread]
    private var text = RuleText()

    package init(_ grammar: CompiledGrammar) { (self.grammar, threads) = (grammar, grammar.start) }

    /// The tokens that may follow.
    package func mask() throws(GrammarError) -> TokenMask { try grammar.mask(threads, text) }

    /// Tokens that will probably follow: the longest ones of the bytes that follow whatever is chosen.
    ///
    /// A model may spell these bytes otherwise, which stays possible.
    package func foreseen(limit: Int) -> [Int32] {
        guard limit > 0, let bytes = try? grammar.forced(threads, text, limit: limit * 8) else { return [] }
        return grammar.vocabulary.trie.longest(of: bytes, limit: limit)
    }

    /// Takes a token in.
    ///
    /// - Returns: whether it may follow; where not, nothing has changed.
    package mutating func accept(_ id: Int32) throws(GrammarError) -> Bool {
        if grammar.vocabulary.endTokens.contains(id) { return canEnd }
        return try grammar.advance(&threads, id, &text)
    }

    /// Takes bytes in.
    ///
    /// - Returns: whether they may follow; where not, nothing has changed.
    package mutating func accept(_ bytes: [UInt8]) throws(GrammarError) -> Bool {
        try grammar.advance(&threads, bytes: bytes, &text)
    }

    /// Whether a token may follow.
    package func allows(_ id: Int32) throws(GrammarError) -> Bool {
        if grammar.vocabulary.endTokens.contains(id) { return canEnd }
        return try grammar.allows(id, threads, text)
    }

    /// Whether the text so far is whole, and nothing may follow.
    package var isDone: Bool { grammar.isDone(threads) }

    /// Whether the text so far is whole.
    package var canEnd: Bool { grammar.canEnd(threads) }
}
