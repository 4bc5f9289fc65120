import Foundation
import Testing

@testable import Tokenizers

/// Texts that make bad algorithms slow: what is quadratic takes a hundred times as long for ten times the text.
@Suite(.serialized) struct HostileTextTests {
    private static let letters = ["a", " ", "🙂", "1", "\n", "é", "ab ", "[", "\u{301}", "각", "\u{1100}", "##", "▁"]
    #if DEBUG
    private let size = 100_000
    #else
    private let size = 1_000_000
    #endif
    private let goldens = Bundle.module.bundlePath + "/Goldens/"

    /// Seconds of this thread, whatever the others do.
    private func seconds(_ body: () throws -> Void) rethrows -> Double {
        func now() -> Double {
            var time = timespec()
            unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        try body()
        return now() - start
    }

    @Test(
        arguments: [
            "gguf/gpt2-tiny.gguf", "gpt2-tiny", "llama3-tiny", "gguf/llama2-tiny.gguf", "llama2-tiny",
            "llama2-converted",
            "gguf/qwen2-tiny.gguf", "gguf/bert-tiny.gguf", "gguf/t5-tiny.gguf", "unigram-tiny", "wordpiece-tiny",
            "tekken-tiny", "tiktoken-tiny",
        ])
    func `time and memory grow with the text's length`(name: String) throws {
        let tokenizer = try Tokenizer(directory: goldens + name)
        for letter in Self.letters {
            func take(_ bytes: Int) throws {
                let text = String(repeating: letter, count: bytes / letter.utf8.count)
                let ids = tokenizer.encode(text, addSpecialTokens: false)
                #expect(ids.count <= text.utf8.count + 1)
                #expect(try tokenizer.decode(ids).utf8.count <= text.utf8.count * 3 + 16)
            }
            try take(1_000)
            let short = try (0..<3).map { _ in try seconds { try take(size / 10) } }.min() ?? 0
            let long = try seconds { try take(size) }
            #expect(long < 35 * short + 0.05, "\(letter.debugDescription): \(short) s and \(long) s")
        }
    }
}
