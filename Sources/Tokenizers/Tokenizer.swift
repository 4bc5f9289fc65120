/// Text to token ids and back, as a checkpoint's files define it.
package struct Tokenizer: Sendable {
    package let vocabulary: Vocabulary
    /// SHA-256 over the files that define it, in hexadecimal: equal hashes encode equally.
    package let hash: String
    package let chatTemplate: ChatTemplate?
    /// That of conversations with tools, where it is another one.
    package let toolTemplate: ChatTemplate?
    /// The tokens named in `tokenizer_config.json`.
    package let beginOfText: Int32?
    package let endOfText: Int32?
    /// What ends a chat model's turn, where a GGUF file says it.
    package let endOfTurnTokens: Set<Int32>
    /// Tokens that a model may not say, where the tokenizer's file names any (GGUF).
    package let suppressedTokens: Set<Int32>

    /// What an operator should know of the files.
    package let notes: [String]

    let normalizer: Normalizer
    let preTokenizer: PreTokenizer
    /// Where it cuts a text by itself.
    let scanner: WordScanner?
    let added: AddedTokens
    let words: WordEncoder
    let postProcessor: PostProcessor
    let decoder: TokenDecoder
    let texts: TokenTexts
    /// What `tokenizer.json` says of truncation; nothing is truncated unless a caller asks for it.
    package let truncation: Truncation?

    /// The ids of a text.
    ///
    /// - Parameters:
    ///   - addSpecialTokens: whether the begin (and end) tokens that the model expects are put around it.
    ///   - parseSpecialTokens: whether control tokens spelt out in the text become control tokens. Never for text
    ///     from outside.
    package func encode(_ text: String, addSpecialTokens: Bool, parseSpecialTokens: Bool = false) -> [Int32] {
        let bytes = Array(text.utf8)
        let ids = encode(bytes, trusted: parseSpecialTokens ? [0..<bytes.count] : [])
        if !addSpecialTokens, postProcessor.keepsText { return ids }
        return postProcessor.apply(ids, addSpecialTokens: addSpecialTokens).ids
    }

    /// The ids of valid UTF-8 of which only the `trusted` ranges may hold control tokens.
    ///
    /// - Parameter guarded: further added tokens that only those ranges may hold.
    package func encode(_ bytes: [UInt8], trusted: [Range<Int>], guarded: Set<Int32> = []) -> [Int32] {
        var ids: [Int32] = []
        words.withTable { table in
            var isFirst = true
            for piece in added.split(bytes, trusted: trusted, guarded: guarded) {
                switch piece {
                case .token(let id): ids.append(id)
                case .text(let range):
                    if let scanner, added.isPlain, normalizer.keeps(bytes, range) {
                        words.append(bytes, range, cutBy: scanner, to: &ids, using: &table)
                        break
                    }
                    append(
                        normalizer.apply(Array(bytes[range])), isTrusted: trusted.first == 0..<bytes.count,
                        guarded: guarded, isFirst: isFirst, table: &table, to: &ids)
                }
                isFirst = false
            }
        }
        return ids
    }

    private func append(
        _ normal: [UInt8], isTrusted: Bool, guarded: Set<Int32>, isFirst: Bool, table: inout WordCache.Table,
        to ids: inout [Int32]
    ) {
        var isFirst = isFirst
        for piece in added.splitNormalized(normal, isTrusted: isTrusted, guarded: guarded) {
            switch piece {
            case .token(let id): ids.append(id)
            case .text(let range):
                if let scanner {
                    words.append(normal, range, cutBy: scanner, to: &ids, using: &table)
                    break
                }
                for word in preTokenizer.apply([Array(normal[range])], isFirst: isFirst) {
                    words.append(word, to: &ids, using: &table)
                }
            }
            isFirst = false
        }
    }

    /// The bytes that a token adds to a text, or nil for an id outside the vocabulary.
    package func bytes(of id: Int32) -> [UInt8]? {
        guard id >= 0, Int(id) < vocabulary.entries.count else { return nil }
        return vocabulary.entries[Int(id)]?.bytes
    }

    /// Whether a text is what its tokens add, one behind the other, but for blanks at its ends.
    package var joinsBytes: Bool { decoder.joinsBytes }

    package func isSpecial(_ id: Int32) -> Bool {
        vocabulary.isSpecial(id)
    }

    /// The id of a token by its content, for example `<|endoftext|>`.
    package func id(of piece: String) -> Int32? { vocabulary.idOfPiece[Array(piece.utf8)] }

    /// The text of `ids`. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// - Throws: `TokenizerError.invalidRequest` for an id outside the vocabulary.
    package func decode(_ ids: [Int32], skipSpecialTokens: Bool = true) throws(TokenizerError) -> String {
        if decoder.collapsesRepeats {
            let kept = try ids.map(entry).filter { !(skipSpecialTokens && $0.isSpecial) }
            let text = decoder.collapsed(kept.map { ($0.piece, $0.isAdded) })
            return String(decoding: decoder.whole(text), as: UTF8.self)
        }
        func isKept(_ id: Int32) -> Bool { !(skipSpecialTokens && texts.isSpecial(id)) }
        guard let first = ids.firstIndex(where: isKept), let last = ids.lastIndex(where: isKept) else {
            for id in ids { _ = try entry(id) }
            return String(decoding: decoder.whole([]), as: UTF8.self)
        }
        // What the text begins and ends with may be spelt otherwise.
        func border(_ index: Int) throws(TokenizerError) -> [UInt8] {
            let entry = try entry(ids[index])
            return decoder.bytes(
                of: entry.piece, isAdded: entry.isAdded, isFirst: index == first, isLast: index == last)
        }
        let (head, tail) = (try border(first), first == last ? [] : try border(last))
        let between = first < last ? ids[(first + 1)..<last] : []
        let found = texts.text(of: between, between: head, and: tail, skipsSpecialTokens: skipSpecialTokens)
        guard let bytes = found else {
            for id in ids { _ = try entry(id) }
            return ""
        }
        return String(decoding: decoder.whole(bytes), as: UTF8.self)
    }

    private func entry(_ id: Int32) throws(TokenizerError) -> Vocabulary.Entry {
        guard id >= 0, Int(id) < vocabulary.entries.count, let entry = vocabulary.entries[Int(id)] else {
            throw TokenizerError(.invalidRequest, "token id \(id) is not in the vocabulary of \(vocabulary.count)")
        }
        return entry
    }
}
