extension TokenizerDefinition {
    /// Hugging Face's `tokenizer.json`. What is not known here is refused by name. `truncation` is for callers that
    /// truncate; `padding` changes nothing, since texts are never padded here. transformers too applies neither where a
    /// call does not ask for it.
    init(tokenizerJSON json: JSONValue, in directory: String) throws(TokenizerError) {
        self.init()
        do {
            try read(json, directory)
        } catch {
            let message = error.message
            throw TokenizerError(error.code, message.hasPrefix("tokenizer.json") ? "\(directory)/\(message)" : message)
        }
    }

    private mutating func read(_ json: JSONValue, _ directory: String) throws(TokenizerError) {
        let place = "tokenizer.json"
        let top = try JSONFields(
            json, place,
            known: [
                "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
                "decoder", "model",
            ])
        if let truncation = top["truncation"] { self.truncation = try Truncation(truncation) }
        if let padding = top["padding"] { try Self.check(padding: padding) }
        let model = try model(top)
        normalizer = try Normalizer(top["normalizer"])
        preTokenizer = try PreTokenizer(top["pre_tokenizer"])
        decoder = try TokenDecoder(top["decoder"])
        try read(model, directory)
        for token in try top.array("added_tokens") {
            try add(token, id: token["id"]?.int, place: "\(place): added_tokens")
        }
        postProcessor = try PostProcessorReader(top["post_processor"]).processor
        let known = Int32(clamping: vocabulary.count)
        guard (postProcessor?.tokens ?? []).allSatisfy({ (0..<known).contains($0) }) else {
            throw TokenizerError(.malformed, "\(place): post_processor names an id outside the vocabulary of \(known)")
        }
    }

    private static func check(padding json: JSONValue) throws(TokenizerError) {
        _ = try JSONFields(
            json, "tokenizer.json: padding",
            known: ["strategy", "direction", "pad_to_multiple_of", "pad_id", "pad_type_id", "pad_token"])
    }

    private static let kinds = [
        "BPE": [
            "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
            "ignore_merges", "vocab", "merges",
        ],
        "WordPiece": ["unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"],
        "WordLevel": ["unk_token", "vocab"], "Unigram": ["unk_id", "vocab", "byte_fallback"],
    ]

    /// The kind of a model, and its fields. Old files do not name it.
    private func model(_ top: JSONFields) throws(TokenizerError) -> (kind: String, JSONFields) {
        guard let model = top["model"] else { throw TokenizerError(.malformed, "tokenizer.json has no \"model\"") }
        let others =
            model["continuing_subword_prefix"] != nil
            ? "WordPiece" : model["vocab"]?.array != nil ? "Unigram" : model["unk_token"] != nil ? "WordLevel" : "?"
        let kind = model["type"]?.text ?? (model["merges"] != nil ? "BPE" : others)
        guard let known = Self.kinds[kind] else {
            throw TokenizerError(
                .unsupported,
                "tokenizer.json: model \"\(kind)\" is not supported, only \(Self.kinds.keys.sorted().joined(separator: ", "))"
            )
        }
        return (kind, try JSONFields(model, "tokenizer.json: model", known: ["type"] + known))
    }

    private mutating func read(
        _ model: (kind: String, fields: JSONFields), _ directory: String
    ) throws(TokenizerError) {
        let fields = model.fields
        if model.kind == "Unigram" {
            try readUnigram(fields)
            return
        }
        try addVocabulary(try fields.required("vocab", fields["vocab"]), in: directory)
        let unknown = try fields.bytes("unk_token")
        unknownID = unknown.flatMap { pieces[$0] }
        switch model.kind {
        case "WordPiece":
            let limit = try fields.int("max_input_chars_per_word") ?? 100
            let prefix = try fields.bytes("continuing_subword_prefix") ?? Array("##".utf8)
            unknownID = pieces[unknown ?? Array("[UNK]".utf8)]
            self.model = .wordPiece(continuingPrefix: prefix, characterLimit: limit)
        case "WordLevel":
            unknownID = pieces[unknown ?? Array("<unk>".utf8)]
            self.model = .wordLevel(fusesUnknown: false)
        default: try readBytePairs(fields, directory)
        }
    }

    /// A list of pieces and their scores, by id.
    private mutating func readUnigram(_ fields: JSONFields) throws(TokenizerError) {
        var scores: [(bytes: [UInt8], score: Double)] = []
        for entry in try fields.array("vocab") {
            guard let entry = entry.array, entry.count == 2, let piece = entry[0].bytes,
                case .number(let score) = entry[1], score.isFinite
            else {
                throw TokenizerError(
                    .malformed, "\(fields.place): entry \(scores.count) of \"vocab\" is not a piece and its score")
            }
            try addPiece(piece, id: scores.count)
            scores.append((piece, score))
        }
        guard let unknown = try fields.int("unk_id"), scores.indices.contains(unknown) else {
            throw TokenizerError(
                .malformed, "\(fields.place): \"unk_id\" is not one of the \(scores.count) pieces of \"vocab\"")
        }
        unknownID = Int32(unknown)
        let byteIDs = try fields.bool("byte_fallback", false) ? fallbackIDs : [nil]
        model = .unigram(.init(pieces: scores, byteIDs: byteIDs))
    }

    private mutating func readBytePairs(_ fields: JSONFields, _ directory: String) throws(TokenizerError) {
        if case .number(let dropout)? = fields["dropout"], dropout != 0 {
            throw TokenizerError(.unsupported, "\(fields.place): \"dropout\" is \(dropout): ids would be random")
        }
        var model = BytePairModel()
        model.continuingPrefix = try fields.bytes("continuing_subword_prefix") ?? []
        model.wordSuffix = try fields.bytes("end_of_word_suffix") ?? []
        model.fusesUnknown = try fields.bool("fuse_unk", false)
        model.ignoresMerges = try fields.bool("ignore_merges", false)
        if try fields.bool("byte_fallback", false) { model.byteIDs = fallbackIDs }
        var pairs: [([UInt8], [UInt8])] = []
        for merge in try fields.array("merges") {
            if let parts = merge.array, parts.count == 2, let left = parts[0].bytes, let right = parts[1].bytes {
                pairs.append((left, right))
            } else if let line = merge.bytes, let space = line.firstIndex(of: 0x20) {
                pairs.append((Array(line[..<space]), Array(line[(space + 1)...])))
            } else {
                throw TokenizerError(.malformed, "\(fields.place): a merge is not a pair")
            }
        }
        try setBytePairs(model, merges: pairs, in: directory)
    }
}

extension Truncation {
    fileprivate init(_ json: JSONValue) throws(TokenizerError) {
        let place = "tokenizer.json: truncation"
        let fields = try JSONFields(json, place, known: ["direction", "max_length", "strategy", "stride"])
        let length = try fields.required("max_length", fields.int("max_length"))
        let strategy = try fields.text("strategy") ?? "LongestFirst"
        let direction = try fields.text("direction") ?? "Right"
        guard let known = Strategy(rawValue: strategy), let side = Side(rawValue: direction), length >= 0 else {
            throw TokenizerError(
                .unsupported, "\(place): \(strategy) to \(length) from \(direction) is not supported")
        }
        self.init(maxLength: length, strategy: known, side: side)
    }
}
