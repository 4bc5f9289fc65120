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

    /// - Parameters:
    ///   - name: the file that is changed.
    ///   - folders: where it is found, and the files beside it.
    init(_ name: String, _ kind: SampleKind, folders: [String], beside: [String] = []) throws {
        (self.name, self.kind) = (name, kind)
        scratch = try Scratch()
        samples = try folders.map { try Corpus.file($0 + "/" + name) }
        for other in beside { try scratch.write(try Corpus.file(folders[0] + "/" + other), to: other) }
    }

    mutating func run(_ input: [UInt8]) throws {
        try scratch.write(input, to: name)
        if let tokenizer = try? Tokenizer(directory: scratch.path) { Texts.use(tokenizer) }
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
        guard let rendering = try? template.render(messages, addGenerationPrompt: true) else { return }
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
