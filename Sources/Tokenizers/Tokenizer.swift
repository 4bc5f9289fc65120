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
    /// Whether decoding drops one leading space (SentencePiece's dummy prefix).
    let stripsLeadingSpace: Bool

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
                let normal = normalizer.apply(Array(bytes[range]))
                for word in preTokenizer.apply([normal], isFirst: isFirst) { append(word, to: &ids) }
            }
            isFirst = false
        }
        return ids
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
        if preTokenizer.isByteLevel { return word.compactMap { byteIDs[Int($0)] ?? unknownID } }
        var symbols: [Int32] = []
        var position = 0
        while position < word.count {
            var end = position + 1
            while end < word.count, word[end] & 0xC0 == 0x80 { end += 1 }
            let character = Array(word[position..<end])
            let fallback = character.compactMap { byteIDs[Int($0)] }
            if let id = vocabulary.idOfPiece[character] {
                symbols.append(id)
            } else if fallback.count == character.count {
                symbols.append(contentsOf: fallback)
            } else if let unknownID, symbols.last != unknownID {
                symbols.append(unknownID)
            }
            position = end
        }
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
        var bytes: [UInt8] = []
        for id in ids {
            guard let piece = self.bytes(of: id) else {
                throw TokenizerError(.invalidRequest, "token id \(id) is not in the vocabulary of \(vocabulary.count)")
            }
            if !(skipSpecialTokens && isSpecial(id)) { bytes.append(contentsOf: piece) }
        }
        if stripsLeadingSpace, bytes.first == 0x20 { bytes.removeFirst() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
