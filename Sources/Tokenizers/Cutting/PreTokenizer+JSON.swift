import RegularExpressions

extension PreTokenizer {
    /// - Throws: `TokenizerError.unsupported` for a kind or a field that is not known here.
    init(_ json: JSONValue?, _ place: String = "tokenizer.json: pre_tokenizer") throws(TokenizerError) {
        guard let json, !json.isNull else {
            self = .identity
            return
        }
        func fields(_ known: String...) throws(TokenizerError) -> JSONFields {
            try JSONFields(json, place, known: ["type"] + known)
        }
        switch json["type"]?.text {
        case "Sequence":
            var steps: [PreTokenizer] = []
            for step in try fields("pretokenizers").array("pretokenizers") {
                steps.append(try PreTokenizer(step, place))
            }
            // Steps behind ByteLevel see the alphabet of bytes; merges then run over its characters.
            let isSpelled = steps.dropLast().contains(where: \.isByteLevel)
            self = .sequence(isSpelled ? steps.map { $0.isByteLevel ? .sequence([$0, .spelled]) : $0 } : steps)
        case "ByteLevel":
            let fields = try fields("add_prefix_space", "trim_offsets", "use_regex")
            let addsSpace = try fields.bool("add_prefix_space", true)
            self =
                try fields.bool("use_regex", true)
                ? try Self.gpt2(addPrefixSpace: addsSpace) : .byteLevel(addPrefixSpace: addsSpace, nil)
        case "Split":
            let fields = try fields("pattern", "behavior", "invert")
            let behavior = try Self.behavior(fields)
            // As an expression it would look at all the digits that follow for each three of them.
            if behavior == .isolated, fields["pattern"]?["Regex"]?.text == GGUFPreTokenizer.digitGroupsOfWords {
                self = .digitGroups(endWords: true)
                return
            }
            let isInverted = try fields.bool("invert", false)
            if behavior == .isolated, !isInverted, let text = fields["pattern"]?["Regex"]?.text,
                let scanner = WordScanner(text)
            {
                self = .scan(scanner)
                return
            }
            let pattern: RegularExpression
            switch try Pattern(fields) {
            case .expression(let expression): pattern = expression
            case .literal(let literal): pattern = try Self.compile(literal: String(decoding: literal, as: UTF8.self))
            }
            self = .split(pattern, behavior, inverted: isInverted)
        case "Digits":
            let each = try fields("individual_digits").bool("individual_digits", false)
            self = .splitAt(.number, each ? .isolated : .contiguous)
        case "Punctuation":
            self = .splitAt(.punctuation, try Self.behavior(fields("behavior")))
        case "CharDelimiterSplit":
            let fields = try fields("delimiter")
            let delimiter = try fields.required("delimiter", fields.text("delimiter"))
            guard let scalar = delimiter.unicodeScalars.first, delimiter.unicodeScalars.count == 1 else {
                throw TokenizerError(.malformed, "\(place): \"delimiter\" is not one character")
            }
            self = .splitAt(.one(scalar), .removed)
        case "UnicodeScripts":
            _ = try fields()
            self = .scripts
        case "BertPreTokenizer":
            _ = try fields()
            self = .bert
        case "Metaspace":
            let fields = try fields("replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep")
            let scheme = try fields.text("prepend_scheme")
            let prepend: Prepend
            if let scheme {
                guard let known = Prepend(rawValue: scheme) else {
                    throw TokenizerError(.unsupported, "\(place): prepend_scheme \"\(scheme)\" is not supported")
                }
                prepend = known
            } else {
                prepend = try fields.bool("add_prefix_space", true) ? .always : .never
            }
            self = .metaspace(
                replacement: try fields.bytes("replacement") ?? Array("▁".utf8), prepend: prepend,
                split: try fields.bool("split", true))
        case "FixedLength":
            let length = try fields("length").int("length") ?? 5
            guard length > 0 else { throw TokenizerError(.malformed, "\(place): \"length\" is \(length)") }
            self = .fixedLength(length)
        case "WhitespaceSplit":
            _ = try fields()
            self = .splitAt(.space, .removed)
        case "Whitespace":
            _ = try fields()
            self = .split(try Self.compile(#"\w+|[^\w\s]+"#, .rust), .removed, inverted: true)
        case let kind:
            throw TokenizerError(.unsupported, "\(place): \"\(kind ?? "?")\" is not supported")
        }
    }

    /// BERT's: white space separates, punctuation stands alone.
    static let bert = PreTokenizer.sequence([.splitAt(.space, .removed), .splitAt(.punctuation, .isolated)])

    private static func behavior(_ fields: JSONFields) throws(TokenizerError) -> Behavior {
        let name = try fields.text("behavior") ?? "Isolated"
        guard let behavior = Behavior(rawValue: name) else {
            throw TokenizerError(.unsupported, "\(fields.place): behavior \"\(name)\" is not supported")
        }
        return behavior
    }

    private static func compile(literal: String) throws(TokenizerError) -> RegularExpression {
        let escaped = literal.unicodeScalars.map { "\\x{" + String($0.value, radix: 16) + "}" }.joined()
        do { return try RegularExpression(escaped) } catch { throw TokenizerError(.malformed, "\(error)") }
    }

    /// - Throws: `TokenizerError.unsupported` for an expression that is not known to mean the same to PCRE2.
    static func compile(
        _ pattern: String, _ dialect: OnigurumaPattern.Dialect = .oniguruma
    ) throws(TokenizerError) -> RegularExpression {
        do { return try RegularExpression(OnigurumaPattern.translated(pattern, dialect)) } catch {
            throw TokenizerError(.unsupported, "\(error)")
        }
    }
}
