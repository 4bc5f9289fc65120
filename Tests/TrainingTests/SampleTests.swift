import Foundation
import JSON
import ModelTesting
import Testing
import Tokenizers

@testable import Training

/// Lines of data as tokens, and what is wrong with lines.
struct SampleTests {
    private let encoder: SampleEncoder
    private let tokenizer: Tokenizer

    init() throws {
        let path = try #require(Bundle.module.url(forResource: "Goldens/chat", withExtension: nil)).path
        tokenizer = try Tokenizer(directory: path)
        encoder = try SampleEncoder(tokenizer, vocabulary: 261)
    }

    private func read(
        _ text: String, _ method: SampleFile.Method = .sft, maxLength: Int = 256,
        long: SampleFile.LongSamples = .refuse
    ) throws -> SampleFile {
        let directory = try TemporaryDirectory()
        try directory.write("data.jsonl", Data(text.utf8))
        return try SampleFile(
            path: directory.path + "/data.jsonl", for: method, encoder, maxLength: maxLength, long: long)
    }

    /// What of a text is learned.
    private func answers(_ sample: TrainingSample) throws -> [[String]] {
        try sample.texts.map { text in
            try text.answers.map { try tokenizer.decode(Array(text.ids[$0]), skipSpecialTokens: false) }
        }
    }

    @Test("Of a conversation every answer is learned, with the token that ends it, and nothing else")
    func conversations() throws {
        let line = """
            {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "a"}, \
            {"role": "assistant", "content": "one"}, {"role": "user", "content": "b"}, \
            {"role": "assistant", "content": "two"}]}
            """
        let sample = try #require(try read(line).samples.first)
        #expect(try answers(sample) == [["one<|end|>", "two<|end|>"]])
        let whole = try tokenizer.decode(sample.texts[0].ids, skipSpecialTokens: false)
        #expect(
            whole
                == "<|system|>S<|end|><|user|>a<|end|><|assistant|>one<|end|><|user|>b<|end|><|assistant|>two<|end|>")
    }

    @Test("Completions are learned: of texts, which an end token is put behind, and of messages")
    func completions() throws {
        let text = try #require(try read(#"{"prompt": "Say: ", "completion": "yes"}"#).samples.first)
        #expect(try answers(text) == [["yes<|end|>"]])
        let chat =
            #"{"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "yes"}]}"#
        #expect(try answers(try #require(try read(chat).samples.first)) == [["yes<|end|>"]])
    }

    @Test("Of an answer that was cut the end is not learned")
    func cutAnswers() throws {
        let chat =
            #"{"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "yes", "ends": E}]}"#
        for (ends, answer) in [("false", "yes"), ("true", "yes<|end|>"), ("null", "yes<|end|>")] {
            let sample = try read(chat.replacing("E}", with: ends + "}")).samples.first
            #expect(try answers(try #require(sample)) == [[answer]])
        }
        let talk = """
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "one"}, \
            {"role": "user", "content": "b"}, {"role": "assistant", "content": "two", "ends": false}]}
            """
        #expect(try answers(try #require(try read(talk).samples.first)) == [["one<|end|>", "two"]])
        for fault in [
            chat.replacing("E}", with: "1}"),
            #"{"messages": [{"role": "assistant", "content": "a", "ends": false}, {"role": "assistant", "content": "b"}]}"#,
        ] {
            let error = #expect(throws: TrainingError.self) { try read(fault) }
            #expect(error?.message.contains("\"ends\" is true or false") == true, "\(error?.message ?? "")")
        }
    }

    @Test("Control tokens that a text spells out stay text")
    func controlTokens() throws {
        let sample = try #require(try read(#"{"prompt": "<|user|>", "completion": "<|end|>"}"#).samples.first)
        #expect(sample.texts[0].ids.filter { $0 >= 256 } == [256])
        #expect(sample.texts[0].ids.count == 16)
    }

    @Test("Pairs share their prompt; a judgement has its label")
    func preferences() throws {
        let pair = try #require(
            try read(#"{"prompt": "q", "chosen": "yes", "rejected": "no"}"#, .dpo).samples.first)
        #expect(try answers(pair) == [["yes<|end|>"], ["no<|end|>"]])
        let lines = (0..<2).map { #"{"prompt": "q", "completion": "yes", "label": \#($0 == 0)}"# }
        let judged = try read(lines.joined(separator: "\n"), .kto).samples
        let labels = judged.map { sample -> Bool? in
            if case .judgement(_, let isDesirable) = sample.content { isDesirable } else { nil }
        }
        #expect(labels == [true, false])
    }

    @Test("OpenAI's lines are read: turns of weight 0 are not learned, pairs have an input and two outputs")
    func openAI() throws {
        let line = """
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "one", "weight": 0}, \
            {"role": "user", "content": "b"}, {"role": "assistant", "content": "two", "weight": 1}]}
            """
        #expect(try answers(try #require(try read(line).samples.first)) == [["two<|end|>"]])
        let pair = """
            {"input": {"messages": [{"role": "user", "content": "q"}], "tools": [], "parallel_tool_calls": true}, \
            "preferred_output": [{"role": "assistant", "content": "yes"}], \
            "non_preferred_output": [{"role": "assistant", "content": "no"}]}
            """
        #expect(try answers(try #require(try read(pair, .dpo).samples.first)) == [["yes<|end|>"], ["no<|end|>"]])
        for (wrong, method, what) in [
            (line.replacing("\"weight\": 1", with: "\"weight\": 0.5"), SampleFile.Method.sft, "must be 0 or 1"),
            (line.replacing("\"b\"}", with: "\"b\", \"weight\": 1}"), .sft, "is of assistants' turns"),
            (pair.replacing("\"input\"", with: "\"inputs\""), .dpo, "has no \"input\""),
            (pair.replacing("\"non_preferred_output\"", with: "\"x\""), .dpo, "has no \"non_preferred_output\""),
        ] {
            let error = #expect(throws: TrainingError.self) { try read(wrong, method) }
            #expect(error?.message.contains(what) == true, "\(error?.message ?? "")")
        }
    }

    @Test(
        "What is wrong with a line is said with its number",
        arguments: [
            ("{\"messages\": [", "is no JSON"), ("[1]", "must be a JSON object, not a list"),
            ("{}", "has no \"prompt\"; it has nothing"), (#"{"text": "x"}"#, "it has \"text\""),
            (#"{"prompt": "a"}"#, "has no \"completion\""), (#"{"prompt": "a", "completion": ""}"#, "is empty"),
            (#"{"prompt": "a", "completion": 3}"#, "must be a text or a list of messages, not 3"),
            (#"{"prompt": "a", "completion": [{"role": "assistant", "content": "x"}]}"#, "must both be texts"),
            (#"{"messages": [{"role": "user", "content": "x"}]}"#, "no turn of role \"assistant\""),
            (#"{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": ""}]}"#, "is empty"),
            (#"{"messages": [{"role": "user", "content": "x"}, {"role": "assistant"}]}"#, "is empty"),
            (#"{"messages": [{"content": "x"}]}"#, "must be an object with a \"role\""),
            (#"{"messages": "x"}"#, "must be a list, not a string"),
            (#"{"messages": [], "tools": 1}"#, "\"tools\" must be a list"),
            ("{\"prompt\": \"a\", \"completion\": \"\u{1}\"}", "is no JSON"),
        ])
    func faults(line: String, what: String) throws {
        let good = #"{"prompt": "a", "completion": "b"}"#
        let error = #expect(throws: TrainingError.self) { try read(good + "\n\n" + line + "\n") }
        #expect(error?.code == .invalidData)
        #expect(error?.message.contains("line 3: ") == true && error?.message.contains(what) == true, "\(error!)")
    }

    @Test("Bytes that are no UTF-8 are refused, not read as something else")
    func bytes() throws {
        let directory = try TemporaryDirectory()
        try directory.write("data.jsonl", Data(#"{"prompt": "a", "completion": ""#.utf8) + [0xFF] + Data(#""}"#.utf8))
        let error = #expect(throws: TrainingError.self) {
            try SampleFile(
                path: directory.path + "/data.jsonl", for: .sft, encoder, maxLength: 256, long: .refuse)
        }
        #expect(error?.message.contains("line 1: ") == true)
    }

    @Test("A label that is no boolean is refused", arguments: ["1", "\"true\"", "null", "[]"])
    func labels(value: String) throws {
        let error = #expect(throws: TrainingError.self) {
            try read(#"{"prompt": "a", "completion": "b", "label": \#(value)}"#, .kto)
        }
        #expect(error?.message.contains("\"label\" must be true or false") == true)
    }

    @Test("A token that the model does not know is refused")
    func vocabulary() throws {
        let directory = try TemporaryDirectory(), small = try SampleEncoder(tokenizer, vocabulary: 256)
        try directory.write("data.jsonl", Data(#"{"prompt": "a", "completion": "b"}"#.utf8))
        let error = #expect(throws: TrainingError.self) {
            try SampleFile(path: directory.path + "/data.jsonl", for: .sft, small, maxLength: 256, long: .refuse)
        }
        #expect(error?.message.contains("line 1: the tokenizer gives token 256") == true)
    }

    @Test("Many faults are named, and the rest counted")
    func manyFaults() throws {
        let error = #expect(throws: TrainingError.self) { try read(String(repeating: "x\n", count: 9)) }
        #expect(error?.message.contains("line 5: ") == true && error?.message.contains("line 6: ") == false)
        #expect(error?.message.hasSuffix("and 4 more lines") == true)
        #expect(throws: TrainingError.self) { try read("\n \n") }
    }

    @Test("Samples that are too long are refused, cut or left out, as one asks")
    func longSamples() throws {
        let lines = #"{"prompt": "a", "completion": "b"}"# + "\n" + #"{"prompt": "abcdef", "completion": "ghijkl"}"#
        let error = #expect(throws: TrainingError.self) { try read(lines, maxLength: 10) }
        #expect(error?.message.contains("line 2: the sample has 13 tokens") == true)
        let dropped = try read(lines, maxLength: 10, long: .drop)
        #expect(dropped.samples.count == 1 && dropped.dropped == 1)
        let cut = try read(lines, maxLength: 10, long: .cut)
        #expect(try cut.samples.map(answers) == [[["b<|end|>"]], [["ghij"]]])
        #expect(throws: TrainingError.self) { try read(lines, maxLength: 5, long: .cut) }
        #expect(throws: TrainingError.self) { try read(lines, maxLength: 2, long: .drop) }
    }

    @Test("Each epoch takes every sample once, in another order, which the seed fixes")
    func order() {
        var order = SampleOrder(count: 10, seed: 4, isShuffled: true)
        let epochs = (0..<3).map { epoch in (0..<5).flatMap { order.step(epoch * 5 + $0, batch: 2) } }
        for epoch in epochs { #expect(epoch.sorted() == Array(0..<10)) }
        #expect(Set(epochs).count == 3)
        var again = SampleOrder(count: 10, seed: 4, isShuffled: true),
            other = SampleOrder(count: 10, seed: 5, isShuffled: true)
        // A run that is resumed asks for a later step first.
        #expect(again.step(7, batch: 2) == Array(epochs[1][4..<6]))
        #expect((0..<5).flatMap { other.step($0, batch: 2) } != epochs[0])
        var plain = SampleOrder(count: 3, seed: 4, isShuffled: false)
        #expect(plain.step(1, batch: 2) == [2, 0])
    }

    @Test("Each prompt is compared with the completion of the one before it")
    func mismatched() {
        let texts = [
            TrainingText(ids: [1, 2, 3], answers: [1..<3]), TrainingText(ids: [4, 5, 6, 7], answers: [3..<4]),
        ]
        #expect(
            TrainingObjective.mismatched(texts, maxLength: 9) == [
                TrainingText(ids: [1, 7], answers: [1..<2]), TrainingText(ids: [4, 5, 6, 2, 3], answers: [3..<5]),
            ])
        #expect(
            TrainingObjective.mismatched(texts, maxLength: 4)[1] == TrainingText(ids: [4, 5, 6, 2], answers: [3..<4]))
        #expect(TrainingObjective.mismatched(texts, maxLength: 3)[1] == TrainingText(ids: [4, 5, 6], answers: []))
    }

    @Test("Losses of preferences are TRL's on fixed numbers, and their slopes are their differences")
    func preferenceLosses() throws {
        // DPO's of TRL 1.16 at β = 0.1, policy (−7.5, −9), reference (−8, −8.5).
        let pair = PreferenceLosses.dpo(policy: (-7.5, -9), reference: (-8, -8.5), beta: 0.1)
        #expect(abs(pair.loss - 0.6443966600735709) < 1e-12)
        let step = 1e-6
        for policy in [(-7.5, -9.0), (-300, -1), (-1, -300)] {
            let own = PreferenceLosses.dpo(policy: policy, reference: (-8, -8.5), beta: 0.5)
            func loss(_ chosen: Double, _ rejected: Double) -> Double {
                PreferenceLosses.dpo(policy: (chosen, rejected), reference: (-8, -8.5), beta: 0.5).loss
            }
            let chosen = (loss(policy.0 + step, policy.1) - loss(policy.0 - step, policy.1)) / (2 * step)
            let rejected = (loss(policy.0, policy.1 + step) - loss(policy.0, policy.1 - step)) / (2 * step)
            #expect(abs(chosen - own.chosenSlope) < 1e-7 && abs(rejected - own.rejectedSlope) < 1e-7)
        }
        for isDesirable in [true, false] {
            func kto(_ policy: Double) -> (loss: Double, slope: Double) {
                PreferenceLosses.kto(
                    policy: policy, reference: -8, isDesirable: isDesirable, divergence: 0.4, beta: 0.5, weight: 1.3)
            }
            let slope = (kto(-7 + step).loss - kto(-7 - step).loss) / (2 * step)
            #expect(abs(slope - kto(-7).slope) < 1e-8)
        }
        #expect(PreferenceLosses.divergence(policy: [-1, -2], reference: [-3, -1]) == 0.5)
        #expect(PreferenceLosses.divergence(policy: [-4], reference: [-3]) == 0)
    }
}
