import Foundation
import Testing

@testable import Grammars

/// Grammars in GBNF, against what xgrammar lets through; `make_gbnf.py` says how.
@Suite struct GBNFTests {
    private struct Golden: Decodable {
        var grammar: String
        var texts: [String: Bool]
    }

    private let tokens: [[UInt8]?] = (0..<256).map { [UInt8($0)] } + [nil, nil]

    private func accepts(_ grammar: Grammar, _ text: String) throws -> Bool {
        let vocabulary = TokenVocabulary(tokens: tokens, controls: [256: Array("<|x|>".utf8)], endTokens: [257])
        var matcher = GrammarMatcher(try CompiledGrammar(grammar, vocabulary))
        for byte in text.utf8 {
            let isAllowed = try matcher.mask().contains(Int32(byte))
            let isAccepted = try matcher.accept(Int32(byte))
            #expect(isAllowed == isAccepted)
            if !isAccepted { return false }
        }
        return matcher.canEnd
    }

    @Test func `grammars let through what they do in xgrammar`() throws {
        let file = Bundle.module.bundlePath + "/Goldens/gbnf.json"
        let goldens = try JSONDecoder().decode([Golden].self, from: Data(contentsOf: URL(fileURLWithPath: file)))
        #expect(goldens.count >= 12)
        for golden in goldens {
            let grammar = try Grammar(gbnf: golden.grammar)
            for (text, isTaken) in golden.texts {
                #expect(try accepts(grammar, text) == isTaken, "\(golden.grammar)\n\(text)")
            }
        }
    }

    @Test(arguments: [
        ("", "root"), ("a ::= \"x\"", "root"), ("root ::= \"x", "line 1"), ("root ::= [a", "line 1"),
        ("root ::= (\"a\"", "line 1"), ("root ::= \"a\"\nb ::= \"c\" )", "line 2"), ("root = \"a\"", "line 1"),
        ("root ::= \"\\q\"", "escape"), ("root ::= [z-a]", "range"), ("root ::= \"a\"{3,2}", "{3,2}"),
        ("root ::= \"a\"{,2}", "number"), ("root ::= \"\\ud800\"", "hexadecimal"),
        ("root ::= \"\\x+1\"", "hexadecimal"),
        ("root ::= <[10]>", "token"), ("root ::= \"a\"\nroot ::= \"b\"", "second"), ("\"a\"", "name"),
        ("root ::= \"a\"{99999999999999999999}", "times"), ("start: \"a\"", "GBNF"),
    ])
    func `what is no such grammar is refused with its line`(text: String, says: String) {
        #expect { try Grammar(gbnf: text) } throws: { "\($0)".contains(says) }
    }

    @Test func `hostile grammars are refused in bounded time`() throws {
        for text in [
            "root ::= " + String(repeating: "(", count: 100_000),
            "root ::= " + String(repeating: "\"a\" | ", count: 60_000),
            "root ::= \"x\" root", "root ::= root \"x\"", "root ::= ((\"a\"{9999}){9999}){9999}",
            "root ::= missing",
            "root ::= " + String(repeating: "x", count: 300_000), "root ::= [^\\U00000000-\\U0010ffff]",
        ] {
            #expect(throws: GrammarError.self, "\(text.prefix(40))") { try accepts(try Grammar(gbnf: text), "a") }
        }
    }

    @Test func `choices are texts, control tokens none of them`() throws {
        let choices = Grammar(choices: ["yes", "no", "ye", "<|x|>", "né"])
        for text in ["yes", "no", "ye", "<|x|>", "né"] { #expect(try accepts(choices, text), "\(text)") }
        for text in ["", "y", "yesno", "ne"] { #expect(try !accepts(choices, text), "\(text)") }
        let vocabulary = TokenVocabulary(tokens: tokens, controls: [256: Array("<|x|>".utf8)], endTokens: [257])
        for grammar in [choices, try Grammar(gbnf: "root ::= \"<|x|>\"")] {
            #expect(try !GrammarMatcher(try CompiledGrammar(grammar, vocabulary)).mask().contains(256))
        }
        #expect(throws: GrammarError.self) { try accepts(Grammar(choices: []), "") }
    }

    @Test func `a pattern describes the whole text`() throws {
        let pattern = Grammar(pattern: #"\d{4}-(0[1-9]|1[0-2])|é+"#)
        for text in ["2026-11", "éé"] { #expect(try accepts(pattern, text), "\(text)") }
        for text in ["2026-13", "x2026-11", "2026-111", ""] { #expect(try !accepts(pattern, text), "\(text)") }
    }
}
