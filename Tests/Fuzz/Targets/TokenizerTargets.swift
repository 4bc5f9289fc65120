import Foundation
import Tokenizers

/// What a tokenizer that could be read is put to.
enum Texts {
    private static let texts = [
        "", "Hello, world! 你好，世界", "  \u{0}\t\n\r\u{e9}e\u{301} 🏳️‍🌈 <|endoftext|></s>[INST] 123456 ",
        "ǅﬁ\u{feff}\u{202e}x",
    ]

    static func use(_ tokenizer: Tokenizer) {
        for text in texts {
            let ids = tokenizer.encode(text, addSpecialTokens: true, parseSpecialTokens: true)
            _ = try? tokenizer.decode(ids)
            var decoder = StreamingDecoder(tokenizer)
            for id in ids.prefix(64) { _ = decoder.append(id) }
            _ = decoder.finish()
        }
        _ = try? tokenizer.renderChat(
            [ChatMessage(role: "user", content: "<|im_start|>"), ChatMessage(role: "assistant", content: " é ")])
    }
}

/// One file of a tokenizer's directory, the others as they should be.
struct TokenizerFileTarget: FuzzTarget {
    let kind: SampleKind
    let samples: [[UInt8]]
    private let scratch: Scratch
    private let name: String
    private var families: [String] = []

    /// - Parameters:
    ///   - name: the file that is changed.
    ///   - folders: where it is found, and the files beside it.
    init(_ name: String, _ kind: SampleKind, folders: [String], beside: [String] = []) throws {
        (self.name, self.kind) = (name, kind)
        scratch = try Scratch()
        samples = try folders.map { try Corpus.file($0 + "/" + name) }
        for other in beside { try scratch.write(try Corpus.file(folders[0] + "/" + other), to: other) }
    }

    /// - Parameter families: classes of which the files may be, by turns.
    init(_ name: String, _ kind: SampleKind, samples: [[UInt8]], families: [String] = []) throws {
        (self.name, self.kind, self.samples, self.families) = (name, kind, samples, families)
        scratch = try Scratch()
    }

    mutating func run(_ input: [UInt8]) throws {
        try scratch.write(input, to: name)
        if !families.isEmpty {
            let family = families[input.count % families.count]
            try scratch.write(Array("{\"tokenizer_class\": \"\(family)\"}".utf8), to: "tokenizer_config.json")
        }
        if let tokenizer = try? Tokenizer(directory: scratch.path) { Texts.use(tokenizer) }
    }
}

/// Every step of `tokenizer.json` that the goldens have, over small models.
enum TokenizerSamples {
    private struct Goldens: Decodable {
        struct Kind: Decodable { var model: Int, rest: String }
        var models: [String], kinds: [Kind]
    }

    private static let pieces = [
        "[UNK]", "[CLS]", "[SEP]", "a", "b", "ab", "▁", "▁a", "##b", "é", "Ġ", "<0x41>", "<unk>",
    ]

    /// A model of the same kind with few pieces.
    private static func small(_ model: String) -> String {
        let kind = ["Unigram", "WordPiece", "WordLevel"].first { model.contains("\"type\": \"\($0)\"") }
        let vocabulary = pieces.enumerated().map { "\"\($1)\": \($0)" }.joined(separator: ", ")
        switch kind {
        case "Unigram":
            let list = pieces.enumerated().map { "[\"\($1)\", -\($0).5]" }.joined(separator: ", ")
            return "{\"type\": \"Unigram\", \"unk_id\": 0, \"byte_fallback\": false, \"vocab\": [\(list)]}"
        case "WordPiece":
            return "{\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": \"##\", "
                + "\"max_input_chars_per_word\": 100, \"vocab\": {\(vocabulary)}}"
        case "WordLevel": return "{\"type\": \"WordLevel\", \"unk_token\": \"[UNK]\", \"vocab\": {\(vocabulary)}}"
        default:
            return
                "{\"type\": \"BPE\", \"dropout\": null, \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": null, "
                + "\"end_of_word_suffix\": null, \"fuse_unk\": false, \"byte_fallback\": false, "
                + "\"ignore_merges\": false, \"vocab\": {\(vocabulary)}, \"merges\": [\"a b\", [\"▁\", \"a\"]]}"
        }
    }

    static func all() throws -> [[UInt8]] {
        var found: [[UInt8]] = []
        for name in ["kinds", "steps"] {
            let file = try Corpus.file("TokenizersTests/Goldens/\(name).json")
            let goldens = try JSONDecoder().decode(Goldens.self, from: Data(file))
            // Maps of characters are long; one stands for all.
            for kind in goldens.kinds where kind.rest.utf8.count < 8_000 {
                found.append(Array("{\"model\": \(small(goldens.models[kind.model])), \(kind.rest.dropFirst())".utf8))
            }
        }
        return found
    }
}

/// SentencePiece models of the goldens, those with short maps of characters.
enum SentencePieceSamples {
    private struct Goldens: Decodable {
        struct Model: Decodable {
            var name: String
            var model: Data
        }
        var models: [Model]
    }

    static func all() throws -> [[UInt8]] {
        let file = try Corpus.file("TokenizersTests/Goldens/sentencepiece.json")
        let goldens = try JSONDecoder().decode(Goldens.self, from: Data(file))
        return goldens.models.filter { ["unigram symbols", "unigram unused", "word", "char"].contains($0.name) }
            // A map of one key, "A", which becomes "B"
            .map {
                Array($0.model) + [0x1A, 0x12, 0x12, 0x10, 8, 0, 0, 0, 0, 4, 0, 0, 0x41, 1, 0, 0, 0x42, 0, 0x43, 0]
            }
    }
}

/// Chat templates.
struct TemplateTarget: FuzzTarget {
    let kind = SampleKind.text
    let samples: [[UInt8]]

    init() throws {
        struct Vector: Decodable { var template: String }
        let file = try Corpus.file("TokenizersTests/Goldens/templates.vectors.json")
        let values = try JSONSerialization.jsonObject(with: Data(file))
        var found: Set<String> = []
        Self.collect(values, into: &found)
        samples = found.sorted().map { Array($0.utf8) }
        guard !samples.isEmpty else { throw FuzzFinding(description: "no template is among the goldens") }
    }

    /// Every string that is a template.
    private static func collect(_ value: Any, into found: inout Set<String>) {
        if let text = value as? String, text.contains("{%") { found.insert(text) }
        for member in value as? [Any] ?? Array((value as? [String: Any] ?? [:]).values) {
            collect(member, into: &found)
        }
    }

    mutating func run(_ input: [UInt8]) throws {
        let source = String(decoding: input, as: UTF8.self)
        let template = ChatTemplate(source, variables: ["bos_token": "<s>", "eos_token": "</s>"])
        let messages = [
            ChatMessage(role: "system", content: "be brief"), ChatMessage(role: "user", content: "{{ messages }} ψ"),
            ChatMessage(role: "ψ", content: nil),
        ]
        guard let rendering = try? template.render(Conversation(messages)) else { return }
        // What a user wrote is never trusted.
        let isOwn = source.unicodeScalars.contains("ψ")
        for range in rendering.trusted {
            guard range.upperBound <= rendering.bytes.count else {
                throw FuzzFinding(description: "a trusted range lies outside of the text")
            }
            let text = String(decoding: rendering.bytes[range], as: UTF8.self)
            if !isOwn, text.unicodeScalars.contains("ψ") {
                throw FuzzFinding(description: "the template trusts what a user wrote")
            }
        }
    }
}
