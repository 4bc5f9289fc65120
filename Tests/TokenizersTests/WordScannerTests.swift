import RegularExpressions
import Testing

@testable import Tokenizers

/// Words found in one pass against the expressions that say what they are.
@Suite struct WordScannerTests {
    private static let patterns = [
        PreTokenizer.gpt2Pattern, TiktokenFile.r50k, TiktokenFile.cl100k, GGUFPreTokenizer.llama3(digits: "{1,3}"),
        GGUFPreTokenizer.llama3(digits: ""), GGUFPreTokenizer.o200k, GGUFPreTokenizer.tekken,
    ]

    private struct Random: RandomNumberGenerator {
        var state: UInt64 = 5

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33 | state << 31
        }
    }

    private static func words(_ scanner: WordScanner, _ bytes: [UInt8]) -> [Range<Int>] {
        var words: [Range<Int>] = []
        var start = 0
        while start < bytes.count {
            let end = scanner.end(of: start, in: bytes, limit: bytes.count)
            words.append(start..<end)
            start = end
        }
        return words
    }

    private func check(_ texts: [String], _ pattern: String) throws {
        let scanner = try #require(WordScanner(pattern))
        let expression = try PreTokenizer.compile(pattern)
        for text in texts {
            let bytes = Array(text.utf8)
            let (own, must) = (Self.words(scanner, bytes), expression.matches(in: bytes, range: 0..<bytes.count))
            guard own != must else { continue }
            Issue.record("\(text.debugDescription): \(own), must \(must) (\(pattern))")
            return
        }
    }

    @Test(arguments: patterns) func `short texts of every kind of character are cut as by the expression`(
        pattern: String
    ) throws {
        let letters = ["a", "S", "1", " ", "\n", "'", "s", "中", "\u{301}", "!", "/", "ſ", "\t", "\u{2160}", "ǅ", "l"]
        var texts = letters
        for _ in 1..<4 { texts += texts.filter { $0.unicodeScalars.count < 4 }.flatMap { t in letters.map { t + $0 } } }
        texts = Array(Set(texts).sorted())
        #expect(texts.count > 60_000)
        try check(texts, pattern)
    }

    @Test(arguments: patterns) func `long texts of many scripts are cut as by the expression`(pattern: String) throws {
        var random = Random()
        // PCRE2's tables are Unicode 14's.
        let known = (UInt32(1)..<0x3_0000).compactMap(Unicode.Scalar.init).filter {
            UnicodeClasses.isKnown($0, in: 13) && $0.properties.age != nil
        }
        let common = Array("aabceEAZ019  \n\r\t'st''llre.,!?/-".unicodeScalars)
        let texts = (0..<3_000).map { _ in
            var text = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 1...40, using: &random) {
                let pool = Int.random(in: 0..<4, using: &random) == 0 ? known : common
                text.append(pool[Int.random(in: 0..<pool.count, using: &random)])
            }
            return String(text)
        }
        try check(texts, pattern)
    }

    @Test func `what is only like a known expression is none`() {
        #expect(WordScanner(PreTokenizer.gpt2Pattern + "|x") == nil && WordScanner("") == nil)
    }
}
