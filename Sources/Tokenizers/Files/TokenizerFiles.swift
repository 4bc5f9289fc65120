import Crypto
import Foundation
import GGUF

/// Reads a checkpoint's tokenizer files, and remembers what was read for the tokenizer's hash.
struct TokenizerFiles {
    let directory: String
    private var digest = SHA256()

    static let sizeLimit = 256 << 20

    init(directory: String) { self.directory = directory }

    func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: directory + "/" + name) }

    /// - Throws: `TokenizerError.unreadable` that names the file.
    mutating func read(_ name: String) throws(TokenizerError) -> [UInt8] {
        let path = directory + "/" + name
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            guard data.count <= Self.sizeLimit else {
                throw TokenizerError(.malformed, "\(path) has \(data.count) bytes, more than \(Self.sizeLimit)")
            }
            digest.update(data: Data(name.utf8))
            digest.update(data: data)
            return Array(data)
        } catch let error as TokenizerError {
            throw error
        } catch {
            throw TokenizerError(.unreadable, "cannot read \(path): \(error.localizedDescription)")
        }
    }

    mutating func json(_ name: String) throws(TokenizerError) -> JSONValue {
        let bytes = try read(name)
        do { return try JSONParser.parse(bytes) } catch {
            throw TokenizerError(error.code, "\(directory)/\(name): \(error.message)")
        }
    }

    /// `tokenizer_config.json`, with what `special_tokens_map.json` names: transformers reads that one where the first
    /// has no `added_tokens_decoder`, and lets it win.
    mutating func configuration() throws(TokenizerError) -> JSONValue? {
        let own = has("tokenizer_config.json") ? try json("tokenizer_config.json") : nil
        guard own?["added_tokens_decoder"] == nil, has("special_tokens_map.json") else { return own }
        guard case .object(let named) = try json("special_tokens_map.json") else {
            throw TokenizerError(.malformed, "\(directory)/special_tokens_map.json is not a JSON object")
        }
        var members: [(key: [UInt8], value: JSONValue)] = []
        if case .object(let own)? = own { members = own }
        // The last one of a name counts.
        return .object(members + named)
    }

    /// The file of tiktoken's ranks, where there is one: `tokenizer.model` as Llama 3 has it, or one that is called so.
    var rankedName: String? {
        let model = "tokenizer.model"
        if let handle = FileHandle(forReadingAtPath: directory + "/" + model) {
            defer { try? handle.close() }
            return (try? handle.read(upToCount: 1)).map { TiktokenFile.isLikely(Array($0)) } ?? false ? model : nil
        }
        let files = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return files.filter { $0.hasSuffix(".tiktoken") }.min()
    }

    /// The file that holds a SentencePiece model, where there is one.
    var sentencePieceName: String? { SentencePieceFamily.fileNames.first(where: has) }

    /// A SentencePiece model, as its family has it.
    mutating func sentencePiece(_ name: String) throws(TokenizerError) -> TokenizerDefinition {
        let configuration = try configuration()
        let className = configuration?["tokenizer_class"]?.text
        let modelType = has("config.json") ? try json("config.json")["model_type"]?.text : nil
        let family = SentencePieceFamily(className: className, modelType: modelType)
        do {
            let model = try SentencePieceModel(try read(name))
            if let family { return try family.definition(of: model, configuration) }
            if name == SentencePieceFamily.fileNames[0] { return try model.definition() }
        } catch {
            throw TokenizerError(error.code, "\(directory)/\(name): \(error.message)")
        }
        throw TokenizerError(
            .unsupported,
            "\(directory)/\(name): what its ids are depends on the tokenizer's class, which is "
                + "\(className.map { "\"\($0)\"" } ?? "not named in tokenizer_config.json"); known are "
                + SentencePieceFamily.allCases.map { $0.rawValue + "Tokenizer" }.joined(separator: ", ")
                + "; convert it to a tokenizer.json with transformers")
    }

    /// The names of the templates in `additional_chat_templates`.
    var templateNames: [String] {
        let files = try? FileManager.default.contentsOfDirectory(atPath: directory + "/additional_chat_templates")
        return (files ?? []).filter { $0.hasSuffix(".jinja") }.map { String($0.dropLast(6)) }.sorted()
    }

    var hash: String {
        digest.finalize().map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

extension Tokenizer {
    /// The tokenizer of a checkpoint directory: `tokenizer.json`, else `tekken.json`, else tiktoken's ranks
    /// (`tokenizer.model`, `*.tiktoken`), else a SentencePiece model (`SentencePieceFamily.fileNames`), else `vocab.json`
    /// with `merges.txt`, else `vocab.txt` (BERT's); beside it `tokenizer_config.json`, and `chat_template.jinja`. That of a
    /// GGUF file where the directory holds one as its weights, or is one.
    ///
    /// - Throws: `TokenizerError` that names the file and what is wrong with it.
    package init(directory: String) throws(TokenizerError) {
        let gguf: String?
        do { gguf = try GGUFLocation.file(at: directory) } catch {
            throw TokenizerError(.unsupported, error.message)
        }
        if let gguf {
            try self.init(gguf: gguf)
            return
        }
        var files = TokenizerFiles(directory: directory)
        var definition: TokenizerDefinition
        if files.has("tokenizer.json") {
            definition = try TokenizerDefinition(tokenizerJSON: try files.json("tokenizer.json"), in: directory)
        } else if files.has("tekken.json") {
            definition = try TekkenFile(try files.json("tekken.json"), place: "\(directory)/tekken.json").definition()
        } else if let name = files.rankedName {
            let file = try TiktokenFile(try files.read(name), name: name, place: "\(directory)/\(name)")
            definition = try file.definition(namesTokens: try files.configuration()?["added_tokens_decoder"] != nil)
        } else if let name = files.sentencePieceName {
            definition = try files.sentencePiece(name)
        } else if files.has("vocab.json") {
            definition = try TokenizerDefinition(
                vocabulary: try files.json("vocab.json"), merges: try files.read("merges.txt"), in: directory)
        } else if files.has("vocab.txt") {
            definition = try TokenizerDefinition(
                wordPieces: try files.read("vocab.txt"), configuration: try files.configuration(), in: directory)
        } else {
            throw TokenizerError(
                .unreadable,
                "\(directory) holds no tokenizer.json, tekken.json, \(SentencePieceFamily.fileNames.joined(separator: ", ")), *.tiktoken, vocab.json with merges.txt, or vocab.txt"
            )
        }
        let configuration = try files.configuration()
        if configuration?["added_tokens_decoder"] == nil, files.has("added_tokens.json") {
            try definition.addLegacy(try files.json("added_tokens.json"), configuration)
        }
        let template = files.template(configuration)
        let toolTemplate = files.toolTemplate(configuration)
        try self.init(
            definition, configuration: configuration, template: template, toolTemplate: toolTemplate, hash: files.hash,
            place: directory)
    }

    init(
        _ definition: TokenizerDefinition, configuration: JSONValue?, template: TemplateSource?,
        toolTemplate: TemplateSource? = nil, hash: String, place: String
    ) throws(TokenizerError) {
        var definition = definition
        if let configuration {
            try definition.addDecoder(configuration["added_tokens_decoder"])
            try definition.addNamed(configuration)
        }
        func named(_ key: String) -> Int32? {
            let value = configuration?[key]
            return (value?.bytes ?? value?["content"]?.bytes).flatMap { definition.vocabulary.idOfPiece[$0] }
        }
        vocabulary = definition.vocabulary
        self.hash = hash
        beginOfText = named("bos_token") ?? definition.beginOfText
        endOfText = named("eos_token") ?? definition.endOfText
        endOfTurnTokens = definition.endOfTurn
        suppressedTokens = definition.suppressed
        notes = definition.notes
        normalizer = definition.normalizer
        preTokenizer = definition.preTokenizer
        scanner = definition.preTokenizer.scanner
        added = AddedTokens(definition.addedTokens, normalizer: definition.normalizer)
        words = try WordEncoder(definition.tokenModel(of: place), spellsWords: definition.spellsWords)
        decoder = definition.decoder
        texts = try TokenTexts(definition.vocabulary)
        truncation = definition.truncation
        if let given = definition.postProcessor {
            postProcessor = given
        } else {
            let addsBegin = configuration?["add_bos_token"]?.bool ?? definition.addsBegin
            let addsEnd = configuration?["add_eos_token"]?.bool ?? definition.addsEnd
            postProcessor = PostProcessor(
                prefix: addsBegin ? beginOfText.map { [$0] } ?? [] : [],
                suffix: addsEnd ? endOfText.map { [$0] } ?? [] : [])
        }
        let strings = Self.tokenNames.compactMap { key -> (String, String)? in
            (configuration?[key]?.text ?? configuration?[key]?["content"]?.text).map { (key, $0) }
        }
        let tokens = Dictionary(strings) { $1 }
        chatTemplate = template.map { ChatTemplate($0.source, variables: tokens, place: $0.place) }
        self.toolTemplate = toolTemplate.map { ChatTemplate($0.source, variables: tokens, place: $0.place) }
    }

    /// The fields of `tokenizer_config.json` that name a token each.
    static let tokenNames = [
        "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
    ]
}
