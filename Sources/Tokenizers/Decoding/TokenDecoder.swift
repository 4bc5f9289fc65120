import RegularExpressions

/// How tokens become text again: what each of them adds, and what is done to the whole.
struct TokenDecoder: Sendable {
    enum Step: Sendable {
        case byteLevel
        case replace([UInt8], with: [UInt8])
        case replaceMatches(RegularExpression, with: [UInt8])
        /// `<0x0A>` is a byte.
        case byteFallback
        /// Spaces for a mark; in the first token the marks go.
        case metaspace([UInt8], dropsFirst: Bool)
        /// Without the prefix a token begins a word, before which a space stands.
        case wordPiece(prefix: [UInt8])
        /// Spaces before punctuation and in English contractions go.
        case cleanup
        /// A suffix ends a word, behind which a space stands unless the text ends.
        case suffix([UInt8])
        case strip([UInt8], start: Int, end: Int)
        /// A space between each two.
        case spaced
        /// Of equal tokens in a row one stays (Graves et al. 2006), and pads go.
        case collapse(pad: [UInt8], delimiter: [UInt8], cleansUp: Bool)
        /// SentencePiece's denormalizer.
        case denormalize(SentencePieceNormalizer)
    }

    /// Applied to each token.
    var steps: [Step] = []
    /// Applied to the text that the tokens make, as to one token that begins and ends it.
    var joined: [Step] = []
    private var isFused = false

    init() {}

    /// - Throws: `TokenizerError.unsupported` for a kind, a field or an order of steps that is not known here.
    init(_ json: JSONValue?) throws(TokenizerError) {
        guard let json, !json.isNull else {
            steps = [.spaced]
            return
        }
        try add(json)
    }

    /// What a decoder is that does not name its kind, by a field that no other has.
    private static let fields = [
        "decoders": "Sequence", "suffix": "BPEDecoder", "prefix": "WordPiece", "pad_token": "CTC", "start": "Strip",
        "pattern": "Replace",
    ]

    private mutating func append(_ step: Step) {
        if isFused { joined.append(step) } else { steps.append(step) }
    }

    private mutating func add(_ json: JSONValue) throws(TokenizerError) {
        let place = "tokenizer.json: decoder"
        func fields(_ known: String...) throws(TokenizerError) -> JSONFields {
            try JSONFields(json, place, known: ["type"] + known)
        }
        let kind = json.kind(byField: Self.fields) ?? "?"
        switch kind {
        case "Sequence": for step in try fields("decoders").array("decoders") { try add(step) }
        case "ByteLevel":
            _ = try fields("add_prefix_space", "trim_offsets", "use_regex")
            append(.byteLevel)
            isFused = true
        case "Replace":
            let fields = try fields("pattern", "content")
            let content = try fields.required("content", fields.bytes("content"))
            switch try Pattern(fields) {
            case .literal(let literal): append(.replace(literal, with: content))
            case .expression(let expression): append(.replaceMatches(expression, with: content))
            }
        case "ByteFallback":
            _ = try fields()
            append(.byteFallback)
        case "Fuse":
            _ = try fields()
            isFused = true
        case "Metaspace":
            let fields = try fields("replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep")
            let scheme = try fields.text("prepend_scheme")
            let drops = if let scheme { scheme != "never" } else { try fields.bool("add_prefix_space", true) }
            append(.metaspace(try fields.bytes("replacement") ?? Array("▁".utf8), dropsFirst: drops))
        case "WordPiece":
            let fields = try fields("prefix", "cleanup")
            append(.wordPiece(prefix: try fields.bytes("prefix") ?? Array("##".utf8)))
            if try fields.bool("cleanup", true) { append(.cleanup) }
        case "BPEDecoder":
            append(.suffix(try fields("suffix").bytes("suffix") ?? Array("</w>".utf8)))
        case "CTC":
            let fields = try fields("pad_token", "word_delimiter_token", "cleanup")
            append(
                .collapse(
                    pad: try fields.bytes("pad_token") ?? Array("<pad>".utf8),
                    delimiter: try fields.bytes("word_delimiter_token") ?? [0x7C],
                    cleansUp: try fields.bool("cleanup", true)))
        case "Strip":
            let fields = try fields("content", "start", "stop")
            append(
                .strip(
                    try fields.bytes("content") ?? [0x20], start: try fields.int("start") ?? 0,
                    end: try fields.int("stop") ?? 0))
        default: throw TokenizerError(.unsupported, "\(place): \"\(kind)\" is not supported")
        }
    }

    /// What a token adds to a text.
    ///
    /// - Parameters:
    ///   - isAdded: whether it is an added token, which is not spelt in the alphabet of bytes.
    ///   - isFirst: whether it begins the text.
    ///   - isLast: whether it ends it.
    func bytes(of piece: [UInt8], isAdded: Bool, isFirst: Bool = false, isLast: Bool = false) -> [UInt8] {
        var bytes = piece
        for step in steps {
            // What is a byte stays one: what follows is for characters.
            if case .byteFallback = step, let byte = TokenizerDefinition.fallbackByte(piece) { return [byte] }
            bytes = Self.apply(step, bytes, isAdded: isAdded, isFirst: isFirst, isLast: isLast)
        }
        return bytes
    }

    private static func apply(
        _ step: Step, _ bytes: [UInt8], isAdded: Bool, isFirst: Bool, isLast: Bool
    ) -> [UInt8] {
        switch step {
        case .byteLevel: return isAdded ? bytes : ByteLevelAlphabet.bytes(of: bytes) ?? bytes
        case .replace(let pattern, let content): return Normalizer.replace(bytes, pattern, content)
        case .replaceMatches(let pattern, let content): return Normalizer.replace(bytes, pattern, content)
        case .byteFallback: return TokenizerDefinition.fallbackByte(bytes).map { [$0] } ?? bytes
        case .metaspace(let mark, let dropsFirst):
            return Normalizer.replace(bytes, mark, isFirst && dropsFirst ? [] : [0x20])
        case .wordPiece(let prefix):
            if isFirst { return bytes }
            return !prefix.isEmpty && bytes.starts(with: prefix)
                ? Array(bytes.dropFirst(prefix.count)) : [0x20] + bytes
        case .cleanup: return cleanedUp(bytes)
        case .suffix(let suffix): return Normalizer.replace(bytes, suffix, isLast ? [] : [0x20])
        case .strip(let content, let start, let end): return stripped(bytes, content, start, end)
        case .spaced: return isFirst ? bytes : [0x20] + bytes
        case .collapse(let pad, let delimiter, let cleansUp):
            let rest = Normalizer.replace(bytes, pad, [])
            return cleansUp ? Normalizer.replace(cleanedUp(rest), delimiter, [0x20]) : rest
        case .denormalize(let normalizer): return normalizer.apply(bytes)
        }
    }

    private static func cleanedUp(_ bytes: [UInt8]) -> [UInt8] {
        cleanups.reduce(bytes) { Normalizer.replace($0, $1.0, $1.1) }
    }

    private static let cleanups: [([UInt8], [UInt8])] = [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
        (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ].map { (Array($0.0.utf8), Array($0.1.utf8)) }

    /// Whether nothing but blanks at a text's ends depends on more than one token.
    var joinsBytes: Bool {
        !collapsesRepeats
            && joined.allSatisfy { if case .strip([0x20], _, _) = $0 { true } else { false } }
            && steps.allSatisfy { step in
                switch step {
                case .wordPiece, .spaced, .suffix, .cleanup: false
                default: true
                }
            }
    }

    /// Whether a token that comes again adds nothing.
    var collapsesRepeats: Bool { steps.contains { if case .collapse = $0 { true } else { false } } }

    /// The text of tokens of which equal ones in a row may be one.
    func collapsed(_ tokens: [(piece: [UInt8], isAdded: Bool)]) -> [UInt8] {
        var list = tokens
        for step in steps {
            if case .collapse = step {
                var kept: [(piece: [UInt8], isAdded: Bool)] = []
                for token in list where kept.last?.piece != token.piece { kept.append(token) }
                list = kept
            }
            for index in list.indices {
                list[index].piece = Self.apply(
                    step, list[index].piece, isAdded: list[index].isAdded, isFirst: index == 0,
                    isLast: index == list.count - 1)
            }
            if case .collapse = step { list.removeAll { $0.piece.isEmpty } }
        }
        return list.flatMap(\.piece)
    }

    /// The whole text, from what its tokens add.
    func whole(_ bytes: [UInt8]) -> [UInt8] {
        joined.reduce(bytes) { text, step in
            if case .strip(let content, let start, let end) = step { return Self.stripped(text, content, start, end) }
            // What is changed now is text: bytes that are no UTF-8 have become U+FFFD.
            let text = Array(String(decoding: text, as: UTF8.self).utf8)
            return Self.apply(step, text, isAdded: false, isFirst: true, isLast: true)
        }
    }

    /// What `whole` does, for a text that comes in parts.
    var streamed: [StreamedStep] {
        joined.compactMap { step in
            func replacing(_ literal: [UInt8], _ content: [UInt8]) -> StreamedStep? {
                literal.isEmpty ? nil : .literal(literal, with: content)
            }
            switch step {
            case .replace(let pattern, let content): return replacing(pattern, content)
            case .replaceMatches(let pattern, let content): return .expression(pattern, with: content)
            case .metaspace(let mark, let dropsFirst): return replacing(mark, dropsFirst ? [] : [0x20])
            case .suffix(let suffix): return replacing(suffix, [])
            // A stream goes on behind a prompt: what is done at a text's borders is not done here.
            case .strip, .wordPiece, .spaced: return nil
            case .byteLevel, .byteFallback, .cleanup, .collapse, .denormalize:
                return .held { Self.apply(step, $0, isAdded: false, isFirst: true, isLast: true) }
            }
        }
    }

    private static func stripped(_ bytes: [UInt8], _ content: [UInt8], _ start: Int, _ end: Int) -> [UInt8] {
        guard !content.isEmpty else { return bytes }
        var rest = bytes[...]
        var left = start
        while left > 0, rest.starts(with: content) {
            rest = rest.dropFirst(content.count)
            left -= 1
        }
        left = end
        while left > 0, rest.count >= content.count, rest.suffix(content.count).elementsEqual(content) {
            rest = rest.dropLast(content.count)
            left -= 1
        }
        return Array(rest)
    }
}
