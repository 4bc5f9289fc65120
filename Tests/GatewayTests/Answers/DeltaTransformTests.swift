import ChatFormats
import ContentFilter
import Messages
import Testing

@testable import Gateway

@Suite struct DeltaTransformTests {
    private func pass(_ deltas: [Wire.GenerateDelta], _ transform: some DeltaTransform) -> [AnswerDelta] {
        pass(deltas.map { AnswerDelta($0) }, transform)
    }

    private func pass(_ deltas: [AnswerDelta], _ transform: some DeltaTransform) -> [AnswerDelta] {
        var transform = transform
        return deltas.flatMap { delta in
            var passed = [delta]
            transform.transform(&passed)
            return passed
        }
    }

    private func delta(_ choice: UInt32, _ text: String, _ reason: String = "") -> Wire.GenerateDelta {
        Wire.GenerateDelta(choice: choice, text: text, finishReason: reason)
    }

    @Test func `a notice stands around the text of each choice, whatever pieces it comes in`() {
        let notice = NoticeTransform(AnswerNotice(opening: "[", closing: "]"))
        let out = pass(
            [delta(0, ""), delta(0, "a"), delta(1, "x", "stop"), delta(0, "b"), delta(0, "", "length")], notice)
        #expect(out.map(\.text) == ["", "[a", "[x]", "b", "]"])
        #expect(out.map(\.choice) == [0, 0, 1, 0, 0])
    }

    @Test func `an answer without text has no notice`() {
        let out = pass([delta(0, "", "stop")], NoticeTransform(AnswerNotice(opening: "[", closing: "]")))
        #expect(out.map(\.text) == [""])
    }

    @Test func `of what is recorded only the first choice counts, and nothing changes on the way`() {
        let record = RequestRecord(endpoint: "/", keepsText: true)
        let deltas = [delta(0, "a"), delta(1, "x"), delta(0, "b", "stop")]
        #expect(pass(deltas, RecordingTransform(record)).map(\.text) == deltas.map(\.text))
        #expect(record.snapshot.answer == "ab")
    }

    private let reading = AnswerReading(
        toolForm: .named("hermes"), tools: [Tool(name: "f")], reasoning: .named("think"), isThinking: false)
    private let answer = [
        "<th", "ink>s", "o</think>", "\n\nHm", ".\n<tool_call>\n{\"name\": ", "\"f\", \"arguments\": {\"a",
        "\": 1}}\n</tool_call>\n",
        "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool", "_call>",
    ]

    private func deltas(_ texts: [String], choice: UInt32 = 0, reason: String = "stop") -> [Wire.GenerateDelta] {
        texts.enumerated().map { index, text in
            Wire.GenerateDelta(
                choice: choice, index: UInt32(index), tokens: [Int32(index)], text: text,
                finishReason: index == texts.count - 1 ? reason : "")
        }
    }

    @Test func `thoughts, content and calls are parts, and each token comes once`() {
        let out = pass(deltas(answer), ParsingTransform(reading, generationID: "x"))
        func text(_ part: AnswerDelta.Part) -> String { out.filter { $0.part == part }.map(\.text).joined() }
        #expect(text(.reasoning) == "so" && text(.content) == "Hm.")
        #expect(text(.call(0)) == "{\"a\": 1}" && text(.call(1)) == "{}")
        #expect(out.flatMap(\.tokens) == Array(0..<Int32(answer.count)))
        #expect(out.compactMap(\.call?.name) == ["f", "f"])
        let ids = out.compactMap(\.call?.id)
        #expect(Set(ids).count == 2 && ids.allSatisfy { $0.hasPrefix("call_") && $0.count == 29 })
        #expect(out.last?.finishReason == "tool_calls" && out.filter { !$0.finishReason.isEmpty }.count == 1)
        // Who reads the same answer again gives the same ids; another answer has others.
        #expect(pass(deltas(answer), ParsingTransform(reading, generationID: "x")).compactMap(\.call?.id) == ids)
        #expect(pass(deltas(answer), ParsingTransform(reading, generationID: "y")).compactMap(\.call?.id) != ids)
        #expect(
            pass(deltas(answer, choice: 1), ParsingTransform(reading, generationID: "x")).compactMap(\.call?.id) != ids)
        // An answer that was cut is cut, whatever it called.
        let cut = pass(deltas(answer, reason: "length"), ParsingTransform(reading, generationID: "x"))
        #expect(cut.last?.finishReason == "length")
    }

    @Test(arguments: [1, 2, 3, 5, 8, 13, 40, 200]) func `calls begin before their arguments, however texts are cut`(
        length: Int
    ) throws {
        let filter = try ContentFilter(FilterPolicy.standard)
        let scalars = Array(answer.joined().unicodeScalars)
        let texts = stride(from: 0, to: scalars.count, by: length).map { start in
            String(String.UnicodeScalarView(scalars[start..<min(start + length, scalars.count)]))
        }
        var parsing = ParsingTransform(reading, generationID: "x"), filtering = FilterTransform(filter, choices: 1)
        var calls: [String] = []
        for delta in deltas(texts) {
            var passed = [AnswerDelta(delta)]
            parsing.transform(&passed)
            filtering.transform(&passed)
            for delta in passed {
                guard case .call(let number) = delta.part else { continue }
                if delta.call != nil { calls.append("") }
                #expect(number == calls.count - 1)
                guard !calls.isEmpty else { continue }
                calls[calls.count - 1] += delta.text
            }
        }
        #expect(calls == ["{\"a\": 1}", "{}"])
    }

    @Test func `each part is filtered by itself, and what is held back stays with its part`() throws {
        let rules = "rules:\n  - {name: z, categories: [test], action: redact, replacement: '#'}"
        let filter = try ContentFilter(
            FilterPolicy(rules + "\nphrases:\n  - {category: test, phrases: [zebra]}", file: "test"))
        let texts = [
            "<think>zebra ze</think>", "bra zebra", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"ze",
            "bra\"}}</tool_call>",
        ]
        var parsing = ParsingTransform(reading, generationID: "x"), filtering = FilterTransform(filter, choices: 1)
        var notice: any DeltaTransform = NoticeTransform(AnswerNotice(opening: "[", closing: "]"))
        var out: [AnswerDelta] = []
        for delta in deltas(texts) {
            var passed = [AnswerDelta(delta)]
            parsing.transform(&passed)
            filtering.transform(&passed)
            notice.transform(&passed)
            out += passed
        }
        func text(_ part: AnswerDelta.Part) -> String { out.filter { $0.part == part }.map(\.text).joined() }
        #expect(text(.reasoning) == "# ze" && text(.content) == "[bra #]" && text(.call(0)) == "{\"a\": \"#\"}")
        #expect(out.last?.finishReason == "tool_calls" && out.flatMap(\.tokens) == [0, 1, 2, 3])
    }

    @Test func `what is blocked in a thought or an argument ends the choice`() throws {
        let rules = "rules:\n  - {name: z, categories: [test], action: block}"
        let filter = try ContentFilter(
            FilterPolicy(rules + "\nphrases:\n  - {category: test, phrases: [zebra]}", file: "test"))
        for texts in [
            ["<think>a zebra", " here</think>", "yes"],
            ["ok<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"zebra\"", "}}</tool_call>"],
        ] {
            var parsing = ParsingTransform(reading, generationID: "x"), filtering = FilterTransform(filter, choices: 1)
            var out: [AnswerDelta] = []
            for delta in deltas(texts) {
                var passed = [AnswerDelta(delta)]
                parsing.transform(&passed)
                filtering.transform(&passed)
                out += passed
            }
            #expect(!out.map(\.text).joined().contains("zebra"))
            #expect(out.compactMap { $0.finishReason.isEmpty ? nil : $0.finishReason } == ["content_filter"])
        }
    }
}
