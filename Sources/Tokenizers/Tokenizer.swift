/// Text to token ids and back, as a checkpoint's files define it.
package struct Tokenizer: Sendable {
    package let vocabulary: Vocabulary
    /// SHA-256 over the files that define it, in hexadecimal: equal hashes encode equally.
    package let hash: String
    package let chatTemplate: ChatTemplate?
    /// The tokens named in `tokenizer_config.json`.
    package let beginOfText: Int32?
    package let endOfText: Int32?
    /// What ends a chat model's turn, where a GGUF file says it.
    package let endOfTurnTokens: Set<Int32>

    /// What an operator should know of the files.
    package let notes: [String]

    let normalizer: Normalizer
    let preTokenizer: PreTokenizer
    let encoder: BytePairEncoder
    let added: AddedTokens
    /// The ids of the 256 bytes: a byte-level alphabet, or the `<0x00>` tokens of byte fallback.
    let byteIDs: [Int32?]
    let unknownID: Int32?
    /// A word that is a token as a whole is not merged (Llama 3).
    let ignoresMerges: Bool
    /// Ids put before and after a text when special tokens are asked for.
    let prefix: [Int32]
    let suffix: [Int32]
    let fusesUnknown: Bool
    let continuingPrefix: [UInt8]
    let wordSuffix: [UInt8]
    let decoder: TokenDecoder

    /// The ids of a text.
    ///
    /// - Parameters:
    ///   - addSpecialTokens: whether the begin (and end) tokens that the model expects are put around it.
    ///   - parseSpecialTokens: whether control tokens spelt out in the text become control tokens. Never for text
    ///     from outside.
    package func encode(_ text: String, addSpecialTokens: Bool, parseSpecialTokens: Bool = false) -> [Int32] {
        let bytes = Array(text.utf8)
        let ids = encode(bytes, trusted: parseSpecialTokens ? [0..<bytes.count] : [])
        return addSpecialTokens ? prefix + ids + suffix : ids
    }

    /// The ids of valid UTF-8 of which only the `trusted` ranges may hold control tokens.
    ///
    /// - Parameter guarded: further added tokens that only those ranges may hold.
    package func encode(_ bytes: [UInt8], trusted: [Range<Int>], guarded: Set<Int32> = []) -> [Int32] {
        var ids: [Int32] = []
        var isFirst = true
        for piece in added.split(bytes, trusted: trusted, guarded: guarded) {
            switch piece {
            case .token(let id): ids.append(id)
            case .text(let range):
                append(
                    normalizer.apply(Array(bytes[range])), isTrusted: trusted.first == 0..<bytes.count,
                    guarded: guarded, isFirst: isFirst, to: &ids)
            }
            isFirst = false
        }
        return ids
    }

    private func append(
        _ normal: [UInt8], isTrusted: Bool, guarded: Set<Int32>, isFirst: Bool, to ids: inout [Int32]
    ) {
        var isFirst = isFirst
        for piece in added.splitNormalized(normal, isTrusted: isTrusted, guarded: guarded) {
            switch piece {
            case .token(let id): ids.append(id)
            case .text(let range):
                for word in preTokenizer.apply([Array(normal[range])], isFirst: isFirst) { append(word, to: &ids) }
            }
            isFirst = false
        }
    }

    private func append(_ word: [UInt8], to ids: inout [Int32]) {
        if ignoresMerges, let id = vocabulary.idOfWord[word] {
            ids.append(id)
            return
        }
        ids.append(contentsOf: encoder.merge(symbols(of: word)))
    }

    /// What merging starts from: bytes of a byte-level alphabet, else characters, else their bytes, else unknown.
    private func symbols(of word: [UInt8]) -> [Int32] {
        let isPlain = continuingPrefix.isEmpty && wordSuffix.isEmpty
        if isPlain, preTokenizer.isByteLevel {
            let symbols = word.compactMap { byteIDs[Int($0)] }
            if symbols.count == word.count || unknownID == nil { return symbols }
        }
        let spelt = preTokenizer.isByteLevel ? ByteLevelAlphabet.spelling(of: word) : word
        var symbols: [Int32] = []
        var position = 0
        /// An unknown token that those which follow may join.
        var unknown: Int32?
        while position < spelt.count {
            var end = position + 1
            while end < spelt.count, spelt[end] & 0xC0 == 0x80 { end += 1 }
            var character = Array(spelt[position..<end])
            if !isPlain {
                if position > 0 { character = continuingPrefix + character }
                if end == spelt.count { character += wordSuffix }
            }
            position = end
            if let id = vocabulary.idOfPiece[character] {
                if let pending = unknown { symbols.append(pending) }
                unknown = nil
                symbols.append(id)
                continue
            }
            let fallback = preTokenizer.isByteLevel ? [] : character.compactMap { byteIDs[Int($0)] }
            if fallback.count == character.count {
                symbols.append(contentsOf: fallback)
            } else if let unknownID {
                if let pending = unknown, !fusesUnknown { symbols.append(pending) }
                unknown = unknownID
            }
        }
        if let unknown { symbols.append(unknown) }
        return symbols
    }

    /// The bytes that a token adds to a text, or nil for an id outside the vocabulary.
    package func bytes(of id: Int32) -> [UInt8]? {
        guard id >= 0, Int(id) < vocabulary.entries.count else { return nil }
        return vocabulary.entries[Int(id)]?.bytes
    }

    package func isSpecial(_ id: Int32) -> Bool {
        guard id >= 0, Int(id) < vocabulary.entries.count else { return false }
        return vocabulary.entries[Int(id)]?.isSpecial ?? false
    }

    /// The id of a token by its content, for example `<|endoftext|>`.
    package func id(of piece: String) -> Int32? { vocabulary.idOfPiece[Array(piece.utf8)] }

    /// The text of `ids`. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// - Throws: `TokenizerError.invalidRequest` for an id outside the vocabulary.
    package func decode(_ ids: [Int32], skipSpecialTokens: Bool = true) throws(TokenizerError) -> String {
        var kept: [Vocabulary.Entry] = []
        for id in ids {
            guard id >= 0, Int(id) < vocabulary.entries.count, let entry = vocabulary.entries[Int(id)] else {
                throw TokenizerError(.invalidRequest, "token id \(id) is not in the vocabulary of \(vocabulary.count)")
            }
            if !(skipSpecialTokens && entry.isSpecial) { kept.append(entry) }
        }
        var bytes: [UInt8] = []
        for (index, entry) in kept.enumerated() {
            if index > 0, index < kept.count - 1 {
                bytes.append(contentsOf: entry.bytes)
            } else {
                bytes.append(
                    contentsOf: decoder.bytes(
                        of: entry.piece, isAdded: entry.isAdded, isFirst: index == 0, isLast: index == kept.count - 1))
            }
        }
        return String(decoding: decoder.whole(bytes), as: UTF8.self)
    }
}
