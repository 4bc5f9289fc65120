/// A word or phrase of a list.
package struct Phrase: Sendable, Hashable {
    package var text: String
    package var category: FilterCategory
    /// How surely a text that holds it belongs to the category, 0 to 1.
    package var score: Double

    package init(_ text: String, _ category: FilterCategory, score: Double) {
        (self.text, self.category, self.score) = (text, category, score)
    }
}

/// Letters with what repeats or reads the same drawn together, to hold a phrase against a text.
struct LetterRuns: Sendable, Equatable {
    struct Run: Sendable, Equatable {
        var symbol: UInt8
        /// Folded bytes in lower case; for Chinese one whole character, as its code point.
        var letters: [UInt32]
    }

    private(set) var runs: [Run] = []
    private(set) var hasLetter = false

    /// - Parameter bytes: folded text.
    init(_ bytes: ArraySlice<UInt8>, _ alphabet: PhraseAlphabet) {
        let text = Array(bytes)
        var index = 0
        while index < text.count {
            let character = FoldedCharacter(text, at: index)
            index += character.length
            var symbol = UInt8.max
            if character.length == 1 {
                symbol = alphabet.classes[Int(text[index - 1])]
                if symbol == PhraseAlphabet.letterBetweenLetters { symbol = PhraseAlphabet.between }
                if symbol > PhraseAlphabet.otherLetter { continue }
            } else if !CharacterKind(character.point).isLetter {
                continue
            }
            let isCapital = (65...90).contains(character.point)
            let letter = isCapital ? character.point + 32 : character.point
            if (97...122).contains(letter) || letter > 127 { hasLetter = true }
            if symbol != .max, runs.last?.symbol == symbol {
                runs[runs.count - 1].letters.append(letter)
            } else {
                runs.append(Run(symbol: symbol, letters: [letter]))
            }
        }
    }

    /// Whether the text's letters spell this phrase: as it is, with digits and signs for letters, or with letters
    /// repeated.
    ///
    /// - Parameter inDigits: whether digits and signs alone may do so.
    func isSpelled(by text: LetterRuns, inDigits: Bool = false) -> Bool {
        guard runs.count == text.runs.count, inDigits || text.hasLetter || self == text else { return false }
        return zip(runs, text.runs).allSatisfy { own, other in
            guard own.symbol == other.symbol, other.letters.count >= own.letters.count else { return false }
            if own.symbol == .max { return own.letters == other.letters }
            if own.letters.count == other.letters.count {
                return zip(own.letters, other.letters).allSatisfy { $0 == $1 || !Self.isLetter($1) }
            }
            return other.letters.allSatisfy { !Self.isLetter($0) || own.letters.contains($0) }
        }
    }

    private static func isLetter(_ point: UInt32) -> Bool { (97...122).contains(point) }
}

/// What a character beyond ASCII is to words.
enum CharacterKind {
    case han, letter, space, stop

    init(_ point: UInt32) {
        switch point {
        case 0x3400...0x9FFF, 0x20000...0x3FFFF: self = .han
        case 0xA0...0xBF, 0xD7, 0xF7, 0x2010...0x2019, 0x2022, 0x2026, 0x2044, 0x20A0...0x20CF, 0x2190...0x2BFF,
            0xE000...0xF8FF, 0x1F000...0x1FAFF:
            self = .space
        case 0x2000...0x206F, 0x3000...0x3020, 0x3030...0x303F, 0xFE10...0xFE6F, 0xFFFC...0xFFFD: self = .stop
        default: self = .letter
        }
    }

    var isLetter: Bool { self == .han || self == .letter }
}
