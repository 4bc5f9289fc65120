import JSON
import Testing

@testable import Grammars

/// What many answers share, and what each has of its own.
@Suite struct SharedGrammarTests {
    private func grammar(_ schema: String) throws -> CompiledGrammar {
        try CompiledGrammar(schema: JSONParser.parse(Array(schema.utf8)), SmallVocabulary.all)
    }

    @Test(arguments: [
        (#"{"a":1,"a"#, #"""#, false), (#"{"a":1,"ab"#, #"""#, true), (#"{"é":1,"\u00e9"#, #"""#, false),
        (#"{"x":{"a":1},"a"#, #"""#, true), (#"{"x":[{"a":1},{"a"#, #"""#, true), (#"{"x":[{"a":1}],"x"#, #"""#, false),
        (#"{"a\"b":{},"a\"b"#, #"""#, false), (#"{"x":"{\"a\":1,\"a","a"#, #"""#, true),
    ])
    func `no object has a name twice`(text: String, next: String, mayFollow: Bool) throws {
        var matcher = GrammarMatcher(try grammar(#"{"type": "object"}"#))
        for byte in text.utf8 { #expect(try matcher.accept([byte]), "\(text)") }
        let quote = Int32(UInt8(ascii: "\""))
        #expect(try matcher.mask().contains(quote) == mayFollow)
        #expect(try matcher.allows(quote) == mayFollow)
        #expect(try matcher.accept(Array(next.utf8)) == mayFollow)
    }

    @Test func `items that differ are known by their value, and the last one ends the list`() throws {
        let grammar = try grammar(#"{"type": "array", "uniqueItems": true, "items": {"enum": [1, 2.5, "é", true]}}"#)
        for text in [#"[1,2.5,"é",true]"#, #"["\u00e9",1]"#, #"[1]"#] { #expect(try follows(grammar, text), "\(text)") }
        for text in [#"[1,1.0]"#, #"["é","\u00e9"]"#, #"[true,true]"#, #"[1,2.5,"é",true,"#] {
            #expect(try !follows(grammar, text), "\(text)")
        }
        let texts = try self.grammar(#"{"type": "array", "uniqueItems": true, "items": {"type": "string"}}"#)
        #expect(try follows(texts, #"["a","ab",""]"#) && !follows(texts, #"["a","\n","a"]"#))
    }

    @Test func `a mask that depends on a text is not taken for another's`() throws {
        let grammar = try grammar(
            #"{"uniqueItems": true, "prefixItems": [{"type": "array", "items": {"enum": [1, 2]}}, {"const": [1]}], "#
                + #""items": false, "type": "array"}"#)
        let tokens = SmallVocabulary.tokens
        let goesOn = Int32(try #require(tokens.firstIndex(of: Array("],".utf8))))
        // Only what differs from [1] leaves something to follow.
        for (text, mayFollow) in [("[[1 ", false), ("[[2 ", true), ("[[1 ", false)] {
            var matcher = GrammarMatcher(grammar)
            #expect(try matcher.accept(Array(text.utf8)))
            #expect(try matcher.mask().contains(goesOn) == mayFollow, "\(text)")
        }
    }

    /// What one answer finds out must not change what another may say.
    @Test(arguments: [
        #"{"type": "array", "uniqueItems": true, "items": {"type": "array", "items": {"enum": [1, 2, 3]}, "maxItems": 2}}"#,
        #"{"type": "array", "items": {"type": "array", "uniqueItems": true, "items": {"type": "integer", "maximum": 12}}}"#,
        #"{"type": "object", "additionalProperties": {"type": "array", "uniqueItems": true, "items": {"type": "string"}}}"#,
        #"{"type": "object"}"#,
    ])
    func `masks are those of a grammar that nobody has followed`(schema: String) throws {
        var random = SplitMix(state: 3)
        let shared = try grammar(schema)
        for _ in 0..<30 {
            var (matcher, tokens) = (GrammarMatcher(shared), [Int32]())
            for step in 0..<40 {
                let mask = try matcher.mask()
                if step % 8 == 7 {
                    var alone = GrammarMatcher(try grammar(schema))
                    for id in tokens { #expect(try alone.accept(id)) }
                    #expect(try alone.mask() == mask)
                }
                let allowed = (0..<SmallVocabulary.end).filter { mask.contains($0) }
                guard let id = allowed.randomElement(using: &random), try matcher.accept(id) else { break }
                tokens.append(id)
            }
        }
    }

    @Test func `names that answers have leave nothing behind`() throws {
        let grammar = try grammar(#"{"type": "object", "additionalProperties": {"type": "integer"}}"#)
        func answer(_ number: Int) throws {
            var matcher = GrammarMatcher(grammar)
            for byte in #"{"name\#(number)":1,"other\#(number * 7)":2}"#.utf8 {
                #expect(try matcher.mask().contains(Int32(byte)))
                #expect(try matcher.accept([byte]))
            }
        }
        for number in 0..<10 { try answer(number) }
        let before = grammar.size
        for number in 10..<200 { try answer(number) }
        #expect(grammar.size == before)
        #expect(!grammar.isLarge)
    }

    @Test func `a schema whose parts together take too long is refused`() throws {
        let patterns = (0..<2_000).map { #""f\#($0)": {"pattern": "(.*a){2}.{\#(8 + $0 % 3)}x\#($0)$"}"# }
        #expect {
            try grammar("{\"properties\": {" + patterns.joined(separator: ", ") + "}}")
        } throws: { ($0 as? GrammarError)?.code == .tooComplex }
    }
}
