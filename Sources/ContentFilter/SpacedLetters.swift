/// Words whose letters were pulled apart: `f u c k`, `f.u.c.k`, `fu_ck`. Single letters with up to four signs between
/// them are read together, and so are words that one sign joins without a space.
struct SpacedLetters: Sendable {
    /// A word that began at `start` and could still become a phrase.
    private struct Beginning {
        var state: PhraseAutomaton.State
        var start: Int
        /// Symbols since the edge before `start`, that one counted.
        var depth: Int
        var lastSymbol: UInt8
    }

    private static let gapLimit = 4
    /// Bytes from the first letter to the last.
    private static let lengthLimit = 80
    private static let joiners = Set("*_.-~'`/\\^=|+#".utf8)

    private var beginnings: [Beginning] = []
    private var previous = 0..<0
    /// Whether `beginnings` stands for the words up to `previous`.
    private var isLinked = false

    /// Most words: one that a space parts from the one before, not both of them single letters.
    ///
    /// - Returns: whether nothing is to be done about the word.
    mutating func stayApart(_ word: Range<Int>, _ text: FoldedText) -> Bool {
        let gap = word.lowerBound &- previous.upperBound
        let isSingle = word.upperBound &- word.lowerBound == 1 && previous.upperBound &- previous.lowerBound == 1
        guard !isLinked,
            gap > Self.gapLimit || gap == 1 && !isSingle && text.bytes[previous.upperBound &- text.base] == 0x20
        else { return false }
        previous = word
        return true
    }

    /// - Returns: phrases that words pulled apart spell, by their symbols.
    mutating func wordEnded(
        _ word: Range<Int>, _ text: FoldedText, _ automaton: PhraseAutomaton
    ) -> [PhraseScanner.Match] {
        let before = previous
        previous = word
        guard isJoined(before, word, text) else {
            beginnings = []
            isLinked = false
            return []
        }
        if !isLinked { beginnings = [Self.beginning(before, text, automaton)].compactMap { $0 } }
        isLinked = true
        var found: [PhraseScanner.Match] = []
        beginnings = beginnings.compactMap {
            // The same letter again and again never ends a beginning; its length does.
            word.upperBound - $0.start > Self.lengthLimit ? nil : Self.read(word, after: $0, text, automaton)
        }
        for beginning in beginnings {
            let closed = automaton.next[
                Int(beginning.state) * PhraseAutomaton.symbolCount + Int(PhraseAlphabet.edge)]
            for phrase in automaton.outputs(of: closed) where automaton.unitsOf[Int(phrase)] == 1 {
                found.append(.init(phrase: Int(phrase), range: beginning.start..<word.upperBound))
            }
        }
        if let fresh = Self.beginning(word, text, automaton) { beginnings.append(fresh) }
        return found
    }

    /// The first byte that what goes on may begin with; nil for none.
    ///
    /// - Parameter word: where the word under way began.
    func hold(_ text: FoldedText, _ automaton: PhraseAutomaton, word: Int?) -> Int? {
        let end = word ?? text.end
        guard !previous.isEmpty, end - previous.upperBound <= Self.gapLimit else { return nil }
        if isLinked { return beginnings.map(\.start).min() }
        return Self.beginning(previous, text, automaton)?.start
    }

    private func isJoined(_ before: Range<Int>, _ word: Range<Int>, _ text: FoldedText) -> Bool {
        let gap = before.upperBound..<word.lowerBound
        guard !before.isEmpty, !gap.isEmpty, gap.count <= Self.gapLimit else { return false }
        let signs = text.bytes[gap.lowerBound - text.base..<gap.upperBound - text.base]
        if before.count == 1, word.count == 1 { return !signs.contains(0x0A) }
        return signs.count == 1 && signs.allSatisfy { Self.joiners.contains($0) }
    }

    private static func beginning(
        _ word: Range<Int>, _ text: FoldedText, _ automaton: PhraseAutomaton
    ) -> Beginning? {
        // Text that is no longer there was not held, as nothing begins like it.
        guard word.lowerBound >= text.base else { return nil }
        let edge = Beginning(state: automaton.start, start: word.lowerBound, depth: 1, lastSymbol: .max)
        return read(word, after: edge, text, automaton)
    }

    /// - Returns: nil when no phrase begins like that.
    private static func read(
        _ word: Range<Int>, after beginning: Beginning, _ text: FoldedText, _ automaton: PhraseAutomaton
    ) -> Beginning? {
        var result = beginning
        for offset in word {
            var symbol = automaton.alphabet.classes[Int(text.bytes[offset - text.base])]
            if symbol == PhraseAlphabet.letterBetweenLetters { symbol = PhraseAlphabet.between }
            guard symbol <= PhraseAlphabet.otherLetter else { return nil }
            if symbol == result.lastSymbol { continue }
            result.state = automaton.next[Int(result.state) * PhraseAutomaton.symbolCount + Int(symbol)]
            result.depth += 1
            result.lastSymbol = symbol
            if Int(automaton.depths[Int(result.state)]) < result.depth { return nil }
        }
        // In a longer context the state may stand for more than what began here; that has its own match.
        return Int(automaton.depths[Int(result.state)]) == result.depth ? result : nil
    }
}
