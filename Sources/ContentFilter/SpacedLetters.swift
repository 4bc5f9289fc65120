/// Words whose letters were pulled apart: `f u c k`, `f.u.c.k`, `fu_ck`. Single letters with up to four signs between
/// them are read together, and so are words that one sign joins without a space.
struct SpacedLetters: Sendable {
    /// A word that began at `start` and could still become a phrase.
    private struct Beginning {
        var state: PhraseAutomaton.State
        var start: Int
        var unit: Int
        /// Symbols since the edge before `start`, that one counted.
        var depth: Int
        var lastSymbol: UInt8
    }

    private static let gapLimit = 4
    /// Bytes from the first letter to the last.
    private static let lengthLimit = 80
    private static let beginningLimit = 32
    private static let joiners = ByteSet("*_.-~'`/\\^=|+#".utf8)

    private var beginnings: [Beginning] = []
    private var previous = 0..<0
    private var previousUnit = 0
    /// Whether `beginnings` stands for the words up to `previous`.
    private var isLinked = false

    /// Most words: one that a space parts from the one before, not both of them single letters.
    ///
    /// - Returns: whether nothing is to be done about the word.
    mutating func stayApart(_ word: Range<Int>, unit: Int, _ text: FoldedText) -> Bool {
        let gap = word.lowerBound &- previous.upperBound
        let isSingle = word.upperBound &- word.lowerBound == 1 && previous.upperBound &- previous.lowerBound == 1
        // Text that is no longer there was not held, as nothing begins like it.
        let isGone = previous.upperBound < text.base
        guard !isLinked,
            gap > Self.gapLimit || isGone
                || gap == 1 && !isSingle && text.bytes[previous.upperBound &- text.base] == 0x20
        else { return false }
        (previous, previousUnit) = (word, unit)
        return true
    }

    /// - Parameter unit: the word's number.
    /// - Returns: phrases that words pulled apart may spell.
    mutating func wordEnded(
        _ word: Range<Int>, unit: Int, _ text: FoldedText, _ automaton: PhraseAutomaton
    ) -> [(phrase: Int, units: ClosedRange<Int>, range: Range<Int>)] {
        let before = previous
        previous = word
        previousUnit = unit
        guard isJoined(before, word, text) else {
            beginnings = []
            isLinked = false
            return []
        }
        if !isLinked { beginnings = Self.beginning(before, unit: unit - 1, text, automaton) }
        isLinked = true
        var found: [(Int, ClosedRange<Int>, Range<Int>)] = []
        beginnings = beginnings.flatMap { beginning -> [Beginning] in
            // The same letter again and again never ends a beginning; its length does.
            guard word.upperBound - beginning.start <= Self.lengthLimit,
                let read = Self.read(word, after: beginning, text, automaton)
            else { return [] }
            let closed = automaton.next[Int(read.state) * PhraseAutomaton.symbolCount + Int(PhraseAlphabet.edge)]
            for phrase in automaton.outputs(of: closed)
            where Int(automaton.lengths[Int(phrase)]) == read.depth + 1 && read.depth > 2 {
                found.append((Int(phrase), beginning.unit...unit, beginning.start..<word.upperBound))
            }
            return Self.withEdge(read, automaton)
        }
        // A letter again belongs to what began with it before.
        let isRepeated =
            word.count == 1 && before.count == 1 && symbol(word, text, automaton) == symbol(before, text, automaton)
        if !isRepeated { beginnings += Self.beginning(word, unit: unit, text, automaton) }
        if beginnings.count > Self.beginningLimit { beginnings.removeFirst(beginnings.count - Self.beginningLimit) }
        return found
    }

    /// The first byte that what goes on may begin with, and the unit that begins there; nil for none.
    ///
    /// - Parameters:
    ///   - word: where the word under way began.
    ///   - position: up to where the text was read.
    func hold(
        _ text: FoldedText, _ automaton: PhraseAutomaton, word: Int?, position: Int
    ) -> (start: Int, unit: Int)? {
        guard mayJoin(text, (word ?? position)..<position) else { return nil }
        let open = isLinked ? beginnings : Self.beginning(previous, unit: previousUnit, text, automaton)
        return open.min { $0.start < $1.start }.map { ($0.start, $0.unit) }
    }

    /// Whether what follows the last word could be joined to it.
    private func mayJoin(_ text: FoldedText, _ word: Range<Int>) -> Bool {
        let gap = previous.upperBound..<max(previous.upperBound, word.lowerBound)
        guard !previous.isEmpty, gap.count <= Self.gapLimit, previous.upperBound >= text.base else { return false }
        let signs = text.bytes[gap.lowerBound - text.base..<gap.upperBound - text.base]
        if previous.count == 1, word.count <= 1 { return !signs.contains(0x0A) }
        return signs.count <= 1 && signs.allSatisfy { Self.joiners.contains($0) }
    }

    private func isJoined(_ before: Range<Int>, _ word: Range<Int>, _ text: FoldedText) -> Bool {
        let gap = before.upperBound..<word.lowerBound
        guard !before.isEmpty, before.lowerBound >= text.base, !gap.isEmpty, gap.count <= Self.gapLimit else {
            return false
        }
        let signs = text.bytes[gap.lowerBound - text.base..<gap.upperBound - text.base]
        if before.count == 1, word.count == 1 { return !signs.contains(0x0A) }
        return signs.count == 1 && signs.allSatisfy { Self.joiners.contains($0) }
    }

    private func symbol(_ word: Range<Int>, _ text: FoldedText, _ automaton: PhraseAutomaton) -> UInt8 {
        automaton.alphabet.classes[Int(text.bytes[word.lowerBound - text.base])]
    }

    private static func beginning(
        _ word: Range<Int>, unit: Int, _ text: FoldedText, _ automaton: PhraseAutomaton
    ) -> [Beginning] {
        // Text that is no longer there was not held, as nothing begins like it.
        guard word.lowerBound >= text.base else { return [] }
        let edge = Beginning(state: automaton.start, start: word.lowerBound, unit: unit, depth: 1, lastSymbol: .max)
        return read(word, after: edge, text, automaton).map { withEdge($0, automaton) } ?? []
    }

    /// What was read may go on, or be the end of a phrase's word.
    private static func withEdge(_ beginning: Beginning, _ automaton: PhraseAutomaton) -> [Beginning] {
        var closed = beginning
        closed.state =
            automaton.next[
                Int(beginning.state) * PhraseAutomaton.symbolCount + Int(PhraseAlphabet.edge)]
        closed.depth += 1
        closed.lastSymbol = .max
        return Int(automaton.depths[Int(closed.state)]) == closed.depth ? [beginning, closed] : [beginning]
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
