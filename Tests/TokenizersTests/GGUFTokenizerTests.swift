import Foundation
import Testing

@testable import Tokenizers

@Suite struct GGUFTokenizerTests {
    private struct Vector: Decodable {
        var text: String
        var ids: [Int32]
        var decoded: String?
    }

    private let goldens = Bundle.module.bundlePath + "/Goldens/"

    @Test(arguments: [
        "gpt2-tiny", "llama3-tiny", "llama2-tiny", "gguf/qwen2-tiny", "gguf/bert-tiny", "gguf/t5-tiny",
        "gguf/whitespace-tiny",
    ])
    func `ids are those of the tokenizer that the file was made from`(name: String) throws {
        let own = name.hasPrefix("gguf/") ? name : "gguf/" + name
        let tokenizer = try Tokenizer(directory: goldens + own + ".gguf")
        let data = try Data(contentsOf: URL(fileURLWithPath: goldens + name + ".vectors.json"))
        for vector in try JSONDecoder().decode([Vector].self, from: data) {
            let ids = tokenizer.encode(vector.text, addSpecialTokens: false, parseSpecialTokens: true)
            #expect(ids == vector.ids, "\(vector.text.debugDescription.prefix(60))")
            guard let decoded = vector.decoded else { continue }
            let text = try tokenizer.decode(vector.ids, skipSpecialTokens: false)
            #expect(Array(text.utf8) == Array(decoded.utf8), "\(vector.text.debugDescription.prefix(60))")
        }
    }

    private static let vocabularies =
        (ProcessInfo.processInfo.environment["NEPHELE_SHARED"] ?? "../shared")
        + "/data/tokenizers/gguf-vocabs/ggml-vocab-"

    @Test(
        .enabled(
            if: FileManager.default.fileExists(atPath: Self.vocabularies + "gpt-2.gguf"),
            "the shared vocabularies are not here"), arguments: [("gpt-2", "gpt2"), ("llama-spm", "llama2")])
    func `the vocabularies that llama.cpp is tested with give Hugging Face's ids`(file: String, name: String) throws {
        let tokenizer = try Tokenizer(directory: Self.vocabularies + file + ".gguf")
        let data = try Data(contentsOf: URL(fileURLWithPath: goldens + name + ".vectors.json"))
        for vector in try JSONDecoder().decode([Vector].self, from: data) {
            // GPT-2's vectors were made without its control token.
            let ids = tokenizer.encode(vector.text, addSpecialTokens: false, parseSpecialTokens: name != "gpt2")
            #expect(ids == vector.ids, "\(vector.text.debugDescription.prefix(60))")
        }
    }

    @Test func `what stands around a text is what its kind of model expects`() throws {
        let bert = try Tokenizer(directory: goldens + "gguf/bert-tiny.gguf")
        let pair = try bert.encodePair("a", "b")
        #expect(pair.ids.count == 5 && pair.typeIDs == [0, 0, 0, 1, 1])
        #expect(pair.ids.first == bert.id(of: "[CLS]") && pair.ids.last == bert.id(of: "[SEP]"))
        let t5 = try Tokenizer(directory: goldens + "gguf/t5-tiny.gguf")
        #expect(t5.encode("to be", addSpecialTokens: true) == t5.encode("to be", addSpecialTokens: false) + [1])
    }

    /// Names of `tokenizer.ggml.pre` with a text and where each cuts it.
    @Test(arguments: [
        ("gpt-2", "a1234 b", ["a", "1234", " b"]), ("smollm", "a12", ["a", "1", "2"]),
        ("llama-bpe", "a1234", ["a", "123", "4"]), ("glm5", "a1234", ["a", "123", "4"]),
        ("qwen2", "Ab\n\n x", ["Ab", "\n\n", " x"]),
        ("superbpe", "x1234567", ["x", "1", "234", "567"]),
        ("tiny_aya", "1234x 12345", ["123", "4", "x", " ", "12", "345"]),
        ("deepseek-v3", "1234中文ab,c", ["123", "4", "中文", "ab", ",c"]), ("gpt-4o", "CamelCase's", ["Camel", "Case's"]),
        ("kimi-k2", "中文abc", ["中文", "abc"]), ("exaone-moe", "a b c1", ["a b c", "1"]),
        ("deepseek-llm", "\u{386}é \u{FB01}中", ["\u{386}é", " \u{FB01}", "中"]),
        ("bloom", "a.b (c", ["a", ".", "b", " (", "c"]),
        ("jais-2", "a     b", ["a", "    ", " b"]), ("gemma4", "a b\n\nc", ["a b", "\n\n", "c"]),
        ("whitespace", " a,b\u{3000}\n c", ["a,b", "c"]),
    ])
    func `a name says how text is cut`(name: String, text: String, words: [String]) throws {
        let cut = try GGUFPreTokenizer(name, path: "x").preTokenizer.apply([Array(text.utf8)], isFirst: true)
        #expect(cut.map { String(decoding: $0, as: UTF8.self) } == words)
    }

    @Test func `every name that is known can be used, and no other`() throws {
        let names = GGUFPreTokenizer.names
        #expect(names.count > 87)
        for name in names { _ = try GGUFPreTokenizer(name, path: "x") }
        #expect { try GGUFPreTokenizer("gpt-9", path: "x") } throws: { "\($0)".contains("gpt-9") }
    }

    @Test func `begin, end, template and gaps are as in the files beside it`() throws {
        let file = try Tokenizer(directory: goldens + "gguf/llama3-tiny.gguf")
        let other = try Tokenizer(directory: goldens + "llama3-tiny")
        #expect(file.beginOfText == other.beginOfText && file.endOfText == other.endOfText)
        #expect(file.encode("x", addSpecialTokens: true) == other.encode("x", addSpecialTokens: true))
        let messages = [
            ChatMessage(role: "system", content: "Be brief."), ChatMessage(role: "user", content: "<|eot_id|> 你好"),
        ]
        #expect(try file.renderChat(messages) == other.renderChat(messages))
        let ends = try ["<|eot_id|>", "<|end_of_text|>"].map { try #require(other.id(of: $0)) }
        #expect(file.endOfTurnTokens == Set(ends))
        #expect(file.vocabulary.count == other.vocabulary.count && file.hash != other.hash)
        let begin = try Tokenizer(directory: goldens + "gguf/llama2-tiny.gguf").encode("x", addSpecialTokens: true)
        #expect(begin.first == 1)
        let qwen2 = try Tokenizer(directory: goldens + "gguf/qwen2-tiny.gguf")
        #expect(qwen2.encode("x", addSpecialTokens: true).count == 1 && qwen2.endOfTurnTokens.count == 2)
    }

    /// A golden file with some bytes in place of others of the same length.
    private func load(_ name: String, _ old: String, _ new: String) throws -> Tokenizer {
        var data = try Data(contentsOf: URL(fileURLWithPath: goldens + "gguf/\(name).gguf"))
        data.replaceSubrange(try #require(data.range(of: Data(old.utf8))), with: Data(new.utf8))
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-\(UUID().uuidString).gguf")
        try data.write(to: path)
        defer { try? FileManager.default.removeItem(at: path) }
        return try Tokenizer(directory: path.path)
    }

    @Test(arguments: [
        ("gpt2-tiny", "gpt-2", "gpt-9", ["tokenizer.ggml.pre", "gpt-9"]),
        ("gpt2-tiny", "gpt2", "rwkv", ["tokenizer model \"rwkv\""]),
        ("gpt2-tiny", "tokenizer.ggml.tokens", "tokenizer.ggml.tokenz", ["tokenizer.ggml.tokens"]),
        ("gpt2-tiny", "tokenizer.ggml.model", "tokenizer.ggml.modem", ["tokenizer.ggml.model"]),
        ("llama2-tiny", "tokenizer.ggml.scores", "tokenizer.ggml.scorez", ["tokenizer.ggml.scores"]),
        ("bert-tiny", "[SEP]", "[CLS]", ["tokenizer.ggml.tokens", "[CLS]", "as 2 and as 3"]),
    ])
    func `what is not known or missing is refused by its key`(
        name: String, old: String, new: String, says: [String]
    ) throws {
        #expect { try load(name, old, new) } throws: { error in
            guard let message = (error as? TokenizerError)?.message else { return false }
            return says.allSatisfy { message.contains($0) }
        }
    }
}
