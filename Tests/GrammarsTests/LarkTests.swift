import Foundation
import Testing

@testable import Grammars

/// Grammars in Lark's notation, against what Lark parses; `make_lark.py` says how.
@Suite struct LarkTests {
    private struct Golden: Decodable {
        var grammar: String
        var texts: [String: Bool]
        /// Texts that only Earley's parser takes.
        var earley: [String]
    }

    private static let words = ["ab", "SELECT", "(a", "1.", "1.5", " +", "\"}", "if ", "]*", "aab"]
    private let tokens: [[UInt8]?] = (0..<256).map { [UInt8($0)] } + words.map { Array($0.utf8) } + [nil, nil]
    private var control: Int32 { Int32(tokens.count - 2) }
    private var end: Int32 { Int32(tokens.count - 1) }

    private func compile(_ grammar: Grammar) throws -> CompiledGrammar {
        try CompiledGrammar(
            grammar, TokenVocabulary(tokens: tokens, controls: [control: Array("<|x|>".utf8)], endTokens: [end]))
    }

    private func accepts(_ grammar: CompiledGrammar, _ text: String) throws -> Bool {
        var matcher = GrammarMatcher(grammar)
        for byte in text.utf8 {
            let isAllowed = try matcher.mask().contains(Int32(byte))
            let isAccepted = try matcher.accept(Int32(byte))
            #expect(isAllowed == isAccepted)
            if !isAccepted { return false }
        }
        return matcher.canEnd
    }

    private func goldens() throws -> [Golden] {
        let file = Bundle.module.bundlePath + "/Goldens/lark.json"
        return try JSONDecoder().decode([Golden].self, from: Data(contentsOf: URL(fileURLWithPath: file)))
    }

    @Test func `grammars let through what Lark parses`() throws {
        let goldens = try goldens()
        #expect(goldens.count >= 28)
        for golden in goldens {
            let grammar = try compile(Grammar(lark: golden.grammar))
            for (text, isTaken) in golden.texts {
                #expect(try accepts(grammar, text) == isTaken, "\(golden.grammar)\n\(text)")
            }
        }
    }

    @Test func `terminals that begin alike are found as Lark's lexers find them`() throws {
        struct Random: Decodable {
            var grammar: String
            /// Which of Lark's parsers take a text: `l` for LALR, `e` for Earley.
            var texts: [String: String]
        }
        let file = Bundle.module.bundlePath + "/Goldens/lark_random.json"
        let goldens = try JSONDecoder().decode([Random].self, from: Data(contentsOf: URL(fileURLWithPath: file)))
        #expect(goldens.count == 80)
        // Where Lark's lexer takes a terminal that could be longer, and not the one that is.
        var stricter = 0
        for golden in goldens {
            let grammar = try compile(Grammar(lark: golden.grammar))
            var isStricter = false
            for (text, parsers) in golden.texts {
                var matcher = GrammarMatcher(grammar)
                let isTaken = try text.isEmpty ? matcher.canEnd : matcher.accept(Array(text.utf8)) && matcher.canEnd
                if isTaken { #expect(parsers.contains("e"), "\(golden.grammar)\n\(text)") }
                if !isTaken, parsers.contains("l") { isStricter = true }
            }
            if isStricter { stricter += 1 }
        }
        #expect(stricter <= 1)
    }

    @Test func `whatever is written by the masks can end, in every token's way`() throws {
        var random = SplitMix(state: 5)
        for golden in try goldens() {
            let grammar = try compile(Grammar(lark: golden.grammar))
            for _ in 0..<5 {
                var matcher = GrammarMatcher(grammar)
                for step in 0..<40 {
                    let mask = try matcher.mask()
                    let allowed = (0..<Int32(tokens.count)).filter { mask.contains($0) }
                    #expect(!allowed.isEmpty, "\(golden.grammar)")
                    if step % 13 == 0 {
                        for id in 0..<Int32(tokens.count) { #expect(try mask.contains(id) == matcher.allows(id)) }
                    }
                    #expect(mask.contains(end) == matcher.canEnd)
                    #expect(!mask.contains(control))
                    guard let id = allowed.filter({ $0 != end }).randomElement(using: &random) else { break }
                    #expect(try matcher.accept(id))
                }
            }
        }
    }

    @Test func `what only one of Lark's parsers takes is not written`() throws {
        // By Earley's parser "if" could be a name here; the lexer of the other one knows it as a word of its own.
        let goldens = try goldens().filter { !$0.earley.isEmpty }
        #expect(goldens.count >= 3)
        for golden in goldens {
            let grammar = try compile(Grammar(lark: golden.grammar))
            for text in golden.earley { #expect(try !accepts(grammar, text), "\(golden.grammar)\n\(text)") }
        }
    }

    @Test(arguments: [
        ("", "start"), ("a: \"x\"", "start"), ("start: \"x", "line 1"), ("start: (\"a\"", "line 1"),
        ("start: \"a\"\nb: \"c\" )", "line 2"), ("start = \"a\"", "line 1"), ("start: a", "'a'"), ("start: A", "'A'"),
        ("start: \"a\" ~ 3..2", "3..2"), ("start: \"a\"\nstart: \"b\"", "second"), ("start: /[z-a]/", "range"),
        ("start: /a(?=b)/", "group"), ("start: /(?<!a)b/", "group"), ("start: /^a/", "anchor"),
        ("start: /\\bx/", "anchor"),
        ("start: /(a)\\1/", "reference"), ("start: A\nA: /a|b/ \"c\"", "brackets"),
        ("start: A\nA: B \"c\"\nB: /a|b/", "brackets"),
        ("start.2: \"a\"", "priority"), ("start: A\nA.-1: \"a\"", "priority"), ("%declare A\nstart: A", "%declare"),
        ("%import python.NAME\nstart: NAME", "python"), ("%import .other.X\nstart: X", "import"),
        ("%import common.NOTHING\nstart: NOTHING", "NOTHING"), ("%override start: \"a\"", "%override"),
        ("start: A\nA: \"(\" A? \")\"", "within itself"), ("start: A\nA: \"x\" b\nb: \"y\"", "rule 'b'"),
        ("start: \"\"", "empty"), ("start: \"\\ud800\"", "hexadecimal"),
        ("start: \"z\"..\"a\"", "range"),
        ("start: <|x|>", "token"), ("start: x{\"a\"}\nx{a, b}: a b", "takes 2"), ("start: @other", "other grammars"),
        ("start: A & B\nA: \"a\"\nB: \"b\"", "&"), ("start[max_tokens=3]: /a+/", "max_tokens"),
        ("start: %regex {}", "%regex"),
        ("%llguidance {\"no_forcing\": true}\nstart: \"a\"", "%llguidance"), ("start: /a/l", "flag"),
        ("start: %json {", "JSON"),
    ])
    func `what is no such grammar, or is not followed, is refused by its place`(text: String, says: String) {
        #expect { try compile(try Grammar(lark: text)) } throws: { "\($0)".contains(says) }
    }

    @Test func `hostile grammars are refused in bounded time`() {
        let doubling = (0..<30).map { "a\($0){x}: a\($0 + 1){b{x, x}}\n" }.joined()
        for text in [
            "start: " + String(repeating: "(", count: 100_000),
            "start: " + String(repeating: "\"a\" | ", count: 60_000),
            "start: \"x\" start", "start: start \"x\"", "start: ((\"a\" ~ 9999) ~ 9999) ~ 9999",
            "start: \"a\" ~ 99999999999999999999", "start: A\nA: ((\"a\" ~ 9999) ~ 9999) ~ 9999",
            "start: A\nA: /(a{9999}){9999}/", "start: A\nA: /(.*a){3}.{12}x.{14}y/s \"z\" ~ 9000",
            "start: t{\"a\"}\nt{x}: t{u{x}}\nu{x}: x x", "start: a0{\"y\"}\n" + doubling + "a30{x}: x\nb{x, y}: x y",
            "start: " + String(repeating: "x", count: 300_000), "start: /[^\\x00-\\U0010ffff]/",
        ] {
            #expect(throws: GrammarError.self, "\(text.prefix(40))") { _ = try compile(try Grammar(lark: text)) }
        }
    }

    @Test func `llguidance's notation is read beside Lark's`() throws {
        let count = try compile(
            Grammar(lark: "%llguidance {}\nstart: \"a\"{2,3} \"b\"{2} \"c\"{,1} last-one\nlast-one[capture]: \"d\""))
        for text in ["aabbd", "aaabbcd"] { #expect(try accepts(count, text), "\(text)") }
        for text in ["abbd", "aabbccd"] { #expect(try !accepts(count, text), "\(text)") }
        let schema =
            #"%json {"type": "object", "properties": {"}": {"type": "integer"}}, "required": ["}"], "additionalProperties": false}"#
        let json = try compile(
            Grammar(lark: "start: NAME \(schema) \"!\" | NAME %json {\"type\": \"boolean\"}\nNAME: /[a-z]+/"))
        #expect(try accepts(json, #"f{"}": 1}!"#))
        // A name that goes on is no name and a value.
        for text in ["ftrue", #"f{"}": x}!"#, "true"] { #expect(try !accepts(json, text), "\(text)") }
        let lazy = try compile(Grammar(lark: "start: head \"=\" /[0-9]+/\nhead[lazy]: /(.|\\n)*<f>/"))
        for text in ["a<f>=1", "<<f>=12"] { #expect(try accepts(lazy, text), "\(text)") }
        #expect(try !accepts(lazy, "a<f>b<f>=1"))
        let maybe = try compile(Grammar(lark: "start: TEXT \"<e>\"\nTEXT: /[^<]*/"))
        for text in ["<e>", "ab<e>"] { #expect(try accepts(maybe, text), "\(text)") }
    }

    @Test(arguments: [
        ("start: \"a\"", false), ("root ::= \"a\"", true), ("# c\n root-x\t::= a", true), ("start: \"x ::= y\"", false),
        ("start: /a/\n  | \"::=\"", false), ("", false), ("// a ::= b\nstart: \"a\"", false),
    ])
    func `a grammar's notation is known by its rules`(text: String, isGBNF: Bool) {
        #expect(Grammar.isGBNF(text) == isGBNF)
    }
}
