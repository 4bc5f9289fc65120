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

    /// Foundation's own time is quadratic where a text grows.
    @Test(arguments: [Normalizer.nfd, .nfc, .nfkd, .nfkc])
    func `normal forms are made in parts, and are those of the whole`(
        normalizer: Normalizer
    ) throws {
        for text in [
            "각", "ﷺ", "\u{1100}\u{1161}\u{11A8}", "e\u{301}\u{323}", "ｶﾞ", "ㄱㅏ", "क\u{93C}", "\u{9C7}\u{9BE}é ",
        ] {
            let short = normalizer.apply(Array(text.utf8))
            let long = normalizer.apply(Array(String(repeating: text, count: 700).utf8))
            // Nothing joins one of them to the next.
            #expect(long == Array(repeatElement(short, count: 700).joined()), "\(text.debugDescription)")
        }
        func take(_ count: Int) -> Double {
            let bytes = Array(String(repeating: "각", count: count).utf8)
            return seconds { _ = normalizer.apply(bytes) }
        }
        _ = take(100)
        let short = (0..<3).map { _ in take(30_000) }.min() ?? 0
        #expect(take(300_000) < 30 * short + 0.05)
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
