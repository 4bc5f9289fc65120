import Crypto
import Foundation
import GGUF

extension Tokenizer {
    /// The tokenizer inside a GGUF file, as `tokenizer.*` of its metadata defines it: ids as those of the tokenizer that
    /// the file was made from.
    ///
    /// - Throws: `TokenizerError` that names the file and the key.
    package init(gguf path: String) throws(TokenizerError) {
        let metadata: GGUFTokenizer
        do { metadata = try GGUFTokenizer(GGUFHeader(path: path)) } catch let error as TokenizerError {
            throw error
        } catch let error as GGUFError {
            throw TokenizerError(error.code == .unsupported ? .unsupported : .malformed, error.message)
        } catch {
            throw TokenizerError(.unreadable, "cannot read \(path)")
        }
        try self.init(
            metadata.definition(), configuration: metadata.configuration, template: metadata.template,
            toolTemplate: metadata.toolTemplate, hash: metadata.hash, place: path)
    }
}

/// What a GGUF file says of its tokenizer.
private struct GGUFTokenizer {
    private enum Model: String { case llama, gpt2, gemma4, bert, t5 }

    private static let prefix = "tokenizer.ggml."
    /// Tokens that end a turn by their name, whatever their type, as in llama.cpp.
    private static let endNames = [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|eom_id|>", "<|end_of_text|>",
        "< EOT >", "_<EOT>", "<|return|>", "<|call|>", "<end_of_utterance>",
    ]
    private let path: String
    private let values: [String: GGUFValue]
    private let tokens: [[UInt8]]
    private let kinds: [SentencePieceModel.Kind]
    /// Which tokens end a turn by their name: control tokens, whatever their type.
    private let isEnd: [Bool]
    private let model: Model
    /// How text is cut, of a byte-level model.
    private let cut: GGUFPreTokenizer?

    init(_ header: GGUFHeader) throws(TokenizerError) {
        path = header.path
        values = header.metadata
        func value(_ key: String) -> GGUFValue? { header.metadata[Self.prefix + key] }
        func malformed(_ key: String, _ what: String) -> TokenizerError {
            TokenizerError(.malformed, "\(header.path): \"\(Self.prefix)\(key)\" \(what)")
        }
        guard let model = value("model")?.text else { throw malformed("model", "is missing") }
        guard let kind = Model(rawValue: model) else {
            throw TokenizerError(
                .unsupported,
                "\(header.path): tokenizer model \"\(model)\" is not supported; known: bert, gemma4, gpt2, llama, t5")
        }
        self.model = kind
        guard let list = value("tokens")?.array, !list.isEmpty else { throw malformed("tokens", "is missing or empty") }
        tokens = list.compactMap { $0.bytes }
        guard tokens.count == list.count else { throw malformed("tokens", "holds something that is no string") }
        let kinds = value("token_type")?.array?.map { value in
            value.integer.flatMap { SentencePieceModel.Kind(rawValue: UInt64(clamping: $0)) } ?? .normal
        }
        self.kinds = kinds ?? Array(repeating: .normal, count: tokens.count)
        let ends = Set(Self.endNames.map { Array($0.utf8) })
        isEnd = tokens.map(ends.contains)
        guard self.kinds.count == tokens.count else {
            throw malformed("token_type", "has \(self.kinds.count) entries for \(tokens.count) tokens")
        }
        let pre = kind == .gemma4 ? "gemma4" : value("pre")?.text ?? "default"
        cut = kind == .gpt2 || kind == .gemma4 ? try GGUFPreTokenizer(pre, path: header.path) : nil
        // By their hashes, of which hardly two are equal: a dictionary of the tokens takes much longer.
        var hashes = Set<Int>(minimumCapacity: tokens.count)
        for (id, token) in tokens.enumerated() where self.kinds[id] != .unused && !token.isEmpty {
            if hashes.insert(token.hashValue).inserted { continue }
            if let other = tokens[..<id].indices.first(where: { self.kinds[$0] != .unused && tokens[$0] == token }) {
                throw malformed("tokens", "has \"\(String(decoding: token, as: UTF8.self))\" as \(other) and as \(id)")
            }
        }
    }

    private func value(_ key: String) -> GGUFValue? { values[Self.prefix + key] }

    private func token(_ key: String) -> Int32? {
        value(key)?.integer.flatMap { $0 >= 0 && $0 < tokens.count ? Int32($0) : nil }
    }

    func definition() throws(TokenizerError) -> TokenizerDefinition {
        var definition =
            switch model {
            case .llama: try sentencePiece(.bytePair)
            case .t5: try sentencePiece(.unigram)
            case .bert: try wordPieces()
            case .gpt2, .gemma4: try bytePairs()
            }
        definition.beginOfText = token("bos_token_id") ?? (model == .llama ? definition.beginOfText : nil)
        definition.endOfText = token("eos_token_id") ?? (model == .llama ? definition.endOfText : nil)
        definition.unknownID = token("unknown_token_id") ?? definition.unknownID
        definition.addsBegin = cut?.addsBegin ?? (model == .llama)
        definition.addsEnd = model == .t5
        if definition.postProcessor == nil { definition.postProcessor = pairs(definition) }
        // A chat model's turn ends otherwise than a text; where no key says how, by the names that are in use.
        let named = Self.endNames.compactMap { definition.vocabulary.idOfPiece[Array($0.utf8)] }
        definition.endOfTurn = Set([token("eot_token_id"), token("eom_token_id")].compactMap { $0 } + named)
        definition.suppressed = Set(
            (value("suppress_tokens")?.array ?? []).compactMap { $0.integer.flatMap { Int32(exactly: $0) } })
        definition.notes = named.filter { kinds[Int($0)] != .control }.map { id in
            let name = String(decoding: tokens[Int(id)], as: UTF8.self)
            return
                "\(path): token \(id), \"\(name)\", is not typed as a control token; it is taken for one that ends a turn"
        }
        return definition
    }

    /// Around a text and between two, of an encoder: it has a token before and one behind, and with `add_sep_token` two in
    /// between.
    private func pairs(_ definition: TokenizerDefinition) -> PostProcessor? {
        guard value("add_bos_token")?.bool == true, value("add_eos_token")?.bool == true,
            let start = definition.beginOfText, let end = definition.endOfText
        else { return nil }
        let middle = value("add_sep_token")?.bool == true ? [end, token("seperator_token_id") ?? end] : [end]
        let single: [PostProcessor.Piece] = [.tokens([start], type: 0), .first(type: 0)]
        return PostProcessor(
            single: single + [.tokens([end], type: 0)],
            pair: single + [.tokens(middle, type: 0), .second(type: 0), .tokens([end], type: 0)])
    }

    private func sentencePiece(
        _ type: SentencePieceModel.ModelType
    ) throws(TokenizerError) -> TokenizerDefinition {
        let scores = value("scores")?.array?.map { Float($0.number ?? .nan) }
        guard let scores, scores.count == tokens.count, scores.allSatisfy({ !$0.isNaN }) else {
            throw TokenizerError(
                .malformed,
                "\(path): \"\(Self.prefix)scores\" does not have a number for each of \(tokens.count) tokens")
        }
        let pieces = tokens.indices.map {
            SentencePieceModel.Piece(
                bytes: tokens[$0], score: scores[$0], kind: isEnd[$0] ? .control : kinds[$0])
        }
        var normalizer = SentencePieceNormalizer(
            addsDummyPrefix: value("add_space_prefix")?.bool ?? true,
            removesExtraWhitespace: value("remove_extra_whitespaces")?.bool ?? false)
        if type == .unigram, let map = value("precompiled_charsmap") {
            let bytes = (map.array ?? []).compactMap { $0.integer.map { UInt8(truncatingIfNeeded: $0) } }
            do { normalizer.map = bytes.isEmpty ? nil : try CharacterMap(bytes) } catch {
                throw TokenizerError(error.code, "\(path): \"\(Self.prefix)precompiled_charsmap\": \(error.message)")
            }
        }
        var model = SentencePieceModel(pieces, type, normalizer: normalizer)
        if let unknown = token("unknown_token_id"), type == .unigram { model.pieces[Int(unknown)].kind = .unknown }
        do { return try model.definition(splitsUserDefined: true) } catch {
            throw TokenizerError(error.code, "\(path): \"\(Self.prefix)tokens\": \(error.message)")
        }
    }

    /// BERT's pieces, where ▁ begins a word and what is inside of one has no prefix.
    private func wordPieces() throws(TokenizerError) -> TokenizerDefinition {
        let mark = Array("▁".utf8)
        let pieces = tokens.map { token -> [UInt8] in
            if token.starts(with: mark) { return Array(token.dropFirst(mark.count)) }
            let isBracketed = token.first == UInt8(ascii: "[") && token.last == UInt8(ascii: "]")
            return isBracketed ? token : Array("##".utf8) + token
        }
        let keys = [
            "unk_token": "unknown_token_id", "sep_token": "seperator_token_id", "pad_token": "padding_token_id",
            "cls_token": "cls_token_id", "mask_token": "mask_token_id",
        ]
        let lowercases = value("normalizer.lowercase")?.bool ?? true
        return try TokenizerDefinition(
            wordPieces: pieces,
            normalizer: .bert(
                cleans: true, chinese: true, stripsAccents: value("normalizer.strip_accents")?.bool ?? lowercases,
                lowercases: lowercases),
            names: { key in keys[key].flatMap { token($0) }.map { pieces[Int($0)] } },
            place: "\(path): \"\(Self.prefix)tokens\"")
    }

    private func bytePairs() throws(TokenizerError) -> TokenizerDefinition {
        var pairs: [([UInt8], [UInt8])] = []
        for merge in value("merges")?.array ?? [] {
            guard let line = merge.bytes, let space = line.dropFirst().firstIndex(of: 0x20) else {
                throw TokenizerError(.malformed, "\(path): \"\(Self.prefix)merges\" holds something that is not a pair")
            }
            pairs.append((Array(line[..<space]), Array(line[(space + 1)...])))
        }
        var definition = TokenizerDefinition()
        definition.vocabulary.expectedCount = tokens.count
        let escapes = cut?.escapesWhitespace ?? false
        let mark = Array("▁".utf8)
        let drops = cut?.dropsWhitespace ?? false
        definition.decoder.steps =
            escapes ? [.byteFallback, .replace(mark, with: [0x20])] : drops ? [.spaced] : [.byteLevel]
        for (id, token) in tokens.enumerated() {
            switch isEnd[id] ? .control : kinds[id] {
            case .unused: continue  // fills a gap of the vocabulary
            case .control, .userDefined, .unknown:
                let special = isEnd[id] || kinds[id] != .userDefined
                try definition.vocabulary.insert(
                    id: id, piece: token, bytes: token, isSpecial: special, isAdded: true)
                definition.addedTokens.append(.init(id: Int32(id), content: token, isSpecial: special))
            case .normal, .byte: try definition.addPiece(token, id: id)
            }
        }
        var model = BytePairModel()
        if let cut {
            definition.preTokenizer = cut.preTokenizer
            definition.normalizer = cut.normalizesToNFC ? .nfc : .identity
            model.ignoresMerges = cut.ignoresMerges
        }
        if drops {
            model.fusesUnknown = false
            if value("normalizer.lowercase")?.bool ?? false { definition.normalizer = .lowercase }
        }
        if escapes {
            definition.normalizer = .replace([0x20], with: mark)
            model.byteIDs = definition.fallbackIDs
        }
        try definition.setBytePairs(model, merges: pairs, in: path)
        return definition
    }

    /// The keys that `tokenizer_config.json` would have.
    var configuration: JSONValue {
        var members: [(key: [UInt8], value: JSONValue)] = []
        for name in ["add_bos_token", "add_eos_token"] {
            if let flag = value(name)?.bool { members.append((Array(name.utf8), .bool(flag))) }
        }
        for (name, key) in [
            ("bos_token", "bos_token_id"), ("eos_token", "eos_token_id"), ("pad_token", "padding_token_id"),
            ("unk_token", "unknown_token_id"),
        ] {
            if let id = token(key) { members.append((Array(name.utf8), .string(tokens[Int(id)]))) }
        }
        return .object(members)
    }

    var template: TemplateSource? {
        let place = "\(path): tokenizer.chat_template"
        if let template = values["tokenizer.chat_template"] {
            guard let text = template.text else { return TemplateSource(fault: "it is no text", place: place) }
            return TemplateSource(source: .text(text), place: place)
        }
        let others = values.keys.filter { $0.hasPrefix("tokenizer.chat_template.") }.sorted()
        if others.isEmpty { return nil }
        return TemplateSource(fault: "only \(others.joined(separator: ", ")) are there", place: place)
    }

    /// The template called `tool_use`, for conversations with tools.
    var toolTemplate: TemplateSource? {
        let key = "tokenizer.chat_template.tool_use"
        guard let text = values[key]?.text else { return nil }
        return TemplateSource(source: .text(text), place: "\(path): \(key)")
    }

    /// Over everything under `tokenizer.`.
    var hash: String {
        var digest = SHA256()
        var open: [UInt8] = []
        func add(_ bytes: some Collection<UInt8>) {
            open += "\(bytes.count):".utf8
            open += bytes
            guard open.count >= 1 << 16 else { return }
            digest.update(data: open)
            open.removeAll(keepingCapacity: true)
        }
        func add(_ value: GGUFValue) {
            switch value {
            case .string(let bytes): add(bytes)
            case .array(let values):
                add("array \(values.count)".utf8)
                for value in values { add(value) }
            case .integer(let number): add("\(number)".utf8)
            case .float(let number): add("\(number)".utf8)
            case .bool(let flag): add("\(flag)".utf8)
            }
        }
        for (key, value) in values.sorted(by: { $0.key < $1.key }) where key.hasPrefix("tokenizer.") {
            add(key.utf8)
            add(value)
        }
        digest.update(data: open)
        return digest.finalize().map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
