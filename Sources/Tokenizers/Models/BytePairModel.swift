/// Byte-pair encoding with what surrounds the merges: whole words, bytes, unknown characters.
struct BytePairModel: TokenModel {
    var merges = PairTable()
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
    var idOfSymbol = PieceTable()
    /// Symbols that are no pieces, and yet parts of some: their ids begin behind those of the vocabulary.
    var strangers: [[UInt8]: Int32] = [:]
    var strangerBytes: [Int32: [UInt8]] = [:]
    var firstStranger = Int32.max
    /// Pieces that are taken apart again after merging.
    var unused: Set<Int32> = []
    /// Pieces that are taken wherever they stand, and do not merge.
    var userDefined: ByteTrie?
    /// The ids of whole words, as they come: bytes of a byte-level model. Only where merges are ignored.
    var idOfWord = PieceTable()

    func append(_ word: [UInt8], to ids: inout [Int32]) {
        if ignoresMerges, let id = idOfWord[word] {
            ids.append(id)
            return
        }
        guard let userDefined else {
            appendMerged(word, to: &ids)
            return
        }
        var (start, position) = (0, 0)
        while position < word.count {
            guard let (id, end) = userDefined.longestMatch(in: word, from: position) else {
                position += 1
                while position < word.count, word[position] & 0xC0 == 0x80 { position += 1 }
                continue
            }
            if start < position { appendMerged(Array(word[start..<position]), to: &ids) }
            ids.append(id)
            (start, position) = (end, end)
        }
        if start < word.count { appendMerged(Array(word[start...]), to: &ids) }
    }

    private func appendMerged(_ word: [UInt8], to ids: inout [Int32]) {
        var symbols = symbols(of: word)
        let encoder = BytePairEncoder(merges: merges)
        guard firstStranger != .max || !unused.isEmpty else {
            encoder.merge(&symbols)
            ids.append(contentsOf: symbols)
            return
        }
        var parts: [Int32: (Int32, Int32)] = [:]
        encoder.merge(&symbols) { left, right, result in
            if unused.contains(result) { parts[result] = (left, right) }
        }
        finish(symbols, parts, to: &ids)
    }

    /// Takes unused pieces apart, and replaces symbols that are no pieces.
    private func finish(_ symbols: [Int32], _ parts: [Int32: (Int32, Int32)], to ids: inout [Int32]) {
        var wasUnknown = false
        for symbol in symbols {
            // The parts of a piece are shorter than the piece, so that this ends.
            var stack = [symbol]
            while let symbol = stack.popLast() {
                if let (left, right) = parts[symbol] {
                    stack.append(right)
                    stack.append(left)
                    continue
                }
                guard symbol >= firstStranger || symbol == unknownID else {
                    ids.append(symbol)
                    wasUnknown = false
                    continue
                }
                let bytes = symbol == unknownID ? [] : strangerBytes[symbol] ?? []
                let fallback = bytes.compactMap { byteIDs[Int($0)] }
                if !fallback.isEmpty, fallback.count == bytes.count {
                    ids.append(contentsOf: fallback)
                    wasUnknown = false
                } else if let unknownID {
                    if !(wasUnknown && fusesUnknown) { ids.append(unknownID) }
                    wasUnknown = true
                }
            }
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
            if let id = idOfSymbol[character] ?? (strangers.isEmpty ? nil : strangers[character]) {
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
