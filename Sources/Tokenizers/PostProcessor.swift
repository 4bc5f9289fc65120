/// What is put around one text, or around and between two, when special tokens are asked for.
struct PostProcessor: Sendable {
    enum Piece: Sendable {
        case first(type: Int32)
        case second(type: Int32)
        case tokens([Int32], type: Int32)
    }

    /// In their order; a text may stand in them more than once, or not at all.
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

    /// Whether a single text stays as it is where no special tokens are asked for.
    var keepsText: Bool { single.count { if case .first = $0 { true } else { false } } == 1 }

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
    var processor: PostProcessor? {
        isGiven ? PostProcessor(single: Array(single.joined()), pair: Array(pair.joined())) : nil
    }

    private typealias Piece = PostProcessor.Piece
    /// What the steps so far have made of one text, and of two: parts that the next step takes for texts.
    private var single: [[Piece]] = [[.first(type: 0)]]
    private var pair: [[Piece]] = [[.first(type: 0)], [.second(type: 1)]]
    private var isGiven = false

    private static let place = "tokenizer.json: post_processor"
    private static let pieceLimit = 64

    /// - Throws: `TokenizerError.unsupported` for a kind or a field that is not known here.
    init(_ json: JSONValue?) throws(TokenizerError) {
        if let json, !json.isNull { try add(json) }
    }

    private mutating func add(_ json: JSONValue) throws(TokenizerError) {
        func fields(_ known: String...) throws(TokenizerError) -> JSONFields {
            try JSONFields(json, Self.place, known: ["type"] + known)
        }
        let byField = json["trim_offsets"] == nil ? "BertProcessing" : "RobertaProcessing"
        switch json.kind(byField: ["single": "TemplateProcessing", "sep": byField]) {
        case "Sequence": for step in try fields("processors").array("processors") { try add(step) }
        case "ByteLevel": _ = try fields("add_prefix_space", "trim_offsets", "use_regex")
        case "TemplateProcessing":
            let fields = try fields("single", "pair", "special_tokens")
            single = try Self.template(fields, "single", single)
            pair = try Self.template(fields, "pair", pair)
            isGiven = true
        case "RobertaProcessing":
            let fields = try fields("sep", "cls", "trim_offsets", "add_prefix_space")
            let (start, end) = (try Self.token(fields, "cls"), try Self.token(fields, "sep"))
            put { index, part in
                [.tokens(index == 0 ? start : end, type: 0)] + part.map { $0.typed(0) } + [.tokens(end, type: 0)]
            }
        case "BertProcessing":
            let fields = try fields("sep", "cls")
            let (start, end) = (try Self.token(fields, "cls"), try Self.token(fields, "sep"))
            put { index, part in
                index == 0
                    ? [.tokens(start, type: 0)] + part + [.tokens(end, type: 0)] : part + [.tokens(end, type: 1)]
            }
        case let kind:
            throw TokenizerError(.unsupported, "\(Self.place): \"\(kind ?? "?")\" is not supported")
        }
    }

    /// Puts tokens around each part.
    private mutating func put(_ around: (_ index: Int, _ part: [Piece]) -> [Piece]) {
        single = single.enumerated().map(around)
        pair = pair.enumerated().map(around)
        isGiven = true
    }

    /// `["<s>", 0]`.
    private static func token(_ fields: JSONFields, _ key: String) throws(TokenizerError) -> [Int32] {
        guard let pair = fields[key]?.array, pair.count == 2, let id = pair[1].int, let id = Int32(exactly: id) else {
            throw TokenizerError(.malformed, "\(place): \"\(key)\" is not a token and its id")
        }
        return [id]
    }

    /// `single` or `pair`: texts, and tokens by the names that `special_tokens` explains.
    ///
    /// - Parameter texts: what stands for "A" and for "B".
    private static func template(
        _ fields: JSONFields, _ key: String, _ texts: [[Piece]]
    ) throws(TokenizerError) -> [[Piece]] {
        guard texts.count == (key == "pair" ? 2 : 1) else {
            throw TokenizerError(
                .unsupported,
                "\(place): \"\(key)\" stands behind a template, which has made \(texts.count) texts of it")
        }
        let pieces = try fields.array(key)
        guard pieces.count <= pieceLimit else {
            throw TokenizerError(
                .unsupported, "\(place): \"\(key)\" has \(pieces.count) pieces; at most \(pieceLimit) are supported")
        }
        var parts: [[Piece]] = []
        for piece in pieces {
            guard let body = piece["Sequence"] ?? piece["SpecialToken"], let name = body["id"]?.text,
                let type = (body["type_id"]?.int ?? 0).int32
            else {
                throw TokenizerError(.malformed, "\(place): \"\(key)\" has a piece that is no token and no text")
            }
            if piece["Sequence"] != nil {
                guard name == "A" || (name == "B" && key == "pair") else {
                    throw TokenizerError(
                        .malformed, "\(place): \"\(key)\" has the text \"\(name)\", which it is not given")
                }
                parts.append(texts[name == "A" ? 0 : 1].map { $0.typed(type) })
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
            parts.append([.tokens(tokens, type: type)])
        }
        return parts
    }
}

extension PostProcessor.Piece {
    /// The same of another type.
    fileprivate func typed(_ type: Int32) -> Self {
        switch self {
        case .first: .first(type: type)
        case .second: .second(type: type)
        case .tokens(let ids, _): .tokens(ids, type: type)
        }
    }
}

extension Int {
    fileprivate var int32: Int32? { Int32(exactly: self) }
}
