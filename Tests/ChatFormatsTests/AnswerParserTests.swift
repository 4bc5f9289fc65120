import JSON
import Testing

@testable import ChatFormats

@Suite struct AnswerParserTests {
    private func read(
        _ text: String, _ form: String?, tools: [Tool] = [Tool(name: "f")], reasoning: String? = nil,
        isThinking: Bool = false
    ) -> ReadAnswer {
        var parser = AnswerParser(
            form.flatMap(ToolForm.named), tools: tools, reasoning: reasoning.flatMap(ReasoningForm.named),
            isThinking: isThinking)
        return ReadAnswer(parser.feed(text, isLast: true))
    }

    @Test func `thoughts are told from what is said`() {
        var read = read("<think>\nso\n</think>\n\nYes. ", nil, reasoning: "think")
        #expect(read.reasoning == "so" && read.content == "Yes. ")
        // The prompt has begun them.
        read = self.read("so\n</think>\nYes", nil, reasoning: "think", isThinking: true)
        #expect(read.reasoning == "so" && read.content == "Yes")
        // They are cut.
        read = self.read("so and", nil, reasoning: "think", isThinking: true)
        #expect(read.reasoning == "so and" && read.content.isEmpty)
        read = self.read("No thought < here", nil, reasoning: "think")
        #expect(read.reasoning.isEmpty && read.content == "No thought < here")
        // A call within thoughts is none.
        read = self.read("<think><tool_call>\n{\"name\": \"f\"}</tool_call></think>ok", "hermes", reasoning: "think")
        #expect(read.calls.isEmpty && read.content == "ok")
        read = self.read(
            "<|channel|>analysis<|message|>so<|end|><|start|>assistant<|channel|>final<|message|>Yes", "harmony",
            reasoning: "harmony")
        #expect(read.reasoning == "so" && read.content == "Yes")
    }

    @Test(arguments: [
        ("<tool_call>\n{\"name\": 3}\n</tool_call>", "hermes"), ("<tool_call>oh</tool_call>", "hermes"),
        ("{\"answer\": 42}", "llama3_json"), ("{\"name\": \"g\", \"parameters\": {}}", "llama3_json"),
        ("[1, 2]", "pythonic"), ("[g(x=1)]", "pythonic"), ("<tool_call>", "hermes"), ("<tool_call>\n", "hermes"),
        ("[TOOL_CALLS][]", "mistral"), ("[TOOL_CALLS] no", "mistral"), ("<|tool_call_start|>[f(x=)]", "lfm2"),
        ("<|tool_call>call:f(x)", "gemma4"), ("<tool_call>\n<function=>\n", "qwen_xml"), ("{", "llama3_json"),
    ]) func `what is no call is content`(text: String, form: String) {
        let read = read(text, form)
        #expect(read.calls.isEmpty, "\(read)")
        #expect(read.content.filter { !$0.isWhitespace } == text.filter { !$0.isWhitespace }, "\(read)")
    }

    @Test func `blanks around calls are their frame, and others are kept`() {
        var read = read("One.\n\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\n\n", "hermes")
        #expect(read.content == "One." && read.calls == [ReadCall(name: "f", arguments: "{}")])
        read = self.read("  One \n", "hermes")
        #expect(read.content == "  One \n")
        let blanks = String(repeating: " ", count: 5_000)
        read = self.read(blanks + "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>", "hermes")
        #expect(read.content == blanks && read.calls.count == 1)
    }

    @Test func `arguments come in any order, as texts, or not at all`() {
        func call(_ text: String) -> [ReadCall] { read("<tool_call>\(text)</tool_call>", "hermes").calls }
        #expect(
            call(#"{"arguments": {"a": [1, "}"]}, "name": "f"}"#) == [.init(name: "f", arguments: #"{"a": [1, "}"]}"#)])
        #expect(call(#"{"name": "f", "arguments": "{\"a\": 1}"}"#) == [.init(name: "f", arguments: #"{"a": 1}"#)])
        #expect(call(#"{"name": "f"}"#) == [.init(name: "f", arguments: "{}")])
        #expect(call(#"{"name": "f", "parameters": {"a":1}, "id": "x"}"#) == [.init(name: "f", arguments: #"{"a":1}"#)])
        // Cut within the frame behind a call, and within the arguments.
        #expect(read("<tool_call>{\"name\": \"f\"}\n</tool", "hermes").content.isEmpty)
        #expect(
            read("<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"b", "hermes").calls
                == [.init(name: "f", arguments: "{\"a\": \"b")])
    }

    @Test func `a name is what the model says, whatever it looks like`() {
        for name in ["functions.f", "f:1", "a/b.c-d"] {
            #expect(read("[TOOL_CALLS]\(name)[ARGS]{}", "mistral_named").calls == [.init(name: name, arguments: "{}")])
        }
        #expect(read("[TOOL_CALLS]f[CALL_ID]abc[ARGS]{}", "mistral_named").calls == [.init(name: "f", arguments: "{}")])
        let counted = "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:1:12<|tool_call_argument_begin|>{}"
        #expect(read(counted, "kimi_k2").calls == [.init(name: "f:1", arguments: "{}")])
    }

    @Test func `values are what their schemas say`() throws {
        let tool = Tool(
            name: "f",
            parameters: try JSONParser.parse(
                Array(#"{"type": "object", "properties": {"s": {"type": "string"}, "n": {"type": "number"}}}"#.utf8)))
        let text = "<tool_call>\n<function=f>\n<parameter=s>\n12\n\n</parameter>\n<parameter=n>\n12\n</parameter>\n"
        let read = read(
            text + "<parameter=o>\nTrue\n</parameter>\n</function>\n</tool_call>", "qwen_xml", tools: [tool])
        #expect(read.calls == [.init(name: "f", arguments: #"{"s": "12\n", "n": 12, "o": true}"#)])
    }

    @Test func `literals of Python are JSON`() {
        func json(_ text: String) -> String? {
            PythonLiteral.json(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(
            json("[True, None, 'a\"\\n\\'', (1, 2.5), {'k': -3}, {}]")
                == #"[true, null, "a\"\n'", [1, 2.5], {"k": -3}, {}]"#)
        #expect(json("'\\u4e2d\\x41\\ud83d\\ude00'") == "\"中A😀\"")
        #expect(json("{\"a\": 01}") == nil && json("f(1)") == nil && json("") == nil && json("[1") == nil)
        #expect(json(String(repeating: "[", count: 100_000)) == nil)
    }

    @Test func `long answers are read in time that grows with them`() {
        // No verdict by a clock: each of these would take minutes if a byte were looked at again with each that follows.
        let text = String(repeating: "x<tool", count: 10_000) + String(repeating: " ", count: 60_000)
        for (form, opening) in [
            ("hermes", ""), ("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \""),
            ("qwen_xml", "<tool_call>\n<function=f>\n<parameter=s>\n"), ("lfm2", "<|tool_call_start|>[f(a=\""),
            ("gemma4", "<|tool_call>call:f{a:<|\"|>"), ("mistral_named", "[TOOL_CALLS]f[ARGS]{\"a\": \""),
        ] {
            var parser = AnswerParser(ToolForm.named(form), tools: [Tool(name: "f")], reasoning: .named("think"))
            var count = parser.feed(opening).count
            var rest = text.utf8[...]
            while !rest.isEmpty {
                count += parser.feed(String(decoding: rest.prefix(3), as: UTF8.self)).count
                rest = rest.dropFirst(3)
            }
            count += parser.feed("", isLast: true).count
            #expect(count > 0)
        }
    }
}
