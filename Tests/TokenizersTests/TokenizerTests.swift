import Foundation
import Testing

@testable import Tokenizers

/// Where the workplace's shared data are, if they are.
private let shared: String? = {
    let path = ProcessInfo.processInfo.environment["NEPHELE_SHARED"] ?? "../shared"
    return FileManager.default.fileExists(atPath: path + "/data/tokenizers") ? path + "/data" : nil
}()

private let goldens = Bundle.module.bundlePath + "/Goldens/"

private struct Vector: Decodable {
    var text: String
    var ids: [Int32]
    var decoded: String?
}

private func vectors(_ name: String) throws -> [Vector] {
    try JSONDecoder().decode(
        [Vector].self, from: Data(contentsOf: URL(fileURLWithPath: goldens + name + ".vectors.json")))
}

private func check(_ tokenizer: Tokenizer, _ name: String, parseSpecialTokens: Bool = true) throws {
    for vector in try vectors(name) {
        let ids = tokenizer.encode(vector.text, addSpecialTokens: false, parseSpecialTokens: parseSpecialTokens)
        #expect(ids == vector.ids, "\(name): \(vector.text.debugDescription.prefix(60))")
        if let decoded = vector.decoded {
            let text = try tokenizer.decode(vector.ids, skipSpecialTokens: false)
            #expect(Array(text.utf8) == Array(decoded.utf8), "\(name): \(vector.text.debugDescription.prefix(60))")
        }
    }
}

@Suite struct TokenizerTests {
    @Test(arguments: ["gpt2-tiny", "llama3-tiny", "llama2-tiny", "llama2-converted"])
    func `ids equal those of Hugging Face tokenizers`(name: String) throws {
        try check(Tokenizer(directory: goldens + name), name)
    }

    @Test(.enabled(if: shared != nil, "the shared vocabularies are not here"))
    func `the real GPT-2 vocabulary gives the reference's ids`() throws {
        let shared = try #require(shared)
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let source = URL(fileURLWithPath: shared + "/tokenizers/gpt2-bpe")
        try FileManager.default.copyItem(
            at: source.appendingPathComponent("encoder.json"), to: directory.appendingPathComponent("vocab.json"))
        try FileManager.default.copyItem(
            at: source.appendingPathComponent("vocab.bpe"), to: directory.appendingPathComponent("merges.txt"))
        // The reference was built without its control token.
        try check(Tokenizer(directory: directory.path), "gpt2", parseSpecialTokens: false)
    }

    @Test(.enabled(if: shared != nil, "the shared vocabularies are not here"))
    func `the real Llama 2 model gives the reference's ids`() throws {
        try check(Tokenizer(directory: try #require(shared) + "/tokenizers/llama2-tokenizer"), "llama2")
    }

    @Test func `special tokens are added when asked for and parsed only where trusted`() throws {
        let tokenizer = try Tokenizer(directory: goldens + "llama3-tiny")
        let begin = try #require(tokenizer.id(of: "<|begin_of_text|>"))
        let end = try #require(tokenizer.id(of: "<|eot_id|>"))
        #expect(tokenizer.encode("x", addSpecialTokens: true).first == begin)
        #expect(tokenizer.encode("<|eot_id|>", addSpecialTokens: false, parseSpecialTokens: true) == [end])
        #expect(!tokenizer.encode("<|eot_id|>", addSpecialTokens: false).contains(end))
        #expect(tokenizer.beginOfText == begin && tokenizer.endOfText == end)
        let messages = [ChatMessage(role: "user", content: "a <|eot_id|> b")]
        #expect(try tokenizer.renderChat(messages).filter { $0 == end }.count == 1)
    }

    @Test func `a pathological word is merged in reasonable time`() throws {
        let tokenizer = try Tokenizer(directory: goldens + "llama2-tiny")
        let ids = tokenizer.encode(String(repeating: "a", count: 300_000), addSpecialTokens: false)
        #expect(try tokenizer.decode(ids).utf8.count == 300_000)
    }

    @Test func `streaming never emits half a character and loses none`() throws {
        for name in ["gpt2-tiny", "llama2-tiny"] {
            let tokenizer = try Tokenizer(directory: goldens + name)
            for vector in try vectors(name) {
                var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: false)
                var text = ""
                for id in vector.ids {
                    let piece = decoder.append(id)
                    #expect(!piece.contains("\u{FFFD}"))
                    text += piece
                }
                text += decoder.finish()
                let whole = vector.ids.flatMap { tokenizer.bytes(of: $0) ?? [] }
                #expect(Array(text.utf8) == whole)
            }
        }
    }

    @Test func `bytes that are no character become U+FFFD`() throws {
        let tokenizer = try Tokenizer(directory: goldens + "gpt2-tiny")
        let lead = try #require(tokenizer.encode("鬱", addSpecialTokens: false).first)
        var decoder = StreamingDecoder(tokenizer)
        #expect(decoder.append(lead) == "")
        #expect(decoder.finish() == "\u{FFFD}")
        #expect(StreamingDecoder.incompleteSuffix([0xE5, 0xBA]) == 2)
        #expect(StreamingDecoder.incompleteSuffix([0x41, 0xFF]) == 0)
        #expect(StreamingDecoder.incompleteSuffix([0xF0, 0x9F, 0x98]) == 3)
    }

    @Test func `an id outside the vocabulary is refused`() throws {
        let tokenizer = try Tokenizer(directory: goldens + "gpt2-tiny")
        #expect { try tokenizer.decode([1_000_000]) } throws: { "\($0)".contains("1000000") }
        #expect { try tokenizer.decode([-1]) } throws: { ($0 as? TokenizerError)?.code == .invalidRequest }
    }

    @Test(arguments: [
        "", "{", "[]", "{}", #"{"model":{"type":"WordPiece","vocab":{}}}"#, #"{"model":{"type":"BPE","vocab":{}}}"#,
        #"{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}"#,
        #"{"model":{"type":"BPE","vocab":{"a":1e300},"merges":[]}}"#,
        #"{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}"#,
        #"{"model":{"type":"BPE","vocab":{"a":0},"merges":["ab"]}}"#,
        #"{"normalizer":{"type":"Nonsense"},"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}"#,
        #"{"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"("}},"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}"#,
        String(repeating: "[", count: 100_000),
    ])
    func `a malformed tokenizer file is an error that names it`(json: String) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try Data(json.utf8).write(to: directory.appendingPathComponent("tokenizer.json"))
        #expect(throws: TokenizerError.self) { try Tokenizer(directory: directory.path) }
    }

    @Test func `a truncated SentencePiece model is an error`() throws {
        let file = [UInt8](try Data(contentsOf: URL(fileURLWithPath: goldens + "llama2-tiny/tokenizer.model")))
        for length in stride(from: 0, to: file.count, by: 997) {
            // A prefix may end between fields: then pieces are lost, never memory.
            _ = try? SentencePieceModel(Array(file[..<length])).definition()
        }
        #expect(throws: TokenizerError.self) { try SentencePieceModel(Array(file[..<1_001])) }
    }
}

@Suite struct ChatTemplateTests {
    private struct Goldens: Decodable {
        struct Message: Decodable { var role: String, content: String }
        struct Rendered: Decodable { var name: String, template: String, add: Bool, text: String }
        var messages: [Message]
        var rendered: [Rendered]
    }

    @Test func `templates render as transformers renders them`() throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: goldens + "templates.vectors.json"))
        let golden = try JSONDecoder().decode(Goldens.self, from: data)
        let messages = golden.messages.map { ChatMessage(role: $0.role, content: $0.content) }
        for rendered in golden.rendered {
            let template = ChatTemplate(rendered.template, variables: ["bos_token": "<s>", "eos_token": "</s>"])
            let rendering = try template.render(Conversation(messages, addGenerationPrompt: rendered.add))
            #expect(rendering.text == rendered.text, "\(rendered.name)")
            for range in rendering.trusted {
                #expect(!String(decoding: rendering.bytes[range], as: UTF8.self).contains("你好"))
            }
        }
    }

    @Test(arguments: [
        "{% for x in y %}", "{{ a + }}", "{% macro f() %}", "{{ x", "{% endif %}", "{{ a | tojson }}",
        "{{ a | pprint }}",
    ])
    func `what is beyond the subset is refused`(source: String) {
        #expect(throws: TokenizerError.self) {
            _ = try ChatTemplate(source, variables: [:]).render(Conversation([]))
        }
    }

    @Test func `a template can refuse its messages`() throws {
        let template = ChatTemplate("{{ raise_exception('roles must alternate') }}", variables: [:])
        #expect { try template.render(Conversation([], addGenerationPrompt: true)) } throws: {
            "\($0)".contains("roles must alternate")
        }
    }
}
