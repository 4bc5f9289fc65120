import Grammars
import JSON
import Testing

@testable import ChatFormats

/// Answers that are drawn by the grammars of calls, and read again.
@Suite struct AnswerRulesTests {
    private let tools: [Tool]
    private let vocabulary: TokenVocabulary
    private var tokens: [[UInt8]?]
    private var controls: [Int32: [UInt8]] = [:]
    private let end: Int32

    init() throws {
        tools = try Tool.list(
            try JSONParser.parse(
                Array(
                    #"""
                    [{"type": "function", "function": {"name": "get_weather", "strict": true, "parameters": {"type": "object",
                      "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 9},
                      "details": {"type": "boolean"}, "unit": {"enum": ["c", "f"], "type": "string"}},
                      "required": ["city", "days"], "additionalProperties": false}}},
                     {"type": "function", "function": {"name": "f", "parameters": {"$defs": {"p": {"type": "object",
                      "properties": {"x": {"type": "number"}}, "required": ["x"], "additionalProperties": false}},
                      "type": "object", "properties": {"list": {"type": "array", "items": {"$ref": "#/$defs/p"},
                      "maxItems": 2}}, "additionalProperties": false}}},
                     {"type": "function", "function": {"name": "none"}}]
                    """#.utf8)))
        tokens = (0..<256).map { [UInt8($0)] }
        for word in [
            "hello", "\"}", "}}\n</", "</tool_call>", "<tool_call>", "{\"", "</parameter>", "True", "Zürich",
            "<escape>",
        ] {
            tokens.append(Array(word.utf8))
        }
        // Marks of most families are control tokens.
        for form in ToolForm.all {
            for mark in form.marks where mark.hasPrefix("<|") || mark.hasPrefix("[") {
                if controls.values.contains(Array(mark.utf8)) { continue }
                controls[Int32(tokens.count)] = Array(mark.utf8)
                tokens.append(nil)
            }
        }
        tokens.append(nil)
        end = Int32(tokens.count - 1)
        vocabulary = TokenVocabulary(tokens: tokens, controls: controls, endTokens: [end])
    }

    /// Draws an answer, which tends to its end; nil where it comes to none.
    private func draw(_ grammar: CompiledGrammar, after opening: String, _ random: inout RandomBits) throws -> String? {
        var matcher = GrammarMatcher(grammar)
        var text = Array(opening.utf8)
        let control = controls.first { $0.value == text }?.key
        let begins = try text.isEmpty || (try control.map { try matcher.accept($0) } ?? matcher.accept(text))
        #expect(begins, "\(opening)")
        for step in 0..<400 where !matcher.isDone {
            let mask = try matcher.mask()
            var ids = (0..<Int32(tokens.count)).filter(mask.contains)
            #expect(!ids.isEmpty, "nothing may follow \(String(decoding: text, as: UTF8.self))")
            if ids.isEmpty || ids.contains(end) { break }
            let plain = ids.filter { $0 >= 256 || (32..<127).contains($0) || $0 == 10 }
            if !plain.isEmpty { ids = plain }
            let leaving = ids.filter { id in
                controls[id] != nil || [34, 93, 125].contains(id)
                    || tokens[Int(id)]?.starts(with: Array("<".utf8)) == true && id >= 256
            }
            if step > 40, !leaving.isEmpty { ids = leaving }
            let id = ids[Int(random.next() % UInt64(ids.count))]
            #expect(try matcher.accept(id))
            text += controls[id] ?? tokens[Int(id)] ?? []
        }
        return matcher.canEnd ? String(decoding: text, as: UTF8.self) : nil
    }

    private func check(_ call: ReadCall, _ text: String) {
        guard let value = try? JSONParser.parse(Array(call.arguments.utf8)), case .object(let object) = value else {
            Issue.record("no object: \(call) in \(text)")
            return
        }
        if call.name == "get_weather" {
            let known = object.members.allSatisfy { ["city", "days", "details", "unit"].contains($0.key) }
            #expect(known && object["city"]?.text != nil, "\(text)")
            if case .number(let days)? = object["days"] {
                #expect((1...9).contains(days.double), "\(text)")
            } else {
                Issue.record("no days: \(text)")
            }
        }
    }

    @Test(arguments: ToolForm.all.map(\.name)) func `what a grammar draws is read as calls of its tools`(name: String)
        throws
    {
        let form = try #require(ToolForm.named(name))
        let thoughts = ReasoningForm.named(form.call == .harmony ? "harmony" : "think")
        var random = RandomBits(state: 42)
        var ended = 0
        for isThinking in [false, true] {
            let rules = AnswerRules(
                form: form, tools: tools, choice: .required, isParallel: !isThinking,
                reasoning: isThinking ? thoughts : nil,
                isThinking: isThinking)
            let grammar = try CompiledGrammar(try rules.grammar(), vocabulary)
            let opening = isThinking && form.call != .harmony ? "hm <tool_call></think>\n" : ""
            for _ in 0..<4 {
                guard let text = try draw(grammar, after: opening, &random) else { continue }
                ended += 1
                var parser = AnswerParser(
                    form, tools: tools, reasoning: isThinking ? thoughts : nil, isThinking: !opening.isEmpty)
                let read = ReadAnswer(parser.feed(text, isLast: true))
                #expect(isThinking ? read.calls.count == 1 : !read.calls.isEmpty, "\(text)")
                #expect(read.content.filter { !$0.isWhitespace }.isEmpty, "\(text)")
                for call in read.calls { check(call, text) }
            }
        }
        #expect(ended >= 1)
    }

    @Test(arguments: ToolForm.all.map(\.name)) func `where a model begins a call the grammar begins`(name: String)
        throws
    {
        let form = try #require(ToolForm.named(name))
        let grammar = try CompiledGrammar(try AnswerRules(form: form, tools: tools).grammar(), vocabulary)
        var matcher = GrammarMatcher(grammar)
        // Anything may be said.
        #expect(try matcher.accept(Array("I 中 <tool_cal {".utf8)))
        #expect(matcher.canEnd && !matcher.isDone)
        if form.opening.isEmpty || form.call == .harmony { return }
        if let id = controls.first(where: { $0.value == Array(form.opening.utf8) })?.key {
            #expect(try matcher.accept(id))
        } else {
            #expect(try matcher.accept(Array(form.opening.utf8)))
        }
        #expect(!matcher.canEnd)
        #expect(try !matcher.allows(Int32(UInt8(ascii: "?"))))
        #expect(try !matcher.allows(end))
    }

    @Test func `a strict tool that cannot be enforced is refused with its place`() throws {
        func fault(_ form: String, _ parameters: String, isStrict: Bool = true) throws -> GrammarError? {
            let tool = Tool(name: "f", parameters: try JSONParser.parse(Array(parameters.utf8)), isStrict: isStrict)
            let rules = AnswerRules(form: ToolForm.named(form), tools: [tool], choice: .required)
            do throws(GrammarError) {
                _ = try CompiledGrammar(try rules.grammar(), vocabulary)
                return nil
            } catch { return error }
        }
        let pattern = #"{"type": "object", "properties": {"a": {"type": "string", "pattern": "(?<=x)y"}}}"#
        let found = try fault("hermes", pattern)
        #expect(
            found?.path == "tools[0].function.parameters#/properties/a" && found?.message.contains("pattern") == true)
        #expect(try fault("hermes", pattern, isStrict: false) == nil)
        #expect(try fault("qwen_xml", pattern)?.path == "tools[0].function.parameters#/properties/a/pattern")
        #expect(try fault("gemma4", pattern)?.path == "tools[0].function.parameters#/properties/a/pattern")
        #expect(try fault("qwen_xml", pattern, isStrict: false) == nil)
        #expect(
            try fault("hermes", #"{"type": "object", "minProperties": 3, "maxProperties": 2}"#)?.code == .unsatisfiable)
    }
}

/// Numbers that a seed gives (SplitMix64).
private struct RandomBits {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
