/// The ids that are put around a text when special tokens are asked for.
struct PostProcessor: Sendable {
    var prefix: [Int32] = []
    var suffix: [Int32] = []
    /// Whether a file says what they are, be it none.
    private(set) var isGiven = false

    /// - Throws: `TokenizerError.unsupported` for a kind or a field that is not known here.
    init(_ json: JSONValue?) throws(TokenizerError) {
        if let json, !json.isNull { try add(json) }
    }

    private static let place = "tokenizer.json: post_processor"

    private mutating func add(_ json: JSONValue) throws(TokenizerError) {
        func fields(_ known: String...) throws(TokenizerError) -> JSONFields {
            try JSONFields(json, Self.place, known: ["type"] + known)
        }
        switch json["type"]?.text {
        case "Sequence": for step in try fields("processors").array("processors") { try add(step) }
        case "ByteLevel": _ = try fields("add_prefix_space", "trim_offsets", "use_regex")
        case "TemplateProcessing": try addTemplate(fields("single", "pair", "special_tokens"))
        case "RobertaProcessing":
            let fields = try fields("sep", "cls", "trim_offsets", "add_prefix_space")
            try wrap([try Self.token(fields, "cls")], [try Self.token(fields, "sep")])
        case "BertProcessing":
            let fields = try fields("sep", "cls")
            try wrap([try Self.token(fields, "cls")], [try Self.token(fields, "sep")])
        case let kind:
            throw TokenizerError(.unsupported, "\(Self.place): \"\(kind ?? "?")\" is not supported")
        }
    }

    /// tokenizers would take what a first step has put around the text for texts of their own.
    private mutating func wrap(_ before: [Int32], _ after: [Int32]) throws(TokenizerError) {
        guard !isGiven else {
            throw TokenizerError(
                .unsupported, "\(Self.place): two steps that put tokens around a text are not supported")
        }
        (prefix, suffix, isGiven) = (before, after, true)
    }

    /// `["<s>", 0]`.
    private static func token(_ fields: JSONFields, _ key: String) throws(TokenizerError) -> Int32 {
        guard let pair = fields[key]?.array, pair.count == 2, let id = pair[1].int, let id = Int32(exactly: id) else {
            throw TokenizerError(.malformed, "\(place): \"\(key)\" is not a token and its id")
        }
        return id
    }

    private mutating func addTemplate(_ fields: JSONFields) throws(TokenizerError) {
        var (before, after): ([Int32], [Int32]) = ([], [])
        var hasText = false
        for piece in try fields.array("single") {
            if let sequence = piece["Sequence"] {
                guard !hasText, sequence["id"]?.text == "A" else {
                    throw TokenizerError(.unsupported, "\(Self.place): \"single\" has a text other than one $A")
                }
                hasText = true
                continue
            }
            guard let name = piece["SpecialToken"]?["id"]?.text else {
                throw TokenizerError(.malformed, "\(Self.place): \"single\" has a piece that is no token and no text")
            }
            guard let ids = fields["special_tokens"]?[name]?["ids"]?.array else {
                throw TokenizerError(.malformed, "\(Self.place): \"special_tokens\" has no ids for \"\(name)\"")
            }
            for id in ids {
                guard let id = id.int.flatMap({ Int32(exactly: $0) }) else {
                    throw TokenizerError(.malformed, "\(Self.place): an id of \"\(name)\" is not a whole number")
                }
                if hasText { after.append(id) } else { before.append(id) }
            }
        }
        guard hasText else { throw TokenizerError(.unsupported, "\(Self.place): \"single\" leaves the text out") }
        try wrap(before, after)
    }
}
