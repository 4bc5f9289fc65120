/// What transformers makes of a SentencePiece model, by the class of its tokenizer: ids that are moved, tokens that are
/// added, what is done to a text before, and what stands around it.
///
/// The ids of the text itself are SentencePiece's own.
enum SentencePieceFamily: String, CaseIterable {
    case t5 = "T5"
    case xlmRoberta = "XLMRoberta"
    case camembert = "Camembert"
    case albert = "Albert"
    case xlnet = "XLNet"
    case debertaV2 = "DebertaV2"

    /// The files that hold a SentencePiece model, in the order in which they are looked for. What the ids of the last
    /// three are depends on the family.
    static let fileNames = ["tokenizer.model", "sentencepiece.bpe.model", "spm.model", "spiece.model"]

    private static let modelTypes: [String: Self] = [
        "t5": .t5, "mt5": .t5, "umt5": .t5, "xlm-roberta": .xlmRoberta, "camembert": .camembert, "albert": .albert,
        "xlnet": .xlnet, "deberta-v2": .debertaV2,
    ]

    /// - Parameters:
    ///   - name: the class of the tokenizer, where a file says it: "T5Tokenizer", "T5TokenizerFast".
    ///   - modelType: of `config.json`.
    /// - Returns: nil where neither names a family.
    init?(className name: String?, modelType: String?) {
        let family = name.flatMap { name in
            Self.allCases.first { name == $0.rawValue + "Tokenizer" || name == $0.rawValue + "TokenizerFast" }
        }
        guard let own = family ?? modelType.flatMap({ Self.modelTypes[$0] }) else { return nil }
        self = own
    }

    private func token(_ name: String, _ kind: SentencePieceModel.Kind = .control) -> SentencePieceModel.Piece {
        .init(bytes: Array(name.utf8), kind: kind)
    }

    /// The pieces in the order of their ids.
    ///
    /// - Throws: `TokenizerError.malformed` where the model is not as the family's are.
    private func pieces(
        of model: SentencePieceModel, _ configuration: JSONValue?
    ) throws(TokenizerError) -> [SentencePieceModel.Piece] {
        let own = model.pieces
        switch self {
        case .t5:
            let count = configuration?["extra_ids"]?.int ?? 100
            guard (0...1_000).contains(count), !own.contains(where: { $0.bytes == Array("<extra_id_0>".utf8) }) else {
                return own
            }
            return own + (0..<count).reversed().map { token("<extra_id_\($0)>") }
        case .xlmRoberta:
            // The first three of fairseq's are others.
            guard own.prefix(3).map(\.bytes) == ["<unk>", "<s>", "</s>"].map({ Array($0.utf8) }) else {
                throw TokenizerError(.malformed, "the model does not begin with <unk>, <s> and </s>")
            }
            return [token("<s>"), token("<pad>"), token("</s>"), token("<unk>", .unknown)] + own.dropFirst(3)
                + [token("<mask>")]
        case .camembert:
            guard own.first?.bytes == Array("<unk>".utf8) else {
                throw TokenizerError(.malformed, "the model does not begin with <unk>")
            }
            return [
                token("<s>NOTUSED", .unused), token("<pad>"), token("</s>NOTUSED", .unused), token("<unk>", .unknown),
                token("<unk>NOTUSED", .unused),
            ] + own.dropFirst() + [token("<mask>")]
        case .debertaV2:
            let mask = token("[MASK]")
            return own.contains { $0.bytes == mask.bytes } ? own : own + [mask]
        case .albert, .xlnet: return own
        }
    }

    /// - Parameter configuration: `tokenizer_config.json`.
    func definition(
        of model: SentencePieceModel, _ configuration: JSONValue?
    ) throws(TokenizerError) -> TokenizerDefinition {
        func flag(_ key: String, _ standard: Bool) -> Bool { configuration?[key]?.bool ?? standard }
        guard !flag("split_by_punct", false) else {
            throw TokenizerError(.unsupported, "tokenizer_config.json: \"split_by_punct\" is not supported")
        }
        var model = model
        model.pieces = try pieces(of: model, configuration)
        var definition = try model.definition()
        var steps: [Normalizer] = []
        if self == .albert || self == .xlnet {
            steps = [.replace(Array("``".utf8), with: [0x22]), .replace(Array("''".utf8), with: [0x22])]
            if !flag("keep_accents", false) { steps += [.nfkd, .stripAccents] }
        }
        if flag("do_lower_case", self == .albert) { steps.append(.lowercase) }
        if !steps.isEmpty { definition.normalizer = .sequence(steps + [definition.normalizer]) }
        try setTemplate(of: &definition)
        return definition
    }

    private func setTemplate(of definition: inout TokenizerDefinition) throws(TokenizerError) {
        func id(_ name: String) throws(TokenizerError) -> Int32 {
            guard let id = definition.vocabulary.idOfPiece[Array(name.utf8)], definition.vocabulary.isSpecial(id) else {
                throw TokenizerError(.malformed, "the model has no control piece \"\(name)\", which \(rawValue) needs")
            }
            return id
        }
        let (single, pair): ([PostProcessor.Piece], [PostProcessor.Piece])
        switch self {
        case .t5:
            let end = try id("</s>")
            single = [.first(type: 0), .tokens([end], type: 0)]
            pair = single + [.second(type: 0), .tokens([end], type: 0)]
        case .xlmRoberta, .camembert:
            let (begin, end) = (try id("<s>"), try id("</s>"))
            single = [.tokens([begin], type: 0), .first(type: 0), .tokens([end], type: 0)]
            pair = single + [.tokens([end], type: 0), .second(type: 0), .tokens([end], type: 0)]
        case .albert, .debertaV2:
            let (begin, end) = (try id("[CLS]"), try id("[SEP]"))
            single = [.tokens([begin], type: 0), .first(type: 0), .tokens([end], type: 0)]
            pair = single + [.second(type: 1), .tokens([end], type: 1)]
        case .xlnet:
            let (end, verdict) = (try id("<sep>"), try id("<cls>"))
            single = [.first(type: 0), .tokens([end], type: 0), .tokens([verdict], type: 2)]
            pair = [
                .first(type: 0), .tokens([end], type: 0), .second(type: 1), .tokens([end], type: 1),
                .tokens([verdict], type: 2),
            ]
        }
        definition.postProcessor = PostProcessor(single: single, pair: pair)
        definition.endOfText = definition.vocabulary.idOfPiece[Array("</s>".utf8)] ?? definition.endOfText
    }
}
