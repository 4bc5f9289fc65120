import Foundation

/// Mistral's `tekken.json`: special tokens first, behind them byte strings by rank.
struct TekkenFile {
    private let ranked: RankedBytes
    private let place: String

    /// Versions up to 7 do not name the special tokens.
    private static let oldSpecials = [
        "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
        "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]",
        "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
    ]

    /// - Throws: `TokenizerError.malformed` that names the key.
    init(_ json: JSONValue, place: String) throws(TokenizerError) {
        self.place = place
        func malformed(_ what: String) -> TokenizerError { TokenizerError(.malformed, "\(place): \(what)") }
        let limit = Vocabulary.idLimit(json["vocab"]?.array?.count ?? 0)
        func count(_ key: String) throws(TokenizerError) -> Int {
            guard let count = json["config"]?[key]?.int, (0...limit).contains(count) else {
                throw malformed("\"config\" has no \"\(key)\", or one that is no count up to \(limit)")
            }
            return count
        }
        guard let pattern = json["config"]?["pattern"]?.text else { throw malformed("\"config\" has no \"pattern\"") }
        let (size, first) = (try count("default_vocab_size"), try count("default_num_special_tokens"))
        guard let vocabulary = json["vocab"]?.array, size >= first, vocabulary.count >= size - first else {
            throw malformed("\"vocab\" does not have the tokens that \"default_vocab_size\" \(size) needs")
        }
        var ranks: [[UInt8]?] = []
        for (index, entry) in vocabulary.prefix(size - first).enumerated() {
            guard entry["rank"]?.int == index, let text = entry["token_bytes"]?.bytes,
                let bytes = Base64.bytes(of: text[...])
            else {
                throw malformed(
                    "entry \(index) of \"vocab\" does not have this rank, or its \"token_bytes\" are no base64")
            }
            ranks.append(Array(bytes))
        }
        ranked = RankedBytes(
            ranks: ranks, firstID: first, specials: try Self.specials(json["special_tokens"], first, place),
            pattern: pattern)
    }

    private static func specials(
        _ json: JSONValue?, _ count: Int, _ place: String
    ) throws(TokenizerError) -> [RankedBytes.Special] {
        var names = Array(oldSpecials.prefix(count))
        if let json, !json.isNull {
            names = []
            for (index, entry) in (json.array ?? []).enumerated() {
                guard entry["rank"]?.int == index, let name = entry["token_str"]?.text, index < count else {
                    throw TokenizerError(
                        .malformed,
                        "\(place): entry \(index) of \"special_tokens\" does not have this rank, or there are more than \(count)"
                    )
                }
                names.append(name)
            }
        }
        names += (names.count..<max(count, names.count)).map { "<SPECIAL_\($0)>" }
        return names.enumerated().map { .init(name: $1, id: $0) }
    }

    func definition() throws(TokenizerError) -> TokenizerDefinition {
        var definition = try ranked.definition(place: place)
        definition.beginOfText = definition.vocabulary.idOfPiece[Array("<s>".utf8)]
        definition.endOfText = definition.vocabulary.idOfPiece[Array("</s>".utf8)]
        definition.unknownID = definition.vocabulary.idOfPiece[Array("<unk>".utf8)]
        definition.addsBegin = true
        return definition
    }
}
