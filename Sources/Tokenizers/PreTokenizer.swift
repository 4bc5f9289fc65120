import RegularExpressions

/// How a text is cut into the words within which merges happen.
indirect enum PreTokenizer: Sendable {
    /// What becomes of a regular expression's matches.
    enum Behavior: String, Sendable {
        case isolated = "Isolated"
        case removed = "Removed"
        case mergedWithPrevious = "MergedWithPrevious"
        case mergedWithNext = "MergedWithNext"
    }

    case identity
    /// GPT-2's: an optional space put before the text, then its regular expression.
    case byteLevel(addPrefixSpace: Bool, RegularExpression?)
    case split(RegularExpression, Behavior, inverted: Bool)
    /// SentencePiece's: spaces become ▁, one is put before the text, words begin at ▁.
    case metaspace(replacement: [UInt8], prepend: Prepend, split: Bool)
    case sequence([PreTokenizer])

    enum Prepend: String, Sendable { case always, first, never }

    static let gpt2Pattern =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    /// Whether merges run over bytes rather than characters.
    var isByteLevel: Bool {
        switch self {
        case .byteLevel: true
        case .sequence(let steps): steps.contains { $0.isByteLevel }
        default: false
        }
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
        case .metaspace(let replacement, let prepend, let split):
            words.enumerated().flatMap { index, word -> [[UInt8]] in
                var word = Normalizer.replace(word, [0x20], replacement)
                let wanted = prepend == .always || (prepend == .first && isFirst && index == 0)
                if wanted, !word.starts(with: replacement) { word = replacement + word }
                return split ? Self.cutBefore(word, replacement) : [word]
            }
        case .sequence(let steps):
            steps.reduce(words) { $1.apply($0, isFirst: isFirst) }
        }
    }

    private static func cutBefore(_ word: [UInt8], _ mark: [UInt8]) -> [[UInt8]] {
        var words: [[UInt8]] = []
        var start = 0
        var position = 1
        while position < word.count {
            if position + mark.count <= word.count, word[position..<position + mark.count].elementsEqual(mark) {
                words.append(Array(word[start..<position]))
                start = position
                position += mark.count
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
        for match in pattern.matches(in: word, range: 0..<word.count) {
            if match.lowerBound > end { spans.append((end..<match.lowerBound, inverted)) }
            spans.append((match, !inverted))
            end = match.upperBound
        }
        if end < word.count { spans.append((end..<word.count, inverted)) }
        var ranges: [Range<Int>] = []
        var pending: Range<Int>?
        for span in spans {
            switch behavior {
            case .isolated: ranges.append(span.range)
            case .removed: if !span.isMatch { ranges.append(span.range) }
            case .mergedWithPrevious:
                if span.isMatch, let last = ranges.popLast() {
                    ranges.append(last.lowerBound..<span.range.upperBound)
                } else {
                    ranges.append(span.range)
                }
            case .mergedWithNext:
                let range = (pending?.lowerBound ?? span.range.lowerBound)..<span.range.upperBound
                pending = span.isMatch ? range : nil
                if !span.isMatch { ranges.append(range) }
            }
        }
        if let pending { ranges.append(pending) }
        return ranges.map { Array(word[$0]) }
    }

    /// - Throws: `TokenizerError` for an unknown kind or a pattern that does not compile.
    init(_ json: JSONValue?) throws(TokenizerError) {
        guard let json, !json.isNull else {
            self = .identity
            return
        }
        switch json["type"]?.text {
        case "Sequence":
            var steps: [PreTokenizer] = []
            for step in json["pretokenizers"]?.array ?? [] { steps.append(try PreTokenizer(step)) }
            self = .sequence(steps)
        case "ByteLevel":
            let usesPattern = json["use_regex"]?.bool ?? true
            self = .byteLevel(
                addPrefixSpace: json["add_prefix_space"]?.bool ?? true,
                usesPattern ? try Self.compile(Self.gpt2Pattern) : nil)
        case "Split":
            guard let behavior = json["behavior"]?.text.flatMap(Behavior.init(rawValue:)) else {
                throw TokenizerError(.unsupported, "tokenizer.json: this Split behavior is not supported")
            }
            let pattern: RegularExpression
            if let expression = json["pattern"]?["Regex"]?.text {
                pattern = try Self.compile(expression)
            } else if let literal = json["pattern"]?["String"]?.text {
                pattern = try Self.compile("\\Q" + literal.replacing("\\E", with: "\\E\\\\E\\Q") + "\\E")
            } else {
                throw TokenizerError(.malformed, "tokenizer.json: a Split without a pattern")
            }
            self = .split(pattern, behavior, inverted: json["invert"]?.bool ?? false)
        case "Digits":
            let each = json["individual_digits"]?.bool ?? false
            self = .split(try Self.compile(each ? #"\p{N}"# : #"\p{N}+"#), .isolated, inverted: false)
        case "Metaspace":
            let scheme = json["prepend_scheme"]?.text.flatMap(Prepend.init(rawValue:))
            let prepend = scheme ?? ((json["add_prefix_space"]?.bool ?? true) ? .always : .never)
            self = .metaspace(
                replacement: json["replacement"]?.bytes ?? Array("▁".utf8), prepend: prepend,
                split: json["split"]?.bool ?? true)
        case "WhitespaceSplit": self = .split(try Self.compile(#"\s+"#), .removed, inverted: false)
        case "Whitespace": self = .split(try Self.compile(#"\w+|[^\w\s]+"#), .removed, inverted: true)
        case let kind:
            throw TokenizerError(.unsupported, "tokenizer.json: pre-tokenizer \"\(kind ?? "?")\" is not supported")
        }
    }

    static func compile(_ pattern: String) throws(TokenizerError) -> RegularExpression {
        do { return try RegularExpression(pattern) } catch { throw TokenizerError(.malformed, "\(error)") }
    }
}
