/// What is put around one text, or around and between two, when special tokens are asked for.
struct PostProcessor: Sendable {
    enum Piece: Sendable {
        case first(type: Int32)
        case second(type: Int32)
        case tokens([Int32], type: Int32)
    }

    /// In their order; a text stands in each that it belongs to, once.
    var single: [Piece]
    var pair: [Piece]

    /// Nothing around a text, or the same around each of two.
    init(prefix: [Int32] = [], suffix: [Int32] = []) {
        func around(_ text: Piece, _ type: Int32) -> [Piece] {
            (prefix.isEmpty ? [] : [.tokens(prefix, type: type)]) + [text]
                + (suffix.isEmpty ? [] : [.tokens(suffix, type: type)])
        }
        single = around(.first(type: 0), 0)
        pair = single + around(.second(type: 1), 1)
    }

    init(single: [Piece], pair: [Piece]) { (self.single, self.pair) = (single, pair) }

    /// The ids of all tokens that are added.
    var tokens: [Int32] {
        (single + pair).flatMap { piece -> [Int32] in
            if case .tokens(let ids, _) = piece { ids } else { [] }
        }
    }

    /// How many tokens are added.
    func addedCount(isPair: Bool) -> Int {
        (isPair ? pair : single).reduce(0) { count, piece in
            if case .tokens(let ids, _) = piece { count + ids.count } else { count }
        }
    }

    func apply(_ first: [Int32], _ second: [Int32]? = nil, addSpecialTokens: Bool) -> TokenizedText {
        var text = TokenizedText(ids: [], typeIDs: [])
        func append(_ ids: [Int32], _ type: Int32) {
            text.ids.append(contentsOf: ids)
            text.typeIDs.append(contentsOf: repeatElement(type, count: ids.count))
        }
        for piece in second == nil ? single : pair {
            switch piece {
            case .first(let type): append(first, type)
            case .second(let type): append(second ?? [], type)
            case .tokens(let ids, let type): if addSpecialTokens { append(ids, type) }
            }
        }
        return text
    }
}

/// Reads `post_processor` of `tokenizer.json`.
struct PostProcessorReader {
    /// nil where the file does not say what stands around a text.
    private(set) var processor: PostProcessor?

    private static let place = "tokenizer.json: post_processor"

    /// - Throws: `TokenizerError.unsupported` for a kind or a field that is not known here.
    init(_ json: JSONValue?) throws(TokenizerError) {
        if let json, !json.isNull { try add(json) }
    }

    private mutating func add(_ json: JSONValue) throws(TokenizerError) {
        func fields(_ known: String...) throws(TokenizerError) -> JSONFields {
            try JSONFields(json, Self.place, known: ["type"] + known)
        }
        switch json["type"]?.text {
        case "Sequence": for step in try fields("processors").array("processors") { try add(step) }
        case "ByteLevel": _ = try fields("add_prefix_space", "trim_offsets", "use_regex")
        case "TemplateProcessing":
            let fields = try fields("single", "pair", "special_tokens")
            let pair = try Self.template(fields, "pair")
            try set(.init(single: try Self.template(fields, "single"), pair: pair))
        case "RobertaProcessing":
            let fields = try fields("sep", "cls", "trim_offsets", "add_prefix_space")
            let (start, end) = (try Self.token(fields, "cls"), try Self.token(fields, "sep"))
            let single: [PostProcessor.Piece] = [.tokens(start, type: 0), .first(type: 0), .tokens(end, type: 0)]
            try set(
                .init(
                    single: single, pair: single + [.tokens(end, type: 0), .second(type: 0), .tokens(end, type: 0)]))
        case "BertProcessing":
            let fields = try fields("sep", "cls")
            let (start, end) = (try Self.token(fields, "cls"), try Self.token(fields, "sep"))
            let single: [PostProcessor.Piece] = [.tokens(start, type: 0), .first(type: 0), .tokens(end, type: 0)]
            try set(.init(single: single, pair: single + [.second(type: 1), .tokens(end, type: 1)]))
        case let kind:
            throw TokenizerError(.unsupported, "\(Self.place): \"\(kind ?? "?")\" is not supported")
        }
    }

    /// tokenizers would take what a first step has put around the text for texts of their own.
    private mutating func set(_ new: PostProcessor) throws(TokenizerError) {
        guard processor == nil else {
            throw TokenizerError(
                .unsupported, "\(Self.place): two steps that put tokens around a text are not supported")
        }
        processor = new
    }

    /// `["<s>", 0]`.
    private static func token(_ fields: JSONFields, _ key: String) throws(TokenizerError) -> [Int32] {
        guard let pair = fields[key]?.array, pair.count == 2, let id = pair[1].int, let id = Int32(exactly: id) else {
            throw TokenizerError(.malformed, "\(place): \"\(key)\" is not a token and its id")
        }
        return [id]
    }

    /// `single` or `pair`: texts, and tokens by the names that `special_tokens` explains.
    private static func template(_ fields: JSONFields, _ key: String) throws(TokenizerError) -> [PostProcessor.Piece] {
        var pieces: [PostProcessor.Piece] = []
        var texts = ""
        for piece in try fields.array(key) {
            guard let body = piece["Sequence"] ?? piece["SpecialToken"], let name = body["id"]?.text,
                let type = (body["type_id"]?.int ?? 0).int32
            else {
                throw TokenizerError(.malformed, "\(place): \"\(key)\" has a piece that is no token and no text")
            }
            if piece["Sequence"] != nil {
                texts += name
                pieces.append(name == "A" ? .first(type: type) : .second(type: type))
                continue
            }
            guard let ids = fields["special_tokens"]?[name]?["ids"]?.array else {
                throw TokenizerError(.malformed, "\(place): \"special_tokens\" has no ids for \"\(name)\"")
            }
            var tokens: [Int32] = []
            for id in ids {
                guard let id = id.int?.int32 else {
                    throw TokenizerError(.malformed, "\(place): an id of \"\(name)\" is not a whole number")
                }
                tokens.append(id)
            }
            pieces.append(.tokens(tokens, type: type))
        }
        guard texts == "A" || (key == "pair" && (texts == "AB" || texts == "BA")) else {
            throw TokenizerError(
                .unsupported, "\(place): \"\(key)\" does not have each text once, but \"\(texts)\"")
        }
        return pieces
    }
}

extension Int {
    fileprivate var int32: Int32? { Int32(exactly: self) }
}
