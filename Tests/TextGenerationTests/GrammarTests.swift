import Foundation
import Grammars
import JSON
import ModelTesting
import Tensors
import Testing
import TextModels

@testable import TextGeneration

private let goldens = #filePath.replacing(
    "TextGenerationTests/GrammarTests.swift", with: "TextModelsTests/Goldens/")

/// Answers that are held to a schema, by a model whose tokens are bytes and which says nothing of sense.
@Suite struct GrammarTests {
    let device = Device(threadCount: 2)

    private let schema = #"""
        {"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}, "age": {"type": "integer", "minimum": 0,
        "maximum": 150}, "tags": {"type": "array", "items": {"enum": ["a", "b", "名"]}, "maxItems": 3}, "ok": {"type": "boolean"}},
        "required": ["name", "age", "ok"], "additionalProperties": false}
        """#

    private func loaded(_ name: String) throws -> LoadedModel {
        try LoadedModel(directory: goldens + name, on: device)
    }

    private func request(
        _ loaded: LoadedModel, _ grammar: CompiledGrammar, seed: UInt64, temperature: Float = 1, maxTokens: Int = 400,
        n: Int = 1, resume: [ResumedChoice] = []
    ) throws -> GenerationRequest {
        try GenerationRequest(
            prompt: [5, 17, 3], maxTokens: maxTokens, n: n,
            sampling: try SamplingParameters(temperature: temperature, seed: seed), grammar: grammar, resume: resume,
            shape: loaded.model.shape)
    }

    private func grammar(_ loaded: LoadedModel) throws -> CompiledGrammar {
        try GrammarLibrary(loaded).grammar(schema: Array(schema.utf8), field: "response_format")
    }

    private struct Answer: Equatable {
        var tokens: [Int32] = []
        var text = ""
        var reason: FinishReason?
    }

    private func answers(_ deltas: [String: [GenerationDelta]]) -> [String: Answer] {
        deltas.mapValues { deltas in
            Answer(
                tokens: deltas.compactMap(\.token), text: deltas.map(\.text).joined(),
                reason: deltas.last?.finishReason)
        }
    }

    private func isWhole(_ text: String) throws -> Bool {
        let value = try JSONParser.parse(Array(text.utf8))
        guard case .object(let object) = value, let name = object["name"]?.text, object["ok"] != nil,
            case .number(let age)? = object["age"], let years = age.integer(Int.self)
        else { return false }
        return name.unicodeScalars.count <= 5 && (0...150).contains(years)
    }

    @Test(arguments: ["llama", "qwen3.5", "gpt2"]) func `every answer is of the schema, or a beginning of one`(
        name: String
    ) throws {
        let loaded = try loaded(name), grammar = try grammar(loaded)
        var engine = try EngineCore(loaded, options: EngineCore.Options(cachePositions: 16_384), on: device)
        for seed in 0..<40 as Range<UInt64> {
            _ = try engine.add(
                try request(
                    loaded, grammar, seed: seed, temperature: seed % 4 == 0 ? 0 : 1, maxTokens: 100 + 8 * Int(seed)))
        }
        var whole = 0
        for answer in answers(try drain(&engine)).values {
            switch answer.reason {
            case .stop:
                #expect(try isWhole(answer.text), "\(answer.text)")
                whole += 1
            case .length:
                var matcher = GrammarMatcher(grammar)
                for id in answer.tokens { #expect(try matcher.accept(id)) }
            case nil: Issue.record("no end")
            }
        }
        #expect(whole >= 20, "\(whole)")
    }

    /// A schema; a call that has to be one behind thoughts; and tools that may be called.
    private func demands() -> [String: AnswerDemand] {
        let tools = Array(
            #"""
            [{"type": "function", "function": {"name": "go", "strict": true, "parameters": {"type": "object", "properties":
            {"to": {"enum": ["a", "右"]}, "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 2}},
            "required": ["to"]}}}, {"type": "function", "function": {"name": "no"}}]
            """#.utf8)
        return [
            "schema": AnswerDemand(schema: Array(schema.utf8), field: "response_format"),
            "required": AnswerDemand(
                toolForm: "qwen_xml", tools: tools, requiresCall: true, isSingleCall: true, reasoningForm: "think"),
            "auto": AnswerDemand(toolForm: "hermes", tools: tools),
            "either": AnswerDemand(
                schema: Array(schema.utf8), field: "response_format", toolForm: "llama3_json", tools: tools),
        ]
    }

    @Test(arguments: ["schema", "required", "auto", "either"])
    func `neither the batch, nor drafts, nor a resume change an answer`(demand: String) throws {
        let loaded = try loaded("llama")
        let grammar = try GrammarLibrary(loaded).grammar(try #require(demands()[demand]))
        func run(_ options: EngineCore.Options, drafts: LoadedModel? = nil) throws -> [String: Answer] {
            var engine = try EngineCore(loaded, drafts: drafts, options: options, on: device)
            let seeds: Range<UInt64> = demand == "schema" ? 0..<6 : 0..<2
            for seed in seeds { _ = try engine.add(try request(loaded, grammar, seed: seed, n: 2)) }
            return answers(try drain(&engine))
        }
        var options = EngineCore.Options(cachePositions: 4_096)
        let together = try run(options)
        options.looksUpDrafts = true
        #expect(try run(options) == together)
        options.looksUpDrafts = false
        #expect(try run(options, drafts: loaded) == together)
        options.sequenceLimit = 1
        options.tokenBudget = 2
        #expect(try run(options) == together)
    }

    @Test(arguments: ["schema", "required", "auto", "either"])
    func `what a lost instance has begun goes on with the same tokens elsewhere`(demand: String) throws {
        let loaded = try loaded("llama")
        let grammar = try GrammarLibrary(loaded).grammar(try #require(demands()[demand]))
        func run(_ seed: UInt64, _ resume: [ResumedChoice] = []) throws -> Answer {
            var engine = try EngineCore(loaded, options: EngineCore.Options(cachePositions: 512), on: device)
            _ = try engine.add(try request(loaded, grammar, seed: seed, resume: resume))
            return try #require(answers(try drain(&engine)).values.first)
        }
        for seed in (demand == "schema" ? 0..<6 : 0..<2) as Range<UInt64> {
            let whole = try run(seed)
            for cut in [1, 7, whole.tokens.count - 1] {
                let begun = ResumedChoice(
                    choice: 0, ids: Array(whole.tokens.prefix(cut)), textBytes: 0, logProbabilityCount: 0,
                    isFinished: false)
                let rest = try run(seed, [begun])
                #expect(rest.tokens == Array(whole.tokens.dropFirst(cut)) && rest.text == whole.text)
                #expect(rest.reason == whole.reason)
            }
        }
    }

    @Test func `control tokens are shown where they are asked for`() throws {
        // The checkpoint, with one of its tokens made a control token.
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString)
        try FileManager.default.copyItem(at: URL(fileURLWithPath: goldens + "llama"), to: directory)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appendingPathComponent("tokenizer.json")
        var tokenizer = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        let vocabulary = try #require((tokenizer["model"] as? [String: Any])?["vocab"] as? [String: Int])
        let (name, id) = try #require(
            vocabulary.filter { $0.key.allSatisfy(\.isASCII) }.min { $0.value < $1.value })
        tokenizer["added_tokens"] = [
            [
                "id": id, "content": name, "special": true, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false,
            ]
        ]
        try JSONSerialization.data(withJSONObject: tokenizer).write(to: file)
        let loaded = try LoadedModel(directory: directory.path, on: device), special = Int32(id)
        for shown in [[], [name]] {
            var engine = try EngineCore(loaded, options: EngineCore.Options(cachePositions: 512), on: device)
            var request = try GenerationRequest(
                prompt: [5, 17, 3], maxTokens: 3,
                sampling: try SamplingParameters(temperature: 0, logitBias: [special: 100], seed: 1),
                ignoresEndOfText: true,
                shape: loaded.model.shape)
            request.shownTokens = shown
            _ = try engine.add(request)
            let answer = try #require(answers(try drain(&engine)).values.first)
            #expect(answer.tokens == [special, special, special])
            #expect(answer.text == (shown.isEmpty ? "" : name + name + name))
        }
    }

    @Test(arguments: ["llama", "gpt2", "qwen3.5"]) func `what a grammar leaves no choice about takes one pass`(
        name: String
    ) throws {
        let loaded = try loaded(name)
        let schema =
            #"{"type": "object", "properties": {"colour": {"enum": ["crimson", "viridian"]}}, "required": ["colour"]}"#
        let grammar = try GrammarLibrary(loaded).grammar(schema: Array(schema.utf8), field: "x")
        func run(draftLimit: Int) throws -> (answers: [String: Answer], steps: Int, accepted: Int) {
            var options = EngineCore.Options(cachePositions: 4_096)
            options.draftLimit = draftLimit
            var engine = try EngineCore(loaded, options: options, on: device)
            for seed in 0..<3 as Range<UInt64> { _ = try engine.add(try request(loaded, grammar, seed: seed)) }
            var (deltas, steps) = ([String: [GenerationDelta]](), 0)
            while !engine.isIdle {
                for delta in try engine.step() { deltas["\(delta.request)", default: []].append(delta) }
                steps += 1
            }
            return (answers(deltas), steps, engine.statistics.acceptedTokens)
        }
        let (plain, foreseen) = (try run(draftLimit: 0), try run(draftLimit: 8))
        #expect(plain.answers == foreseen.answers && plain.accepted == 0)
        #expect(foreseen.accepted > 10 && foreseen.steps < plain.steps)
    }

    @Test func `the answer ends where nothing may follow`() throws {
        let loaded = try loaded("llama")
        let library = GrammarLibrary(loaded)
        let grammar = try library.grammar(schema: Array(#"{"const": {"a": [1, "x"]}}"#.utf8), field: "x")
        var engine = try EngineCore(loaded, options: EngineCore.Options(cachePositions: 512), on: device)
        _ = try engine.add(try request(loaded, grammar, seed: 1, temperature: 0))
        let answer = try #require(answers(try drain(&engine)).values.first)
        #expect(answer.reason == .stop)
        let value = try JSONParser.parse(Array(answer.text.utf8))
        #expect(value["a"]?.elements?.count == 2 && value["a"]?.elements?[1].text == "x")
    }

    @Test(arguments: [
        (#"{"type": "string", "format": "phone"}"#, "#: \"format\" is \"phone\""),
        (#"{"properties": {"a": {"foo": 1}}}"#, "#/properties/a: \"foo\""), ("{", "no JSON"),
        (#"{"type": "integer", "minimum": 5, "maximum": 4}"#, "no value"), (#"{"$ref": "http://x/y"}"#, "not fetched"),
    ])
    func `a schema that cannot be enforced is refused by place and keyword`(schema: String, says: String) throws {
        let library = GrammarLibrary(try loaded("llama"))
        #expect {
            try library.grammar(schema: Array(schema.utf8), field: "response_format")
        } throws: {
            guard let error = $0 as? TextModelError else { return false }
            return error.code == .invalidRequest && error.field == "response_format" && error.message.contains(says)
        }
    }
}
