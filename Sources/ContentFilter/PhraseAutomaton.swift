/// Every phrase of the lists in one Aho–Corasick automaton, as a table: one look-up a symbol, whatever the lists hold.
///
/// A. V. Aho, M. J. Corasick, Efficient string matching, CACM 18(6), 1975.
struct PhraseAutomaton: Sendable {
    typealias State = UInt16
    static let symbolCount = PhraseAlphabet.count
    static let unitLimit = 24

    let phrases: [Phrase]
    let alphabet: PhraseAlphabet
    /// State × symbol → state.
    private(set) var next: [State]
    /// Words and Chinese characters that a state has seen of a phrase, the one under way included.
    private(set) var units: [UInt8]
    /// Symbols that a state has seen of a phrase.
    private(set) var depths: [UInt8]
    /// Phrases that may end at a state: a range of `outputs`.
    private(set) var outputStarts: [UInt32]
    private(set) var outputs: [UInt32]
    private(set) var hasOutput: [Bool]
    let letters: [LetterRuns]
    let unitsOf: [UInt8]
    /// Where every text begins: at an edge.
    let start: State

    /// - Throws: `FilterError` for a phrase that holds no letters or too many, and for lists that are too long.
    init(_ phrases: [Phrase]) throws {
        var alphabet = PhraseAlphabet()
        var folded: [[UInt8]] = []
        for phrase in phrases {
            var text = FoldedText()
            text.append(Array(phrase.text.utf8))
            text.finish()
            folded.append(text.bytes)
            var index = 0
            while index < text.bytes.count {
                let character = FoldedCharacter(text.bytes, at: index)
                try alphabet.add(character.point)
                index += character.length
            }
        }
        let spellings = folded.map { Self.spelling($0, alphabet) }
        for (phrase, spelling) in zip(phrases, spellings)
        where spelling.units == 0 || spelling.units > Self.unitLimit || spelling.symbols.count > 250 {
            throw FilterError(
                "the phrase '\(phrase.text.prefix(60))' has \(spelling.units) words; 1 to \(Self.unitLimit) can be looked for"
            )
        }
        var trie = PhraseTrie()
        for (index, spelling) in spellings.enumerated() { try trie.insert(spelling.symbols, phrase: UInt32(index)) }
        let table = trie.table()
        (next, units, depths) = (table.next, table.units, table.depths)
        (outputStarts, outputs) = (table.outputStarts, table.outputs)
        hasOutput = (1..<table.outputStarts.count).map { table.outputStarts[$0] > table.outputStarts[$0 - 1] }
        self.phrases = phrases
        self.alphabet = alphabet
        letters = folded.map { LetterRuns($0[...], alphabet) }
        unitsOf = spellings.map { UInt8($0.units) }
        start = next[Int(PhraseAlphabet.edge)]
    }

    /// A phrase as the automaton reads it, with the words and Chinese characters that it has.
    private static func spelling(_ bytes: [UInt8], _ alphabet: PhraseAlphabet) -> (symbols: [UInt8], units: Int) {
        var scanner = PhraseSpeller(alphabet: alphabet)
        var index = 0
        while index < bytes.count {
            let character = FoldedCharacter(bytes, at: index)
            scanner.read(character, bytes, at: index)
            index += character.length
        }
        scanner.finish()
        return (scanner.symbols, scanner.units)
    }

    func outputs(of state: State) -> ArraySlice<UInt32> {
        outputs[Int(outputStarts[Int(state)])..<Int(outputStarts[Int(state) + 1])]
    }
}

/// Writes a phrase in the automaton's symbols.
private struct PhraseSpeller {
    private enum Last { case nothing, word, han }

    let alphabet: PhraseAlphabet
    var symbols: [UInt8] = []
    var units = 0
    private var last = Last.nothing

    init(alphabet: PhraseAlphabet) { self.alphabet = alphabet }

    mutating func read(_ character: FoldedCharacter, _ bytes: [UInt8], at index: Int) {
        var symbol = PhraseAlphabet.otherLetter
        if character.length == 1 {
            symbol = alphabet.classes[Int(bytes[index])]
            if symbol == PhraseAlphabet.letterBetweenLetters, last == .word { symbol = PhraseAlphabet.between }
        } else {
            let kind = CharacterKind(character.point)
            if kind == .han, let (high, low) = alphabet.symbols(character.point) {
                finish()
                symbols += [high, low]
                units += 1
                last = .han
                return
            }
            if !kind.isLetter { symbol = PhraseAlphabet.space }
        }
        guard symbol <= PhraseAlphabet.otherLetter else { return finish() }
        if last != .word {
            if symbols.last != PhraseAlphabet.edge { symbols.append(PhraseAlphabet.edge) }
            units += 1
            symbols.append(symbol)
        } else if symbols.last != symbol {
            symbols.append(symbol)
        }
        last = .word
    }

    /// Ends a word.
    mutating func finish() {
        if last == .word { symbols.append(PhraseAlphabet.edge) }
        last = .nothing
    }
}
