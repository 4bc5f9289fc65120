/// Goes through a folded text symbol by symbol and finds the phrases in it; what it finds does not depend on the pieces
/// that the text comes in.
struct PhraseScanner: Sendable {
    struct Match: Sendable, Equatable {
        /// A phrase, or a sequence, numbered behind the phrases.
        var phrase: Int
        /// In the folded text.
        var range: Range<Int>
    }

    private enum Last { case edge, word, han }

    /// Bytes from a phrase's beginning to its end; a letter repeated without end is not waited for.
    private static let lengthLimit = 512

    /// Offsets of the last units (words, Chinese characters): a ring.
    private static let ringMask = 31

    let automaton: PhraseAutomaton
    private var state: PhraseAutomaton.State
    private var last = Last.edge
    private var lastSymbol: UInt8 = 0
    private var unitStarts = [Int](repeating: 0, count: Self.ringMask + 1)
    private var unitCount = 0
    private var position = 0
    private var spaced = SpacedLetters()
    private var sequences = SequenceScanner()
    /// Before the word under way.
    private var wordState: PhraseAutomaton.State = 0
    /// Words that were read as others, the latest last.
    private var corrections: [(unit: Int, range: Range<Int>, word: [UInt8])] = []
    /// Stops that have come.
    private var stops = 0

    init(_ automaton: PhraseAutomaton) {
        self.automaton = automaton
        state = automaton.start
    }

    /// Reads on, up to the end of `text`; its last character only when nothing follows.
    mutating func scan(_ text: FoldedText, isWhole: Bool) -> [Match] {
        var matches: [Match] = []
        let bytes = text.bytes
        let base = text.base
        let classes = automaton.alphabet.classes
        let next = automaton.next
        let width = PhraseAutomaton.symbolCount
        var index = position - base
        let end = isWhole ? bytes.count : bytes.count - 1
        while index < end {
            var symbol = classes[Int(bytes[index])]
            if symbol == PhraseAlphabet.letterBetweenLetters {
                let follows = index + 1 < bytes.count && classes[Int(bytes[index + 1])] < PhraseAlphabet.otherLetter
                symbol = last == .word && follows ? PhraseAlphabet.between : PhraseAlphabet.stop
            }
            if symbol < PhraseAlphabet.otherLetter {
                if last != .word {
                    begin(at: index + base)
                    (last, lastSymbol) = (.word, .max)
                }
                var (state, lastSymbol) = (self.state, self.lastSymbol)
                repeat {
                    if symbol != lastSymbol {
                        state = next[Int(state) &* width &+ Int(symbol)]
                        lastSymbol = symbol
                    }
                    index &+= 1
                    guard index < end else { break }
                    symbol = classes[Int(bytes[index])]
                } while symbol < PhraseAlphabet.otherLetter
                (self.state, self.lastSymbol) = (state, lastSymbol)
                continue
            }
            guard symbol == PhraseAlphabet.multibyte else {
                if last == .word { endWord(at: index + base, text, &matches) }
                if symbol == PhraseAlphabet.stop, !isForShow(bytes, at: index) { stop() }
                index += 1
                continue
            }
            let character = FoldedCharacter(bytes, at: index)
            guard index + character.length <= end || isWhole else { break }
            read(character, at: index + base, text, &matches)
            index += character.length
        }
        position = index + base
        if isWhole, last == .word { endWord(at: text.end, text, &matches) }
        return matches
    }

    /// A dot or a bar between Chinese characters.
    private func isForShow(_ bytes: [UInt8], at index: Int) -> Bool {
        last == .han && (bytes[index] == 0x2E || bytes[index] == 0x7C) && index + 1 < bytes.count
            && (0xE3...0xE9).contains(bytes[index + 1])
    }

    private mutating func stop() {
        (state, last) = (automaton.start, .edge)
        stops += 1
    }

    /// The first byte that a phrase which is not complete may begin with.
    func hold(_ text: FoldedText) -> Int {
        var (open, firstUnit) = hold(from: state, nextUnit: unitCount)
        if last == .word, position - wordStart <= TransposedWords.lengths.upperBound {
            // The word may turn out to be another.
            let before = hold(from: wordState, nextUnit: unitCount - 1)
            (open, firstUnit) = (min(open, before.start), min(firstUnit, before.unit))
            if automaton.transposed.mayBegin(text.bytes[wordStart - text.base..<position - text.base]) {
                open = min(open, wordStart)
            }
        }
        let apart = spaced.hold(text, automaton, word: last == .word ? wordStart : nil, position: position)
        firstUnit = min(firstUnit, apart?.unit ?? .max)
        open = min(open, sequences.hold(text, from: firstUnit, nextUnit: unitCount) ?? position)
        return min(max(open, position - Self.lengthLimit), position, apart?.start ?? position)
    }

    /// Where a phrase that a state stands for may have begun, and the first unit of what it stands for.
    private func hold(from state: PhraseAutomaton.State, nextUnit: Int) -> (start: Int, unit: Int) {
        let open = Int(automaton.openUnits[Int(state)])
        return (
            open > 0 ? unitStarts[(nextUnit - open) & Self.ringMask] : position,
            nextUnit - Int(automaton.units[Int(state)])
        )
    }

    private var wordStart: Int { unitStarts[(unitCount - 1) & Self.ringMask] }

    /// A unit begins; between Chinese and a word is an edge.
    private mutating func begin(at offset: Int) {
        if last == .han { step(PhraseAlphabet.edge) }
        wordState = state
        unitStarts[unitCount & Self.ringMask] = offset
        unitCount += 1
    }

    private mutating func step(_ symbol: UInt8) {
        state = automaton.next[Int(state) * PhraseAutomaton.symbolCount + Int(symbol)]
    }

    private mutating func endWord(at offset: Int, _ text: FoldedText, _ matches: inout [Match]) {
        correct(wordStart..<offset, text)
        step(PhraseAlphabet.edge)
        last = .edge
        if automaton.hasOutput[Int(state)] { collect(end: offset, text, &matches) }
        let word = wordStart..<offset
        if spaced.stayApart(word, unit: unitCount - 1, text) { return }
        for found in spaced.wordEnded(word, unit: unitCount - 1, text, automaton) {
            add(found.phrase, units: found.units, found.range, stops: nil, text, &matches)
        }
    }

    /// Goes on as if a word's letters stood in the order of the list's.
    private mutating func correct(_ range: Range<Int>, _ text: FoldedText) {
        guard TransposedWords.lengths.contains(range.count) else { return }
        let slice = text.bytes[range.lowerBound - text.base..<range.upperBound - text.base]
        guard let word = automaton.transposed.correction(of: slice) else { return }
        state = automaton.state(after: word, from: wordState)
        corrections.removeAll { $0.unit < unitCount - PhraseAutomaton.unitLimit }
        corrections.append((unitCount - 1, range, word))
    }

    /// Folded text as it was read.
    private func bytes(of range: Range<Int>, _ text: FoldedText) -> ArraySlice<UInt8> {
        let slice = text.bytes[range.lowerBound - text.base..<range.upperBound - text.base]
        guard let last = corrections.last, last.range.lowerBound >= range.lowerBound else { return slice }
        var read = Array(slice)
        for correction in corrections where range.contains(correction.range.lowerBound) {
            let start = correction.range.lowerBound - range.lowerBound
            read.replaceSubrange(start..<start + correction.word.count, with: correction.word)
        }
        return read[...]
    }

    private mutating func read(
        _ character: FoldedCharacter, at offset: Int, _ text: FoldedText, _ matches: inout [Match]
    ) {
        switch CharacterKind(character.point) {
        case .han:
            if last == .word { endWord(at: offset, text, &matches) }
            guard let (high, low) = automaton.alphabet.symbols(character.point) else {
                stop()
                return
            }
            // An edge before Chinese is none: it belongs to the word before.
            unitStarts[unitCount & Self.ringMask] = offset
            unitCount += 1
            step(high)
            step(low)
            last = .han
            if automaton.hasOutput[Int(state)] { collect(end: offset + character.length, text, &matches) }
        case .letter:
            if last != .word { begin(at: offset) }
            step(PhraseAlphabet.otherLetter)
            (last, lastSymbol) = (.word, PhraseAlphabet.otherLetter)
        case .space:
            if last == .word { endWord(at: offset, text, &matches) }
        case .stop:
            if last == .word { endWord(at: offset, text, &matches) }
            stop()
        }
    }

    private mutating func collect(end: Int, _ text: FoldedText, _ matches: inout [Match]) {
        for phrase in automaton.outputs(of: state) {
            let units = unitCount - Int(automaton.unitsOf[Int(phrase)])...unitCount - 1
            let range = unitStarts[units.lowerBound & Self.ringMask]..<end
            add(Int(phrase), units: units, range, stops: stops, text, &matches)
        }
    }

    /// A phrase, or a choice of a sequence, if the text does spell it.
    private mutating func add(
        _ phrase: Int, units: ClosedRange<Int>, _ range: Range<Int>, stops: Int?, _ text: FoldedText,
        _ matches: inout [Match]
    ) {
        guard range.count <= Self.lengthLimit else { return }
        let phraseCount = automaton.phrases.count
        guard phrase >= phraseCount else {
            if automaton.isSpelled(phrase, by: bytes(of: range, text)) {
                matches.append(Match(phrase: phrase, range: range))
            }
            return
        }
        let piece = SequenceScanner.Piece(choice: phrase - phraseCount, units: units, range: range, stops: stops)
        guard sequences.wants(piece, automaton.sequences), automaton.isSpelled(phrase, by: bytes(of: range, text))
        else { return }
        for (sequence, start) in sequences.add(piece, text, automaton.sequences)
        where range.upperBound - start <= Self.lengthLimit && hasLetter(start..<range.upperBound, text) {
            matches.append(Match(phrase: phraseCount + sequence, range: start..<range.upperBound))
        }
    }

    private func hasLetter(_ range: Range<Int>, _ text: FoldedText) -> Bool {
        text.bytes[range.lowerBound - text.base..<range.upperBound - text.base].contains {
            $0 > 127 || (97...122).contains($0 | 0x20)
        }
    }
}
