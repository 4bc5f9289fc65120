/// What a tokenizer's files say, in one form whatever the files are.
struct TokenizerDefinition: Sendable {
    /// The kinds of models, with what each needs beside the vocabulary.
    enum Model: Sendable {
        case bytePair(BytePairModel)
        case wordPiece(continuingPrefix: [UInt8], characterLimit: Int)
        case wordLevel(fusesUnknown: Bool)
        case unigram(UnigramDefinition)
        /// One that needs nothing else.
        case other(any TokenModel)
    }

    struct UnigramDefinition: Sendable {
        var pieces: [(bytes: [UInt8], score: Double)]
        var byteIDs: [Int32?]
    }

    var vocabulary = Vocabulary()
    var model = Model.bytePair(BytePairModel())
    /// The model's own pieces and their ids, added tokens not among them.
    var pieces = PieceTable()
    var addedTokens: [AddedTokens.Token] = []
    var normalizer = Normalizer.identity
    var preTokenizer = PreTokenizer.identity
    var unknownID: Int32?
    var decoder = TokenDecoder()
    var beginOfText: Int32?
    var endOfText: Int32?
    /// What ends a chat model's turn.
    var endOfTurn: Set<Int32> = []
    /// Tokens that a model may not say.
    var suppressed: Set<Int32> = []
    /// What an operator should know.
    var notes: [String] = []
    /// Whether a begin token is put first when no file says otherwise.
    var addsBegin = false
    var addsEnd = false
    /// What stands around a text, where a file says so.
    var postProcessor: PostProcessor?
    /// How a text is truncated where nobody says otherwise.
    var truncation: Truncation?

    init() {}

    /// GPT-2's `vocab.json` and `merges.txt`.
    init(vocabulary json: JSONValue, merges text: [UInt8], in directory: String) throws(TokenizerError) {
        preTokenizer = try PreTokenizer.gpt2(addPrefixSpace: false)
        decoder.steps = [.byteLevel]
        try addVocabulary(json, in: directory)
        var pairs: [([UInt8], [UInt8])] = []
        for line in text.split(separator: 0x0A) {
            let parts = line.filter { $0 != 0x0D }.split(separator: 0x20)
            if parts.count == 2, !line.starts(with: Array("#version".utf8)) {
                pairs.append((Array(parts[0]), Array(parts[1])))
            }
        }
        try setBytePairs(BytePairModel(), merges: pairs, in: directory)
        // GPT-2's only control token is both begin and end.
        let end = Array("<|endoftext|>".utf8)
        if let id = vocabulary.idOfPiece[end] {
            (beginOfText, endOfText) = (id, id)
            addedTokens.append(.init(id: id, content: end, isSpecial: true))
            try vocabulary.insert(id: Int(id), piece: end, bytes: end, isSpecial: true, isAdded: true)
        }
    }

    mutating func addVocabulary(_ json: JSONValue, in directory: String) throws(TokenizerError) {
        guard case .object(let members) = json, !members.isEmpty else {
            throw TokenizerError(.malformed, "the vocabulary in \(directory) is not an object of tokens and ids")
        }
        vocabulary.expectedCount = members.count
        for (piece, value) in members {
            guard let id = value.int else {
                throw TokenizerError(.malformed, "the vocabulary in \(directory) has an id that is not a whole number")
            }
            guard vocabulary.piece(id) == nil else {
                throw TokenizerError(.malformed, "the vocabulary in \(directory) has two tokens with the id \(id)")
            }
            do { try addPiece(piece, id: id) } catch {
                throw TokenizerError(error.code, "the vocabulary in \(directory): \(error.message)")
            }
        }
    }

    /// A piece of the model's own.
    mutating func addPiece(_ piece: [UInt8], id: Int) throws(TokenizerError) {
        try vocabulary.insert(id: id, piece: piece, bytes: decoder.bytes(of: piece, isAdded: false), isSpecial: false)
        pieces[piece] = Int32(id)
    }

    /// Makes the model one of byte pairs, over the pieces that there are.
    mutating func setBytePairs(
        _ model: BytePairModel, merges pairs: [([UInt8], [UInt8])], in directory: String
    ) throws(TokenizerError) {
        var model = model
        model.isByteLevel = preTokenizer.isByteLevel
        if model.isByteLevel {
            for (byte, spelling) in ByteLevelAlphabet.spellings.enumerated() { model.byteIDs[byte] = pieces[spelling] }
        }
        model.merges = PairTable(capacity: pairs.count)
        for (rank, (left, right)) in pairs.enumerated() {
            guard let leftID = pieces[left], let rightID = pieces[right],
                let result = pieces[left[...], right.dropFirst(model.continuingPrefix.count)]
            else {
                throw TokenizerError(
                    .malformed, "merge \(rank) in \(directory) names a token that is not in the vocabulary")
            }
            model.merges.insert(leftID, rightID, .init(rank: Int32(rank), result: result))
        }
        self.model = .bytePair(model)
    }

    /// The byte that a piece such as `<0x0A>` stands for.
    static func fallbackByte(_ piece: [UInt8]) -> UInt8? {
        guard piece.count == 6, piece.starts(with: Array("<0x".utf8)), piece[5] == UInt8(ascii: ">") else { return nil }
        return UInt8(String(decoding: piece[3..<5], as: UTF8.self), radix: 16)
    }

    /// Whether words reach the model in the alphabet of bytes; byte pairs are looked up by the bytes themselves.
    var spellsWords: Bool {
        if case .bytePair = model { false } else { preTokenizer.isByteLevel }
    }

    /// The ids of the pieces that stand for bytes.
    var fallbackIDs: [Int32?] {
        var ids = [Int32?](repeating: nil, count: 256)
        for (piece, id) in pieces {
            if let byte = Self.fallbackByte(piece) { ids[Int(byte)] = id }
        }
        return ids
    }

    /// The model, once all tokens are known: what a text from outside says never becomes a special token.
    ///
    /// - Parameter place: names the files in errors.
    func tokenModel(of place: String) throws(TokenizerError) -> any TokenModel {
        func isSpecial(_ id: Int32) -> Bool { vocabulary.isSpecial(id) }
        func unknown() throws(TokenizerError) -> Int32 {
            guard let unknownID else {
                throw TokenizerError(
                    .malformed,
                    "\(place): the model's \"unk_token\" is not in its vocabulary, and a word may be unknown")
            }
            return unknownID
        }
        switch model {
        case .bytePair(var model):
            model.unknownID = unknownID
            model.merges = model.merges.filter { !isSpecial($0.result) }
            let around = model.continuingPrefix.count + model.wordSuffix.count
            model.idOfSymbol = pieces.filter(upTo: 4 + around) { !isSpecial($0) }
            if model.ignoresMerges, model.idOfWord.isEmpty {
                for (piece, id) in pieces where !isSpecial(id) {
                    // «½» spells the byte 0xBD.
                    guard let word = model.isByteLevel ? ByteLevelAlphabet.bytes(of: piece) : piece else { continue }
                    model.idOfWord[word] = id
                }
            }
            return model
        case .wordPiece(let prefix, let limit):
            return WordPieceModel(
                pieces.filter { !isSpecial($0) }, unknownID: try unknown(), continuingPrefix: prefix,
                characterLimit: limit)
        case .unigram(let model):
            return UnigramModel<Double>(
                model.pieces.enumerated().filter { !isSpecial(Int32($0.offset)) }.map {
                    .init(bytes: $0.element.bytes, id: Int32($0.offset), score: $0.element.score)
                }, minimum: model.pieces.map(\.score).min() ?? 0, maximum: model.pieces.map(\.score).max() ?? 0,
                unknownID: try unknown(), byteIDs: model.byteIDs.contains(nil) ? [] : model.byteIDs)
        case .other(let model): return model
        case .wordLevel(let fusesUnknown):
            return WordLevelModel(
                ids: pieces.filter { !isSpecial($0) }, unknownID: try unknown(), fusesUnknown: fusesUnknown)
        }
    }

    mutating func add(_ token: JSONValue, id: Int?, place: String) throws(TokenizerError) {
        let fields = try JSONFields(
            token, place,
            known: ["id", "content", "special", "lstrip", "rstrip", "single_word", "normalized", "__type"])
        guard let id, let content = try fields.bytes("content") else {
            throw TokenizerError(.malformed, "\(place): a token has no id or no content")
        }
        let isSpecial = try fields.bool("special", false)
        let isNormalized = try fields.bool("normalized", !isSpecial)
        // tokenizers writes such a token as it looks for it.
        let spelling = isNormalized ? normalizer.apply(content) : content
        try vocabulary.insert(
            id: id, piece: content, bytes: decoder.bytes(of: spelling, isAdded: true), isSpecial: isSpecial,
            isAdded: true, spelling: spelling)
        addedTokens.removeAll { $0.content == content }
        addedTokens.append(
            .init(
                id: Int32(id), content: content, isSpecial: isSpecial, stripsLeft: try fields.bool("lstrip", false),
                stripsRight: try fields.bool("rstrip", false), isSingleWord: try fields.bool("single_word", false),
                isNormalized: isNormalized))
    }

    /// `added_tokens_decoder` of `tokenizer_config.json`: tokens by the decimal spelling of their ids.
    mutating func addDecoder(_ json: JSONValue?) throws(TokenizerError) {
        guard case .object(let members) = json else { return }
        for (key, token) in members {
            let id = Int(String(decoding: key, as: UTF8.self))
            if let id, addedTokens.contains(where: { $0.id == Int32(clamping: id) }) { continue }
            try add(token, id: id, place: "tokenizer_config.json: added_tokens_decoder")
        }
    }

    /// `added_tokens.json` of older checkpoints: ids by content. Those that a configuration names are special.
    mutating func addLegacy(_ json: JSONValue, _ configuration: JSONValue?) throws(TokenizerError) {
        guard case .object(let members) = json else {
            throw TokenizerError(.malformed, "added_tokens.json is not an object of tokens and ids")
        }
        let named = Set(Self.named(configuration).compactMap { $0.bytes ?? $0["content"]?.bytes })
        for (content, value) in members where !addedTokens.contains(where: { $0.content == content }) {
            let token = JSONValue.object([
                (Array("content".utf8), .string(content)), (Array("special".utf8), .bool(named.contains(content))),
            ])
            try add(token, id: value.int, place: "added_tokens.json")
        }
    }

    private static func named(_ configuration: JSONValue?) -> [JSONValue] {
        guard let configuration else { return [] }
        var named = Tokenizer.tokenNames.compactMap { configuration[$0] }
        for key in ["extra_special_tokens", "additional_special_tokens"] {
            if case .object(let members)? = configuration[key] { named += members.map(\.value) }
            named += configuration[key]?.array ?? []
        }
        return named
    }

    /// The tokens that `tokenizer_config.json` names: special ones, if the vocabulary has them.
    mutating func addNamed(_ configuration: JSONValue) throws(TokenizerError) {
        for token in Self.named(configuration) {
            // A single character, such as "!" for padding, stays text: marked special it would vanish from answers.
            guard let content = token.bytes ?? token["content"]?.bytes,
                String(decoding: content, as: UTF8.self).unicodeScalars.count > 1,
                let id = vocabulary.idOfPiece[content]
            else { continue }
            try vocabulary.insert(
                id: Int(id), piece: content, bytes: decoder.bytes(of: content, isAdded: true), isSpecial: true,
                isAdded: true)
            if let index = addedTokens.firstIndex(where: { $0.content == content }) {
                addedTokens[index].isSpecial = true
            } else {
                addedTokens.append(
                    .init(
                        id: id, content: content, isSpecial: true, stripsLeft: token["lstrip"]?.bool ?? false,
                        stripsRight: token["rstrip"]?.bool ?? false, isSingleWord: token["single_word"]?.bool ?? false))
            }
        }
    }
}
