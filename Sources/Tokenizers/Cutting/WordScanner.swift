/// Cuts a text as the expressions of the best known byte-level tokenizers do: GPT-2's, cl100k, Llama 3's and Qwen 2's,
/// o200k, Mistral's tekken. Each of them matches somewhere in every character, so that words follow one another; a word is
/// found in one pass.
///
/// The expressions stand in `PreTokenizer`, `GGUFPreTokenizer` and `TiktokenFile`; tests hold this against them.
struct WordScanner: Sendable {
    private enum Style: Sendable {
        /// ` ?` before letters, before digits, and before what is neither.
        case spaced
        /// Any character but a line's end before letters.
        case lettered
        /// The same before words of which capitals are the beginning.
        case cased
    }

    private let style: Style
    /// The most digits of one word.
    private var digits = Int.max
    /// Whether `'s` and the like are words (of `cased`: the ends of some).
    private var contracts = true
    /// Whether all white space at the end of the text is one word.
    private var joinsTrailing = false
    private let classes = CharacterClasses()

    /// - Returns: nil for an expression that is none of these.
    init?(_ pattern: String) {
        switch pattern {
        case PreTokenizer.gpt2Pattern, TiktokenFile.r50k: style = .spaced
        case TiktokenFile.cl100k: (style, digits, joinsTrailing) = (.lettered, 3, true)
        case GGUFPreTokenizer.llama3(digits: "{1,3}"): (style, digits) = (.lettered, 3)
        case GGUFPreTokenizer.llama3(digits: ""): (style, digits) = (.lettered, 1)
        case GGUFPreTokenizer.o200k: (style, digits) = (.cased, 3)
        case GGUFPreTokenizer.tekken: (style, digits, contracts) = (.cased, 1, false)
        default: return nil
        }
    }

    /// Where the word ends that begins at `start`.
    ///
    /// - Parameters:
    ///   - bytes: valid UTF-8.
    ///   - limit: the end of the text, behind `start`.
    func end(of start: Int, in bytes: [UInt8], limit: Int) -> Int {
        if contracts, style != .cased, bytes[start] == Self.apostrophe,
            let end = contraction(start, bytes, limit)
        {
            return end
        }
        let (first, next) = classes.at(start, bytes, limit)
        switch style {
        case .spaced:
            if !first.isSpace { return run(of: first.kind, from: next, bytes, limit) }
            if bytes[start] == Self.space, next < limit {
                let (second, behind) = classes.at(next, bytes, limit)
                if !second.isSpace { return run(of: second.kind, from: behind, bytes, limit) }
            }
            return whitespace(start, bytes, limit)
        case .lettered:
            if first.isLetter { return run(of: .letter, from: next, bytes, limit) }
            if !first.isNumber, !Self.isLineEnd(bytes[start]), next < limit {
                let (second, behind) = classes.at(next, bytes, limit)
                if second.isLetter { return run(of: .letter, from: behind, bytes, limit) }
            }
        case .cased:
            if let end = casedWord(start, first, next, bytes, limit) { return end }
        }
        if first.isNumber { return number(next, bytes, limit) }
        if !first.isSpace { return symbols(next, bytes, limit) }
        if bytes[start] == Self.space, next < limit {
            let (second, behind) = classes.at(next, bytes, limit)
            if second.kind == .other { return symbols(behind, bytes, limit) }
        }
        return whitespace(start, bytes, limit)
    }

    private static let apostrophe = UInt8(ascii: "'")
    private static let space = UInt8(ascii: " ")
    private static func isLineEnd(_ byte: UInt8) -> Bool { byte == 0x0A || byte == 0x0D }

    private func run(of kind: CharacterClasses.Kind, from start: Int, _ bytes: [UInt8], _ limit: Int) -> Int {
        var position = start
        while position < limit {
            let (own, next) = classes.at(position, bytes, limit)
            if own.kind != kind { break }
            position = next
        }
        return position
    }

    /// Digits behind the first one.
    private func number(_ start: Int, _ bytes: [UInt8], _ limit: Int) -> Int {
        var (position, count) = (start, 1)
        while position < limit, count < digits {
            let (own, next) = classes.at(position, bytes, limit)
            if !own.isNumber { break }
            (position, count) = (next, count + 1)
        }
        return position
    }

    /// What is neither letter, number nor space behind the first of it, and the ends of lines that follow.
    private func symbols(_ start: Int, _ bytes: [UInt8], _ limit: Int) -> Int {
        var position = run(of: .other, from: start, bytes, limit)
        while position < limit,
            Self.isLineEnd(bytes[position]) || (style == .cased && bytes[position] == UInt8(ascii: "/"))
        {
            position += 1
        }
        return position
    }

    /// White space: up to the last line's end in it, else without its last character where a word follows.
    private func whitespace(_ start: Int, _ bytes: [UInt8], _ limit: Int) -> Int {
        var (position, last, lineEnd) = (start, start, start)
        while position < limit {
            let (own, next) = classes.at(position, bytes, limit)
            if !own.isSpace { break }
            if Self.isLineEnd(bytes[position]) { lineEnd = next }
            (last, position) = (position, next)
        }
        if position == limit, joinsTrailing || style == .spaced { return position }
        if lineEnd > start, style != .spaced { return lineEnd }
        return position == limit || last == start ? position : last
    }

    /// `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll`, `'d`; GPT-2's in small letters alone.
    private func contraction(_ start: Int, _ bytes: [UInt8], _ limit: Int) -> Int? {
        guard start + 1 < limit else { return nil }
        let small: UInt8 = style == .spaced ? 0 : 0x20
        let first = bytes[start + 1] | small
        switch first {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
        case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
            guard start + 2 < limit else { return nil }
            let second = bytes[start + 2] | small
            return second == (first == UInt8(ascii: "l") ? first : UInt8(ascii: "e")) ? start + 3 : nil
        // The long s is an s in either case.
        case 0xC5 | small:
            return small != 0 && bytes[start + 1] == 0xC5 && start + 2 < limit && bytes[start + 2] == 0xBF
                ? start + 3 : nil
        default: return nil
        }
    }

    /// A word of capitals and then small letters, or of capitals; what is both is either.
    private func casedWord(
        _ start: Int, _ first: CharacterClasses.Class, _ next: Int, _ bytes: [UInt8], _ limit: Int
    ) -> Int? {
        let mayLead = !first.isLetter && !first.isNumber && !Self.isLineEnd(bytes[start])
        let behind = mayLead && next < limit ? capitals(next, bytes, limit) : nil
        let own = first.isCapital || first.isSmall ? capitals(start, bytes, limit) : nil
        guard let end = behind?.small ?? own?.small ?? behind?.capital ?? own?.capital else { return nil }
        if contracts, end < limit, bytes[end] == Self.apostrophe, let longer = contraction(end, bytes, limit) {
            return longer
        }
        return end
    }

    /// Where capitals and then small letters end that begin at `start`; without small letters, where the capitals end.
    private func capitals(_ start: Int, _ bytes: [UInt8], _ limit: Int) -> (small: Int?, capital: Int?) {
        var position = start
        /// The end of the last capital that is a small letter too.
        var both: Int?
        while position < limit {
            let (own, next) = classes.at(position, bytes, limit)
            if !own.isCapital { break }
            position = next
            if own.isSmall { both = next }
        }
        let capital = position
        while position < limit {
            let (own, next) = classes.at(position, bytes, limit)
            if !own.isSmall { break }
            position = next
        }
        return (position > capital ? position : both, capital > start ? capital : nil)
    }
}
