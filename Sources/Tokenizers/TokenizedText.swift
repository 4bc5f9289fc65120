/// A text, or two of them, as an encoder reads it.
package struct TokenizedText: Sendable, Hashable {
    package var ids: [Int32]
    /// Which text each id belongs to, as the model was taught (BERT's token types); as many as `ids`.
    package var typeIDs: [Int32]

    package init(ids: [Int32], typeIDs: [Int32]) { (self.ids, self.typeIDs) = (ids, typeIDs) }
}

/// How texts that are too long become shorter.
package struct Truncation: Sendable, Hashable {
    package enum Strategy: String, Sendable {
        /// The longer of two texts gives way first.
        case longestFirst = "LongestFirst"
        case onlyFirst = "OnlyFirst"
        case onlySecond = "OnlySecond"
    }

    package enum Side: String, Sendable { case left = "Left", right = "Right" }

    /// The most ids, special tokens among them.
    package var maxLength: Int
    package var strategy: Strategy
    /// Where ids go.
    package var side: Side

    package init(maxLength: Int, strategy: Strategy = .longestFirst, side: Side = .right) {
        (self.maxLength, self.strategy, self.side) = (maxLength, strategy, side)
    }

    /// How many ids of each text stay, of at most `limit` together.
    ///
    /// Source: `truncate_encodings` of Hugging Face tokenizers: of two texts the shorter one stays whole where half of
    /// the limit holds it.
    ///
    /// - Throws: `TokenizerError.invalidRequest` where the one text that may give way is not long enough.
    func lengths(_ first: Int, _ second: Int?, limit: Int) throws(TokenizerError) -> (first: Int, second: Int) {
        let other = second ?? 0
        let excess = first + other - limit
        if excess <= 0 { return (first, other) }
        if limit == 0 { return (0, 0) }
        switch strategy {
        case .longestFirst:
            guard second != nil else { return (limit, 0) }
            let shorter = min(first, other)
            let (small, large) =
                shorter <= limit - shorter ? (shorter, limit - shorter) : (limit / 2, limit - limit / 2)
            return first <= other ? (small, large) : (large, small)
        case .onlyFirst:
            guard first > excess else { throw tooShort("first", first, excess) }
            return (first - excess, other)
        case .onlySecond:
            guard second != nil else {
                throw TokenizerError(.invalidRequest, "only a second text may be truncated, and there is none")
            }
            guard other > excess else { throw tooShort("second", other, excess) }
            return (first, other - excess)
        }
    }

    private func tooShort(_ which: String, _ count: Int, _ excess: Int) -> TokenizerError {
        TokenizerError(
            .invalidRequest,
            "the \(which) text has \(count) tokens, and \(excess) or more would have to go to leave \(maxLength); "
                + "shorten the texts or truncate both")
    }

    func apply(_ ids: [Int32], keeping count: Int) -> [Int32] {
        if count >= ids.count { return ids }
        return Array(side == .right ? ids.prefix(count) : ids.suffix(count))
    }
}

extension Tokenizer {
    /// The ids and the token types of a text.
    ///
    /// - Parameters:
    ///   - addSpecialTokens: whether the tokens that the model expects around a text are put there.
    ///   - truncation: nil leaves the text as long as it is.
    /// - Throws: `TokenizerError.invalidRequest` where there is no room for the special tokens.
    package func encode(
        _ text: String, addSpecialTokens: Bool = true, truncation: Truncation?
    ) throws(TokenizerError) -> TokenizedText {
        try tokenized(text, nil, addSpecialTokens: addSpecialTokens, truncation: truncation)
    }

    /// The ids and the token types of two texts together, for example a question and a passage.
    ///
    /// - Throws: `TokenizerError.invalidRequest` where there is no room for the special tokens, or the one text that may
    ///   give way is not long enough.
    package func encodePair(
        _ first: String, _ second: String, addSpecialTokens: Bool = true, truncation: Truncation? = nil
    ) throws(TokenizerError) -> TokenizedText {
        try tokenized(first, second, addSpecialTokens: addSpecialTokens, truncation: truncation)
    }

    /// - Parameter parseSpecialTokens: whether control tokens spelt out in the texts become control tokens.
    func tokenized(
        _ first: String, _ second: String?, addSpecialTokens: Bool, truncation: Truncation?,
        parseSpecialTokens: Bool = false
    ) throws(TokenizerError) -> TokenizedText {
        func plain(_ text: String) -> [Int32] {
            let bytes = Array(text.utf8)
            return encode(bytes, trusted: parseSpecialTokens ? [0..<bytes.count] : [])
        }
        var ids = plain(first)
        var others = second.map(plain)
        if let truncation {
            let added = addSpecialTokens ? postProcessor.addedCount(isPair: second != nil) : 0
            guard truncation.maxLength >= added else {
                throw TokenizerError(
                    .invalidRequest,
                    "at most \(truncation.maxLength) tokens are asked for, and \(added) special tokens stand around a text"
                )
            }
            let kept = try truncation.lengths(ids.count, others?.count, limit: truncation.maxLength - added)
            ids = truncation.apply(ids, keeping: kept.first)
            others = others.map { truncation.apply($0, keeping: kept.second) }
        }
        return postProcessor.apply(ids, others, addSpecialTokens: addSpecialTokens)
    }
}
