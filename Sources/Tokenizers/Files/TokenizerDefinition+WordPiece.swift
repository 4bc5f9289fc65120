extension TokenizerDefinition {
    /// BERT's `vocab.txt`, a piece a line, as transformers' BertTokenizer reads it.
    ///
    /// - Throws: `TokenizerError` where a token that BERT needs is not a piece, or a field of `tokenizer_config.json` asks
    ///   for what is not done here.
    init(
        wordPieces text: [UInt8], configuration: JSONValue?, in directory: String
    ) throws(TokenizerError) {
        var lines = text.split(separator: 0x0A, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        let pieces = lines.map { line in Array(line.last == 0x0D ? line.dropLast() : line) }
        func flag(_ key: String) throws(TokenizerError) -> Bool? {
            guard let value = configuration?[key], !value.isNull else { return nil }
            guard let flag = value.bool else {
                throw TokenizerError(
                    .malformed, "\(directory)/tokenizer_config.json: \"\(key)\" is neither true nor false")
            }
            return flag
        }
        let lowercases = try flag("do_lower_case") ?? true
        try self.init(
            wordPieces: pieces,
            normalizer: .bert(
                cleans: true, chinese: try flag("tokenize_chinese_chars") ?? true,
                stripsAccents: try flag("strip_accents") ?? lowercases, lowercases: lowercases),
            names: { key in (configuration?[key]?.bytes ?? configuration?[key]?["content"]?.bytes) },
            place: "\(directory)/vocab.txt")
    }

    /// - Parameters:
    ///   - pieces: by id; a piece that is there twice is the later one.
    ///   - names: how a token is spelt, by its key in `tokenizer_config.json`; nil for BERT's own spelling.
    init(
        wordPieces pieces: [[UInt8]], normalizer: Normalizer, names: (_ key: String) -> [UInt8]?, place: String
    ) throws(TokenizerError) {
        self.init()
        self.normalizer = normalizer
        preTokenizer = .bert
        decoder.steps = [.wordPiece(prefix: Array("##".utf8)), .cleanup]
        for (id, piece) in pieces.enumerated() { try addPiece(piece, id: id) }
        var ids: [String: Int32] = [:]
        for (key, name) in [
            ("unk_token", "[UNK]"), ("sep_token", "[SEP]"), ("pad_token", "[PAD]"), ("cls_token", "[CLS]"),
            ("mask_token", "[MASK]"),
        ] {
            let content = names(key) ?? Array(name.utf8)
            guard let id = self.pieces[content] else {
                if key == "pad_token" || key == "mask_token" { continue }
                throw TokenizerError(
                    .malformed, "\(place) has no piece \"\(String(decoding: content, as: UTF8.self))\" for \"\(key)\"")
            }
            ids[key] = id
            try vocabulary.insert(
                id: Int(id), piece: content, bytes: decoder.bytes(of: content, isAdded: true), isSpecial: true,
                isAdded: true)
            addedTokens.append(.init(id: id, content: content, isSpecial: true))
        }
        unknownID = ids["unk_token"]
        model = .wordPiece(continuingPrefix: Array("##".utf8), characterLimit: 100)
        let (start, end) = (ids["cls_token"].map { [$0] } ?? [], ids["sep_token"].map { [$0] } ?? [])
        let single: [PostProcessor.Piece] = [.tokens(start, type: 0), .first(type: 0), .tokens(end, type: 0)]
        postProcessor = PostProcessor(single: single, pair: single + [.second(type: 1), .tokens(end, type: 1)])
    }
}
