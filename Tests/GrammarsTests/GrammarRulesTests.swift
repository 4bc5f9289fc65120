import JSON
import Testing

@testable import Grammars

/// Grammars of rules: texts, characters, JSON, control tokens, and what stands between them.
@Suite struct GrammarRulesTests {
    private let tokens: [[UInt8]?] =
        (0..<256).map { [UInt8($0)] } + ["ab", "}}", "b</", "\"}.", "1)"].map { Array($0.utf8) } + [nil, nil]
    private var control: Int32 { Int32(tokens.count - 2) }
    private var end: Int32 { Int32(tokens.count - 1) }

    private func compile(_ start: GrammarExpression, _ rules: [String: GrammarExpression] = [:]) throws
        -> CompiledGrammar
    {
        let vocabulary = TokenVocabulary(tokens: tokens, controls: [control: Array("<|x|>".utf8)], endTokens: [end])
        return try CompiledGrammar(Grammar(start, rules: rules), vocabulary)
    }

    /// Whether a text is one of the grammar's, byte by byte; masks must say the same as what is accepted.
    private func accepts(_ grammar: CompiledGrammar, _ text: String) throws -> Bool {
        var matcher = GrammarMatcher(grammar)
        for byte in text.utf8 {
            let mask = try matcher.mask()
            for id in 0..<Int32(tokens.count) { #expect(try mask.contains(id) == matcher.allows(id), "\(text) \(id)") }
            if try !matcher.accept(Int32(byte)) { return false }
        }
        return matcher.canEnd
    }

    @Test func `rules call each other`() throws {
        let digits = GrammarExpression.repeated(.character([0x30...0x39]), min: 1, max: 3)
        let sum = try compile(
            .rule("sum"),
            [
                "sum": .sequence([
                    .rule("term"), .repeated(.sequence([.text("+"), .rule("term")]), min: 0, max: nil),
                ]),
                "term": .choice([digits, .sequence([.text("("), .rule("sum"), .text(")")])]),
            ])
        for text in ["1", "123", "(1+2)+34", "((((7))))+1"] { #expect(try accepts(sum, text), "\(text)") }
        for text in ["", "1234", "1+", "(1", "1)", "()"] { #expect(try !accepts(sum, text), "\(text)") }
    }

    @Test func `characters are scalars, whatever their bytes`() throws {
        let grammar = try compile(
            .repeated(.character([0x61...0x63, 0xE9...0x20AC, 0x4E2D...0x1F600]), min: 2, max: 4))
        for text in ["ab", "éa", "€中", "中😀c", "ﷀ￿"] { #expect(try accepts(grammar, text), "\(text)") }
        for text in ["a", "ad", "è€", "aaaaa", "😁a", "₭€"] { #expect(try !accepts(grammar, text), "\(text)") }
    }

    @Test func `JSON stands among other texts`() throws {
        let schema = try JSONParser.parse(
            Array(#"{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}"#.utf8))
        let grammar = try compile(
            .sequence([
                .text("a: "), .value(schema), .text("."),
                .value(try JSONParser.parse(Array(#"{"type": "integer"}"#.utf8))), .text(")"),
            ]))
        for text in [#"a: {"n": 1}.7)"#, #"a: {"n":-20,"m":[]}.0)"#] { #expect(try accepts(grammar, text), "\(text)") }
        for text in [#"a: {"n": 1}"#, #"a: {"m": 1}.7)"#, #"a: {"n": 1}.)"#, #"a: {"n":1, "n":2}.7)"#] {
            #expect(try !accepts(grammar, text), "\(text)")
        }
    }

    @Test func `items that differ are known behind other texts too`() throws {
        let schema = try JSONParser.parse(Array(#"{"uniqueItems": true, "items": {"enum": ["a", "b", 1]}}"#.utf8))
        let grammar = try compile(.sequence([.text("xyz"), .value(schema), .text(" "), .value(schema)]))
        for text in [#"xyz["a", 1] [1]"#, #"xyz[] ["b","a",1.0]"#] { #expect(try accepts(grammar, text), "\(text)") }
        for text in [#"xyz["a", "a"] []"#, #"xyz[] [1, 1.0]"#] { #expect(try !accepts(grammar, text), "\(text)") }
    }

    @Test func `a text ends at the first place of its mark`() throws {
        let grammar = try compile(.sequence([.text("<"), .through("ab</"), .pattern("x{2}|é+"), .text("!")]))
        for text in ["<aaab</xx!", "<中ab</ééé!", "<ab</xx!"] { #expect(try accepts(grammar, text), "\(text)") }
        for text in ["<ab</ab</xx!", "<ab</x!", "<ab<xx!"] { #expect(try !accepts(grammar, text), "\(text)") }
        // What is no UTF-8 is no text.
        var matcher = GrammarMatcher(grammar)
        #expect(try matcher.accept(Int32(UInt8(ascii: "<"))))
        #expect(try !matcher.accept(0xFF) && matcher.accept(0xC3) && !matcher.accept(0x20))
    }

    @Test func `control tokens are what their texts name`() throws {
        let grammar = try compile(.sequence([.text("a<|x|>b"), .through("<|x|>"), .text(".")]))
        var matcher = GrammarMatcher(grammar)
        #expect(try matcher.accept(Int32(UInt8(ascii: "a"))))
        #expect(try matcher.mask().count == 1 && matcher.mask().contains(control))
        // Its letters are not it.
        #expect(try !matcher.allows(Int32(UInt8(ascii: "<"))))
        #expect(try matcher.accept(control))
        #expect(try matcher.accept(Int32(UInt8(ascii: "b"))))
        #expect(try matcher.accept(Array("<|x|>".utf8)))
        #expect(try matcher.accept(control) && matcher.accept(Int32(UInt8(ascii: "."))))
        #expect(matcher.isDone)
    }

    @Test func `nothing is asked before a mark`() throws {
        let call = GrammarExpression.sequence([.text("("), .repeated(.text("ab"), min: 1, max: nil), .text(")")])
        let grammar = try compile(.free([.init("ab</", call), .init("<|x|>", .text("!"))], repeats: true))
        var matcher = GrammarMatcher(grammar)
        #expect(try matcher.mask().count == tokens.count && matcher.canEnd)
        #expect(try matcher.accept(Array("aab".utf8)))
        // A token that holds a mark's end and something that may not follow it.
        #expect(try matcher.accept(Array("a".utf8)) && !matcher.isDone)
        #expect(try matcher.accept(Array("b</".utf8)))
        #expect(try !matcher.canEnd && matcher.mask().count == 1)
        #expect(try matcher.accept(Array("(abab)".utf8)) && matcher.canEnd)
        #expect(try matcher.accept(control))
        #expect(try matcher.mask().count == 1)
        #expect(try accepts(grammar, "ab") && accepts(grammar, "x ab</(ab) ab</(ab)ab"))
        #expect(try !accepts(grammar, "ab</") && !accepts(grammar, "ab</(ab"))
    }

    @Test func `what cannot be followed is refused`() throws {
        func fault(_ start: GrammarExpression, _ rules: [String: GrammarExpression] = [:]) -> GrammarError.Code? {
            do {
                _ = try compile(start, rules)
                return nil
            } catch { return (error as? GrammarError)?.code }
        }
        #expect(fault(.rule("a"), ["a": .sequence([.optional(.text("x")), .rule("a"), .text("b")])]) == .unsatisfiable)
        #expect(fault(.rule("a"), ["a": .sequence([.text("x"), .rule("a")])]) == .unsatisfiable)
        #expect(fault(.rule("a")) == .malformed)
        #expect(fault(.repeated(.text("a"), min: 3, max: 2)) == .tooComplex)
        #expect(fault(.repeated(.repeated(.text("a"), min: 9_999, max: nil), min: 9_999, max: nil)) == .tooComplex)
        #expect(fault(.rule("dead"), ["dead": .sequence([.rule("dead")])]) == .unsatisfiable)
    }

    @Test func `rules may begin with themselves, and with each other`() throws {
        let around = try compile(.rule("a"), ["a": .rule("b"), "b": .choice([.text("x"), .rule("a")])])
        #expect(try accepts(around, "x") && !accepts(around, "xx") && !accepts(around, ""))
        let sum = try compile(
            .rule("e"),
            [
                "e": .choice([
                    .sequence([.rule("e"), .text("+"), .rule("e")]), .sequence([.rule("e"), .text("!")]), .text("1"),
                    .sequence([.text("("), .rule("e"), .text(")")]),
                ])
            ])
        #expect(try accepts(sum, String(repeating: "1+", count: 1_000) + "(1!+1)!!"))
        for text in ["1+", "+1", "!", "1!1", "(1"] { #expect(try !accepts(sum, text), "\(text)") }
        // What stands before may be empty, and the rule too.
        let hidden = try compile(
            .rule("a"),
            ["a": .choice([.sequence([.rule("o"), .rule("a"), .text("b")]), .empty]), "o": .optional(.text("x"))])
        for text in ["", "b", "xb", "bb", "xxbb", "xbb"] { #expect(try accepts(hidden, text), "\(text)") }
        for text in ["x", "xxb", "bx", "bbx"] { #expect(try !accepts(hidden, text), "\(text)") }
        let dead = try compile(.choice([.rule("dead"), .text("a")]), ["dead": .sequence([.rule("dead")])])
        #expect(try accepts(dead, "a") && !accepts(dead, ""))
    }

    @Test func `ambiguous grammars are followed all ways at once`() throws {
        let grammar = try compile(
            .rule("s"),
            [
                "s": .choice([
                    .text("a"), .sequence([.text("a"), .rule("s")]), .sequence([.text("a"), .rule("s"), .rule("s")]),
                ])
            ])
        #expect(try accepts(grammar, String(repeating: "a", count: 40)))
        #expect(try !accepts(grammar, "aab"))
    }
}
