import Foundation
import Testing

@testable import Tokenizers

/// Texts that make bad algorithms slow: what is quadratic would take hours.
@Suite struct HostileTextTests {
    private static let letters = ["a", " ", "🙂", "1", "\n", "é", "ab ", "[", "\u{301}"]
    private let goldens = Bundle.module.bundlePath + "/Goldens/"

    @Test(
        .timeLimit(.minutes(5)),
        arguments: [
            "gguf/gpt2-tiny.gguf", "llama3-tiny", "gguf/llama2-tiny.gguf", "llama2-converted", "gguf/qwen2-tiny.gguf",
            "gguf/bert-tiny.gguf", "gguf/t5-tiny.gguf",
        ])
    func `time and memory grow with the text's length`(name: String) throws {
        let tokenizer = try Tokenizer(directory: goldens + name)
        for letter in Self.letters {
            let text = String(repeating: letter, count: 50_000 / letter.utf8.count)
            let ids = tokenizer.encode(text, addSpecialTokens: false)
            #expect(ids.count <= text.utf8.count + 1)
            #expect(try tokenizer.decode(ids).utf8.count <= text.utf8.count * 2 + 16)
        }
    }
}
