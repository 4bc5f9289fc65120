/// Byte-pair encoding with what surrounds the merges: whole words, bytes, unknown characters.
struct BytePairModel: TokenModel {
    var merges: [TokenPair: BytePairEncoder.Merge] = [:]
    /// The ids of the 256 bytes: of a byte-level alphabet, or the `<0x00>` tokens of byte fallback.
    var byteIDs = [Int32?](repeating: nil, count: 256)
    var unknownID: Int32?
    /// A word that is a token as a whole is not merged (Llama 3).
    var ignoresMerges = false
    /// Whether unknown characters in a row are one unknown token.
    var fusesUnknown = true
    /// What is put before each character of a word but its first, and behind its last, to look a symbol up.
    var continuingPrefix: [UInt8] = []
    var wordSuffix: [UInt8] = []
    /// Whether words are bytes that the vocabulary spells in its alphabet.
    var isByteLevel = false
    /// The pieces of the vocabulary that a symbol can be: one character with what is put around it.
    var idOfSymbol: [[UInt8]: Int32] = [:]
    /// The ids of whole words, as they come: bytes of a byte-level model. Only where merges are ignored.
    var idOfWord: [[UInt8]: Int32] = [:]

    func append(_ word: [UInt8], to ids: inout [Int32]) {
        if ignoresMerges, let id = idOfWord[word] {
            ids.append(id)
        } else {
            ids.append(contentsOf: BytePairEncoder(merges: merges).merge(symbols(of: word)))
        }
    }

    /// What merging starts from: bytes of a byte-level alphabet, else characters, else their bytes, else unknown.
    private func symbols(of word: [UInt8]) -> [Int32] {
        let isPlain = continuingPrefix.isEmpty && wordSuffix.isEmpty
        if isPlain, isByteLevel {
            let symbols = word.compactMap { byteIDs[Int($0)] }
            if symbols.count == word.count || unknownID == nil { return symbols }
        }
        let spelt = isByteLevel ? ByteLevelAlphabet.spelling(of: word) : word
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
            if let id = idOfSymbol[character] {
                if let pending = unknown { symbols.append(pending) }
                unknown = nil
                symbols.append(id)
                continue
            }
            let fallback = isByteLevel ? [] : character.compactMap { byteIDs[Int($0)] }
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
}
