/// Every phrase of the lists in one Aho–Corasick automaton, as a table: one look-up a symbol, whatever the lists hold.
///
/// A. V. Aho, M. J. Corasick, Efficient string matching, CACM 18(6), 1975.
struct PhraseAutomaton: Sendable {
    typealias State = UInt16
    static let symbolCount = PhraseAlphabet.count
    static let unitLimit = 24

    let phrases: [Phrase]
    let sequences: PhraseSequences
    let alphabet: PhraseAlphabet
    /// State × symbol → state.
    private(set) var next: [State]
    /// Words and Chinese characters that a state has seen of a phrase, the one under way included.
    private(set) var units: [UInt8]
    /// The units of a phrase, or of a choice that begins a sequence.
    private(set) var openUnits: [UInt8]
    /// Symbols that a state has seen of a phrase.
    private(set) var depths: [UInt8]
    /// Phrases that may end at a state: a range of `outputs`. Choices of sequences are numbered behind the phrases.
    private(set) var outputStarts: [UInt32]
    private(set) var outputs: [UInt32]
    private(set) var hasOutput: [Bool]
    let transposed: TransposedWords
    private let letters: [LetterRuns]
    /// Folded, in lower case.
    private let spellings: [[UInt8]]
    let unitsOf: [UInt8]
    /// Symbols of each phrase.
    let lengths: [UInt8]
    /// Where every text begins: at an edge.
    let start: State

    /// - Throws: `FilterError` for a phrase that holds no letters or too many, and for lists that are too long.
    init(_ phrases: [Phrase], sequences: [PhraseSequence] = []) throws {
        self.sequences = try PhraseSequences(sequences)
        let texts = phrases.map(\.text) + self.sequences.choices
        var alphabet = PhraseAlphabet()
        var folded: [[UInt8]] = []
        for phrase in texts {
            var text = FoldedText()
            text.append(Array(phrase.utf8))
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
        for (text, spelling) in zip(texts, spellings)
        where spelling.units == 0 || spelling.units > Self.unitLimit || spelling.symbols.count > 250 {
            throw FilterError(
                "the phrase '\(text.prefix(60))' has \(spelling.units) words; 1 to \(Self.unitLimit) can be looked for"
            )
        }
        var trie = PhraseTrie()
        for (index, spelling) in spellings.enumerated() {
            let begins = index < phrases.count || !self.sequences.first[index - phrases.count].isEmpty
            try trie.insert(spelling.symbols, phrase: UInt32(index), begins: begins)
        }
        let table = trie.table()
        (next, units, openUnits, depths) = (table.next, table.units, table.openUnits, table.depths)
        (outputStarts, outputs) = (table.outputStarts, table.outputs)
        hasOutput = (1..<table.outputStarts.count).map { table.outputStarts[$0] > table.outputStarts[$0 - 1] }
        self.phrases = phrases
        self.alphabet = alphabet
        letters = folded.map { LetterRuns($0[...], alphabet) }
        self.spellings = folded.map { $0.map { (65...90).contains($0) ? $0 + 32 : $0 } }
        transposed = TransposedWords(
            self.spellings[..<phrases.count],
            choices: zip(self.spellings[phrases.count...], self.sequences.first).map { ($0, !$1.isEmpty) })
        unitsOf = spellings.map { UInt8($0.units) }
        lengths = spellings.map { UInt8($0.symbols.count) }
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

    /// Whether a stretch of folded text spells a phrase, with digits for letters, or with letters repeated, or as it is.
    func isSpelled(_ phrase: Int, by slice: ArraySlice<UInt8>) -> Bool {
        let own = spellings[phrase]
        if own.count == slice.count,
            zip(own, slice).allSatisfy({ $0 == $1 || $0 == $1 | 0x20 && (65...90).contains($1) })
        {
            return true
        }
        // A choice may be a digit, as long as the sequence has letters.
        return letters[phrase].isSpelled(by: LetterRuns(slice, alphabet), inDigits: phrase >= phrases.count)
    }

    /// What a phrase or, numbered behind the phrases, a sequence says of a text.
    func judgement(of phrase: Int) -> (category: FilterCategory, score: Double) {
        guard phrase >= phrases.count else { return (phrases[phrase].category, phrases[phrase].score) }
        let sequence = sequences.all[phrase - phrases.count]
        return (sequence.category, sequence.score)
    }

    /// Where a word leads from a state.
    func state(after word: [UInt8], from start: State) -> State {
        var (state, last) = (start, UInt8.max)
        for byte in word {
            let symbol = alphabet.classes[Int(byte)]
            if symbol != last { state = next[Int(state) * Self.symbolCount + Int(symbol)] }
            last = symbol
        }
        return state
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
