/// What a tokenizer's files say, in one form whatever the files are.
struct TokenizerDefinition: Sendable {
    var vocabulary = Vocabulary()
    var merges: [TokenPair: BytePairEncoder.Merge] = [:]
    var addedTokens: [AddedTokens.Token] = []
    var normalizer = Normalizer.identity
    var preTokenizer = PreTokenizer.identity
    var byteIDs = [Int32?](repeating: nil, count: 256)
    var unknownID: Int32?
    var ignoresMerges = false
    /// Whether unknown characters in a row are one unknown token.
    var fusesUnknown = true
    /// What is put before each character of a word but its first, and behind its last, to look a symbol up.
    var continuingPrefix: [UInt8] = []
    var wordSuffix: [UInt8] = []
    var decoder = TokenDecoder()
    var beginOfText: Int32?
    var endOfText: Int32?
    /// What ends a chat model's turn.
    var endOfTurn: Set<Int32> = []
    /// What an operator should know.
    var notes: [String] = []
    /// Whether a begin token is put first when no file says otherwise.
    var addsBegin = false
    /// The ids around a text, where a post-processor names them.
    var affixes: (prefix: [Int32], suffix: [Int32])?

    init() {}

    /// GPT-2's `vocab.json` and `merges.txt`.
    init(vocabulary json: JSONValue, merges text: [UInt8], in directory: String) throws(TokenizerError) {
        preTokenizer = .byteLevel(addPrefixSpace: false, try PreTokenizer.compile(PreTokenizer.gpt2Pattern))
        decoder.steps = [.byteLevel]
        try addVocabulary(json, isByteLevel: true, in: directory)
        var pairs: [([UInt8], [UInt8])] = []
        for line in text.split(separator: 0x0A) {
            let parts = line.filter { $0 != 0x0D }.split(separator: 0x20)
            if parts.count == 2, !line.starts(with: Array("#version".utf8)) {
                pairs.append((Array(parts[0]), Array(parts[1])))
            }
        }
        try addMerges(pairs, in: directory)
        // GPT-2's only control token is both begin and end.
        let end = Array("<|endoftext|>".utf8)
        if let id = vocabulary.idOfPiece[end] {
            (beginOfText, endOfText) = (id, id)
            addedTokens.append(.init(id: id, content: end, isSpecial: true))
            try vocabulary.insert(id: Int(id), piece: end, bytes: end, isSpecial: true, isAdded: true)
        }
    }

    mutating func addVocabulary(
        _ json: JSONValue, isByteLevel: Bool, in directory: String
    ) throws(TokenizerError) {
        guard case .object(let members) = json, !members.isEmpty else {
            throw TokenizerError(.malformed, "the vocabulary in \(directory) is not an object of tokens and ids")
        }
        for (piece, value) in members {
            guard let id = value.int else {
                throw TokenizerError(.malformed, "the vocabulary in \(directory) has an id that is not a whole number")
            }
            guard vocabulary.piece(id) == nil else {
                throw TokenizerError(.malformed, "the vocabulary in \(directory) has two tokens with the id \(id)")
            }
            if isByteLevel {
                try addByteLevel(piece, id: id)
            } else {
                let bytes = decoder.bytes(of: piece, isAdded: false)
                try vocabulary.insert(id: id, piece: piece, bytes: bytes, isSpecial: false)
            }
        }
        if isByteLevel { indexWords() } else { vocabulary.idOfWord = vocabulary.idOfPiece }
    }

    /// A token in the alphabet of bytes.
    mutating func addByteLevel(_ piece: [UInt8], id: Int) throws(TokenizerError) {
        let bytes = ByteLevelAlphabet.bytes(of: piece) ?? piece
        if bytes.count == 1, bytes != piece || piece.count == 1 { byteIDs[Int(bytes[0])] = Int32(clamping: id) }
        try vocabulary.insert(id: id, piece: piece, bytes: bytes, isSpecial: false)
    }

    /// `ignore_merges` looks whole words up by their bytes, not by their spelling («½» spells the byte 0xBD).
    mutating func indexWords() {
        for (id, entry) in vocabulary.entries.enumerated() {
            if let entry { vocabulary.idOfWord[entry.bytes] = Int32(id) }
        }
    }

    mutating func addMerges(_ pairs: [([UInt8], [UInt8])], in directory: String) throws(TokenizerError) {
        merges.reserveCapacity(pairs.count)
        for (rank, (left, right)) in pairs.enumerated() {
            guard let leftID = vocabulary.idOfPiece[left], let rightID = vocabulary.idOfPiece[right],
                let result = vocabulary.idOfPiece[left + right.dropFirst(continuingPrefix.count)]
            else {
                throw TokenizerError(
                    .malformed, "merge \(rank) in \(directory) names a token that is not in the vocabulary")
            }
            let pair = TokenPair(left: leftID, right: rightID)
            if merges[pair] == nil { merges[pair] = .init(rank: Int32(rank), result: result) }
        }
    }

    /// The byte that a piece such as `<0x0A>` stands for.
    static func fallbackByte(_ piece: [UInt8]) -> UInt8? {
        guard piece.count == 6, piece.starts(with: Array("<0x".utf8)), piece[5] == UInt8(ascii: ">") else { return nil }
        return UInt8(String(decoding: piece[3..<5], as: UTF8.self), radix: 16)
    }

    mutating func addByteFallback() {
        for (piece, id) in vocabulary.idOfPiece {
            if let byte = Self.fallbackByte(piece) { byteIDs[Int(byte)] = id }
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
