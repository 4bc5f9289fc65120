import Foundation

/// A vocabulary of byte strings, ranked: two neighbours merge when their concatenation is in it, the lowest rank first.
/// tiktoken's files and Mistral's are of this kind.
struct RankedBytes {
    struct Special {
        var name: String
        var id: Int
    }

    /// By rank; nil where a rank is not taken.
    var ranks: [[UInt8]?]
    /// The id of rank 0.
    var firstID = 0
    var specials: [Special]
    /// How a text is cut, in Oniguruma's terms, of which tiktoken's are a part.
    var pattern: String

    /// - Parameter place: names the file in errors.
    /// - Throws: `TokenizerError.malformed` where one of the 256 bytes has no rank, or a byte string has two.
    func definition(place: String) throws(TokenizerError) -> TokenizerDefinition {
        var definition = TokenizerDefinition()
        definition.vocabulary.expectedCount = ranks.count
        definition.preTokenizer = try PreTokenizer.cut(at: pattern)
        var model = BytePairModel()
        model.isByteLevel = true
        model.ignoresMerges = true
        definition.vocabulary.idOfPiece.reserveCapacity(ranks.count)
        definition.pieces.reserveCapacity(ranks.count)
        for (rank, bytes) in ranks.enumerated() {
            guard let bytes else { continue }
            guard definition.pieces[bytes] == nil, !bytes.isEmpty else {
                throw TokenizerError(.malformed, "\(place): rank \(rank) is empty, or has the bytes of another one")
            }
            try definition.addPiece(bytes, id: firstID + rank)
        }
        for byte in 0...UInt8.max {
            guard let id = definition.pieces[[byte]] else {
                throw TokenizerError(.malformed, "\(place): the byte \(byte) has no rank")
            }
            model.byteIDs[Int(byte)] = id
        }
        model.merges = PairTable(capacity: definition.pieces.count * 2)
        for (rank, bytes) in ranks.enumerated() {
            guard let bytes else { continue }
            let id = Int32(firstID + rank)
            definition.pieces.forEachCut(of: bytes) { model.merges.insert($0, $1, .init(rank: id, result: id)) }
        }
        model.idOfWord = definition.pieces
        definition.model = .bytePair(model)
        for special in specials {
            let content = Array(special.name.utf8)
            guard definition.vocabulary.piece(special.id) == nil, definition.vocabulary.idOfPiece[content] == nil else {
                throw TokenizerError(
                    .malformed, "\(place): the special token \"\(special.name)\" has the id or the bytes of another one"
                )
            }
            try definition.vocabulary.insert(
                id: special.id, piece: content, bytes: content, isSpecial: true, isAdded: true)
            definition.addedTokens.append(.init(id: Int32(special.id), content: content, isSpecial: true))
        }
        return definition
    }
}

/// tiktoken's files: a line each of base64, a space, and a rank.
struct TiktokenFile {
    /// What the file does not say: how text is cut, and the special tokens behind the ranks.
    private struct Encoding {
        var pattern: String
        var specials: [RankedBytes.Special]
        var begin: String?
        var end: String
        var endOfTurn: [String] = []
        var normalizer = Normalizer.identity
    }

    private let place: String
    private let ranks: [[UInt8]?]
    private let encoding: Encoding

    /// Whether a file can be one of these rather than a SentencePiece model, whose first byte is a line feed.
    static func isLikely(_ file: [UInt8]) -> Bool {
        file.first.map { $0 != 0x0A && ($0.isASCIILetterOrDigit || $0 == 0x2B || $0 == 0x2F) } ?? false
    }

    /// - Throws: `TokenizerError.malformed` that names the line; `.unsupported` for ranks of which it is not known how text
    ///   is cut.
    init(_ file: [UInt8], name: String, place: String) throws(TokenizerError) {
        self.place = place
        var ranks: [[UInt8]?] = []
        let lines = file.split(separator: 0x0A)
        let limit = Vocabulary.idLimit(lines.count)
        for (number, line) in lines.enumerated() {
            let parts = (line.last == 0x0D ? line.dropLast() : line).split(separator: 0x20)
            guard parts.count == 2, let bytes = Base64.bytes(of: parts[0]),
                let rank = Int(String(decoding: parts[1], as: UTF8.self)), (0..<limit).contains(rank)
            else {
                throw TokenizerError(.malformed, "\(place): line \(number + 1) is not base64 and a rank below \(limit)")
            }
            while ranks.count <= rank { ranks.append(nil) }
            guard ranks[rank] == nil else {
                throw TokenizerError(.malformed, "\(place): line \(number + 1) has rank \(rank) again")
            }
            ranks[rank] = bytes
        }
        let stem = name.split(separator: ".").first.map(String.init) ?? name
        guard let encoding = Self.encoding(stem, count: ranks.count) else {
            throw TokenizerError(
                .unsupported,
                "\(place): \(ranks.count) ranks called \"\(stem)\" are no encoding that is known here, and the file does "
                    + "not say how text is cut; known: r50k_base, p50k_base, cl100k_base, o200k_base, qwen, and Llama 3's "
                    + "128000; convert it to a tokenizer.json with transformers")
        }
        (self.ranks, self.encoding) = (ranks, encoding)
    }

    /// - Parameter namesTokens: whether `tokenizer_config.json` says what the special tokens are.
    func definition(namesTokens: Bool) throws(TokenizerError) -> TokenizerDefinition {
        let specials = namesTokens ? [] : encoding.specials
        var definition = try RankedBytes(ranks: ranks, specials: specials, pattern: encoding.pattern)
            .definition(place: place)
        func id(_ name: String) -> Int32? { definition.vocabulary.idOfPiece[Array(name.utf8)] }
        (definition.beginOfText, definition.endOfText) = (encoding.begin.flatMap(id), id(encoding.end))
        definition.endOfTurn = Set(encoding.endOfTurn.compactMap(id))
        definition.addsBegin = encoding.begin != nil
        definition.normalizer = encoding.normalizer
        return definition
    }

    static let r50k =
        #"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++\z|\s+(?!\S)|\s"#
    static let cl100k =
        #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+"#
        + #"|\s++\z|\s*[\r\n]|\s+(?!\S)|\s"#

    private static func encoding(_ name: String, count: Int) -> Encoding? {
        func specials(_ names: String..., from first: Int) -> [RankedBytes.Special] {
            names.enumerated().map { .init(name: $1, id: first + $0) }
        }
        let end = "<|endoftext|>"
        switch (name, count) {
        case ("r50k_base", _), ("p50k_base", _):
            return Encoding(pattern: r50k, specials: specials(end, from: 50256), end: end)
        case ("cl100k_base", _):
            return Encoding(
                pattern: cl100k,
                specials: specials(end, "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", from: 100257)
                    + specials("<|endofprompt|>", from: 100276), end: end)
        case ("o200k_base", _):
            return Encoding(
                pattern: GGUFPreTokenizer.o200k,
                specials: specials(end, from: 199999) + specials("<|endofprompt|>", from: 200018), end: end)
        case ("qwen", 151_643):
            let extra = (0..<205).map { RankedBytes.Special(name: "<|extra_\($0)|>", id: 151_646 + $0) }
            return Encoding(
                pattern: GGUFPreTokenizer.llama3(digits: ""),
                specials: specials(end, "<|im_start|>", "<|im_end|>", from: 151_643) + extra, end: end,
                endOfTurn: ["<|im_end|>"], normalizer: .nfc)
        case (_, 128_000):
            var names = [
                "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>",
                "<|reserved_special_token_1|>", "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>",
                "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>",
            ]
            names += (0..<256 - names.count).map { "<|reserved_special_token_\($0 + 3)|>" }
            return Encoding(
                pattern: GGUFPreTokenizer.llama3(digits: "{1,3}"),
                specials: names.enumerated().map { .init(name: $1, id: 128_000 + $0) }, begin: names[0], end: names[1],
                endOfTurn: ["<|eot_id|>", "<|eom_id|>"])
        default: return nil
        }
    }
}

extension UInt8 {
    fileprivate var isASCIILetterOrDigit: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self)
    }
}
