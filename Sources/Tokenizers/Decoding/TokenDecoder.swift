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
    }

    /// Applied to each token.
    var steps: [Step] = []
    /// Applied to the text: how many bytes of one kind go at its beginning and end.
    var strips: [(content: [UInt8], start: Int, end: Int)] = []
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

    private mutating func add(_ json: JSONValue) throws(TokenizerError) {
        let place = "tokenizer.json: decoder"
        func fields(_ known: String...) throws(TokenizerError) -> JSONFields {
            try JSONFields(json, place, known: ["type"] + known)
        }
        let kind = json["type"]?.text ?? "?"
        if isFused, !["Sequence", "Strip", "Fuse", "ByteFallback"].contains(kind) {
            throw TokenizerError(
                .unsupported, "\(place): \"\(kind)\" behind a step that joins the tokens is not supported")
        }
        switch kind {
        case "Sequence": for step in try fields("decoders").array("decoders") { try add(step) }
        case "ByteLevel":
            _ = try fields("add_prefix_space", "trim_offsets", "use_regex")
            steps.append(.byteLevel)
            isFused = true
        case "Replace":
            let fields = try fields("pattern", "content")
            let content = try fields.required("content", fields.bytes("content"))
            switch try Pattern(fields) {
            case .literal(let literal): steps.append(.replace(literal, with: content))
            case .expression(let expression): steps.append(.replaceMatches(expression, with: content))
            }
        case "ByteFallback":
            _ = try fields()
            // Behind the joining there are no tokens that are bytes.
            if !isFused { steps.append(.byteFallback) }
        case "Fuse":
            _ = try fields()
            isFused = true
        case "Metaspace":
            let fields = try fields("replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep")
            let scheme = try fields.text("prepend_scheme")
            let drops = if let scheme { scheme != "never" } else { try fields.bool("add_prefix_space", true) }
            steps.append(.metaspace(try fields.bytes("replacement") ?? Array("▁".utf8), dropsFirst: drops))
        case "WordPiece":
            let fields = try fields("prefix", "cleanup")
            steps.append(.wordPiece(prefix: try fields.bytes("prefix") ?? Array("##".utf8)))
            if try fields.bool("cleanup", true) { steps.append(.cleanup) }
        case "BPEDecoder":
            let fields = try fields("suffix")
            steps.append(.suffix(try fields.bytes("suffix") ?? Array("</w>".utf8)))
        case "Strip":
            let fields = try fields("content", "start", "stop")
            let content = try fields.bytes("content") ?? [0x20]
            let (start, end) = (try fields.int("start") ?? 0, try fields.int("stop") ?? 0)
            if isFused {
                strips.append((content, start, end))
            } else {
                steps.append(.strip(content, start: start, end: end))
            }
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
            switch step {
            case .byteLevel: if !isAdded { bytes = ByteLevelAlphabet.bytes(of: bytes) ?? bytes }
            case .replace(let pattern, let content): bytes = Normalizer.replace(bytes, pattern, content)
            case .replaceMatches(let pattern, let content): bytes = Normalizer.replace(bytes, pattern, content)
            case .byteFallback: if let byte = TokenizerDefinition.fallbackByte(piece) { return [byte] }
            case .metaspace(let mark, let dropsFirst):
                bytes = Normalizer.replace(bytes, mark, isFirst && dropsFirst ? [] : [0x20])
            case .wordPiece(let prefix):
                if isFirst { break }
                bytes =
                    !prefix.isEmpty && bytes.starts(with: prefix)
                    ? Array(bytes.dropFirst(prefix.count)) : [0x20] + bytes
            case .cleanup:
                for (spaced, joined) in Self.cleanups { bytes = Normalizer.replace(bytes, spaced, joined) }
            case .suffix(let suffix): bytes = Normalizer.replace(bytes, suffix, isLast ? [] : [0x20])
            case .strip(let content, let start, let end): bytes = Self.stripped(bytes, content, start, end)
            case .spaced: if !isFirst { bytes = [0x20] + bytes }
            }
        }
        return bytes
    }

    private static let cleanups: [([UInt8], [UInt8])] = [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
        (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ].map { (Array($0.0.utf8), Array($0.1.utf8)) }

    /// The whole text, from what its tokens add.
    func whole(_ bytes: [UInt8]) -> [UInt8] {
        strips.reduce(bytes) { Self.stripped($0, $1.content, $1.start, $1.end) }
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
