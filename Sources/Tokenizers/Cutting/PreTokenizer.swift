import RegularExpressions

/// How a text is cut into the words within which merges happen.
indirect enum PreTokenizer: Sendable {
    /// What becomes of a regular expression's matches.
    enum Behavior: String, Sendable {
        case isolated = "Isolated"
        case removed = "Removed"
        case mergedWithPrevious = "MergedWithPrevious"
        case mergedWithNext = "MergedWithNext"
        case contiguous = "Contiguous"
    }

    case identity
    /// GPT-2's: an optional space put before the text, then its regular expression.
    case byteLevel(addPrefixSpace: Bool, RegularExpression?)
    case split(RegularExpression, Behavior, inverted: Bool)
    /// Matches of a well-known expression, each a word.
    case scan(WordScanner)
    /// The same at each character of a class.
    case splitAt(CharacterClass, Behavior)
    /// SentencePiece's: spaces become ▁, one is put before the text, words begin at ▁.
    case metaspace(replacement: [UInt8], prepend: Prepend, split: Bool)
    /// Before each mark that stands behind something else.
    case words(before: [UInt8])
    /// Decimal digits in a row by three, counted from the right.
    ///
    /// - Parameter endWords: whether only where no word goes on behind them.
    case digitGroups(endWords: Bool)
    /// So many characters each.
    case fixedLength(Int)
    /// Where the script changes.
    case scripts
    /// Bytes in GPT-2's alphabet, for steps that follow.
    case spelled
    case sequence([PreTokenizer])

    enum CharacterClass: Sendable {
        case space, punctuation, number
        case one(Unicode.Scalar)

        func contains(_ scalar: Unicode.Scalar) -> Bool {
            switch self {
            case .space: UnicodeClasses.isSpace(scalar)
            case .punctuation: UnicodeClasses.isPunctuation(scalar)
            case .number: UnicodeClasses.isNumber(scalar)
            case .one(let own): scalar == own
            }
        }
    }

    enum Prepend: String, Sendable { case always, first, never }

    static let gpt2Pattern =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    /// Whether merges run over bytes rather than characters.
    var isByteLevel: Bool {
        switch self {
        case .byteLevel: true
        case .sequence(let steps): steps.last?.isByteLevel ?? false
        default: false
        }
    }

    /// What cuts a text by itself, so that words need not be copied.
    var scanner: WordScanner? {
        switch self {
        case .scan(let scanner): return scanner
        case .sequence(let steps):
            guard let first = steps.first else { return nil }
            let isPlain = steps.dropFirst().allSatisfy {
                if case .byteLevel(addPrefixSpace: false, nil) = $0 { true } else { false }
            }
            return isPlain ? first.scanner : nil
        default: return nil
        }
    }

    /// Cuts at the matches of an expression.
    ///
    /// - Throws: `TokenizerError.unsupported` for one that is not known to mean the same to PCRE2.
    static func cut(at pattern: String) throws(TokenizerError) -> PreTokenizer {
        if let scanner = WordScanner(pattern) { return .scan(scanner) }
        return .split(try compile(pattern), .isolated, inverted: false)
    }

    /// GPT-2's: its words, and bytes in its alphabet.
    static func gpt2(addPrefixSpace: Bool) throws(TokenizerError) -> PreTokenizer {
        addPrefixSpace
            ? .byteLevel(addPrefixSpace: true, try compile(gpt2Pattern))
            : .sequence([try cut(at: gpt2Pattern), .byteLevel(addPrefixSpace: false, nil)])
    }

    /// Cuts `words` further; a word is a slice's bytes.
    func apply(_ words: [[UInt8]], isFirst: Bool) -> [[UInt8]] {
        switch self {
        case .identity: words
        case .byteLevel(let addPrefixSpace, let pattern):
            words.flatMap { word -> [[UInt8]] in
                let word = addPrefixSpace && word.first != 0x20 ? [0x20] + word : word
                return pattern.map { Self.cut(word, by: $0, .isolated, inverted: false) } ?? [word]
            }
        case .split(let pattern, let behavior, let inverted):
            words.flatMap { Self.cut($0, by: pattern, behavior, inverted: inverted) }
        case .scan(let scanner):
            words.flatMap { word -> [[UInt8]] in
                var cuts: [[UInt8]] = []
                var start = 0
                while start < word.count {
                    let end = scanner.end(of: start, in: word, limit: word.count)
                    cuts.append(Array(word[start..<end]))
                    start = end
                }
                return cuts
            }
        case .splitAt(let characters, let behavior): words.flatMap { Self.cut($0, at: characters, behavior) }
        case .metaspace(let replacement, let prepend, let split):
            words.enumerated().flatMap { index, word -> [[UInt8]] in
                var word = Normalizer.replace(word, [0x20], replacement)
                let wanted = prepend == .always || (prepend == .first && isFirst && index == 0)
                if wanted, !word.starts(with: replacement) { word = replacement + word }
                return split ? Self.cutBefore(word, replacement) : [word]
            }
        case .words(let mark): words.flatMap { Self.cutBefore($0, mark, keepsRuns: true) }
        case .digitGroups(let endWords): words.flatMap { Self.cut($0, digitsThatEndWords: endWords) }
        case .fixedLength(let count): words.flatMap { Self.cut($0, every: count) }
        case .scripts: words.flatMap(Self.cutByScript)
        case .spelled: words.map(ByteLevelAlphabet.spelling)
        case .sequence(let steps):
            steps.reduce(words) { $1.apply($0, isFirst: isFirst) }
        }
    }

    private static func cut(_ word: [UInt8], digitsThatEndWords endWords: Bool) -> [[UInt8]] {
        var words: [[UInt8]] = []
        var (start, position) = (0, 0)
        /// Where the digits of a row begin.
        var digits: [Int] = []
        func flush(_ end: Int, _ next: Unicode.Scalar?) {
            defer { digits = [] }
            guard let first = digits.first, !(endWords && next.map(UnicodeClasses.isWord) ?? false) else { return }
            if first > start { words.append(Array(word[start..<first])) }
            let head = digits.count % 3 == 0 ? 3 : digits.count % 3
            var index = 0
            while index < digits.count {
                let next = index + (index == 0 ? head : 3)
                words.append(Array(word[digits[index]..<(next < digits.count ? digits[next] : end)]))
                index = next
            }
            start = end
        }
        while let (scalar, length) = UnicodeClasses.scalar(word[position...]) {
            if scalar.properties.generalCategory == .decimalNumber {
                digits.append(position)
            } else {
                flush(position, scalar)
            }
            position += length
        }
        flush(word.count, nil)
        if start < word.count { words.append(Array(word[start...])) }
        return words
    }

    private static func cutByScript(_ word: [UInt8]) -> [[UInt8]] {
        var words: [[UInt8]] = []
        var (start, position) = (0, 0)
        var last = UnicodeScripts.any
        while let (scalar, length) = UnicodeClasses.scalar(word[position...]) {
            let script = UnicodeScripts.script(scalar)
            if script != UnicodeScripts.any {
                // What is of any script at the beginning belongs to no word.
                if last != script {
                    if last != UnicodeScripts.any { words.append(Array(word[start..<position])) }
                    start = position
                }
                last = script
            }
            position += length
        }
        if last != UnicodeScripts.any { words.append(Array(word[start...])) }
        return words
    }

    private static func cut(_ word: [UInt8], every count: Int) -> [[UInt8]] {
        var words: [[UInt8]] = []
        var (start, characters) = (0, 0)
        for position in word.indices where word[position] & 0xC0 != 0x80 {
            if characters == count {
                words.append(Array(word[start..<position]))
                (start, characters) = (position, 0)
            }
            characters += 1
        }
        if start < word.count { words.append(Array(word[start...])) }
        return words
    }

    /// - Parameter keepsRuns: whether marks in a row stay together.
    private static func cutBefore(_ word: [UInt8], _ mark: [UInt8], keepsRuns: Bool = false) -> [[UInt8]] {
        guard let first = mark.first else { return [word] }
        var words: [[UInt8]] = []
        var (start, position, runEnd) = (0, 0, 0)
        while position < word.count {
            let isMark =
                word[position] == first && position + mark.count <= word.count
                && word[position..<position + mark.count].elementsEqual(mark)
            if isMark {
                if position > start, !keepsRuns || runEnd != position {
                    words.append(Array(word[start..<position]))
                    start = position
                }
                position += mark.count
                runEnd = position
            } else {
                position += 1
            }
        }
        if start < word.count { words.append(Array(word[start...])) }
        return words
    }

    private static func cut(
        _ word: [UInt8], by pattern: RegularExpression, _ behavior: Behavior, inverted: Bool
    ) -> [[UInt8]] {
        // Spans in order, each a match or what lies between two.
        var spans: [(range: Range<Int>, isMatch: Bool)] = []
        var end = 0
        for match in pattern.matches(in: word, range: 0..<word.count, includesEmpty: true) {
            if match.lowerBound > end { spans.append((end..<match.lowerBound, inverted)) }
            spans.append((match, !inverted))
            end = match.upperBound
        }
        if end < word.count { spans.append((end..<word.count, inverted)) }
        return merged(spans, behavior).filter { !$0.isEmpty }.map { Array(word[$0]) }
    }

    private static func cut(_ word: [UInt8], at characters: CharacterClass, _ behavior: Behavior) -> [[UInt8]] {
        var spans: [(range: Range<Int>, isMatch: Bool)] = []
        var (start, position) = (0, 0)
        while let (scalar, length) = UnicodeClasses.scalar(word[position...]) {
            if characters.contains(scalar) {
                if position > start { spans.append((start..<position, false)) }
                spans.append((position..<position + length, true))
                start = position + length
            }
            position += length
        }
        if start < word.count { spans.append((start..<word.count, false)) }
        return merged(spans, behavior).map { Array(word[$0]) }
    }

    /// Merges matches with their neighbours; of matches in a row only the first joins what precedes, only the last what follows.
    private static func merged(_ spans: [(range: Range<Int>, isMatch: Bool)], _ behavior: Behavior) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var wasMatch = false
        switch behavior {
        case .isolated: return spans.map(\.range)
        case .removed: return spans.filter { !$0.isMatch }.map(\.range)
        case .mergedWithPrevious, .contiguous:
            for span in spans {
                let joins = behavior == .contiguous ? span.isMatch == wasMatch : span.isMatch && !wasMatch
                if joins, let last = ranges.popLast() {
                    ranges.append(last.lowerBound..<span.range.upperBound)
                } else {
                    ranges.append(span.range)
                }
                wasMatch = span.isMatch
            }
            return ranges
        case .mergedWithNext:
            for span in spans.reversed() {
                if span.isMatch, !wasMatch, let next = ranges.popLast() {
                    ranges.append(span.range.lowerBound..<next.upperBound)
                } else {
                    ranges.append(span.range)
                }
                wasMatch = span.isMatch
            }
            return ranges.reversed()
        }
    }
}
