import Foundation
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels
import Tokenizers

@Suite struct EngineTests {
    let loaded: LoadedModel
    let device = Device(threadCount: 2)

    init() throws { loaded = try LoadedModel(directory: goldens + "llama", on: Device(threadCount: 2)) }

    private func request(
        _ prompt: [Int32], maxTokens: Int = 40, n: Int = 1, temperature: Float = 1, seed: UInt64 = 7,
        stop: [String] = [], logProbabilities: Int? = 2, penalties: Bool = false, logitBias: [Int32: Float] = [:]
    ) throws -> GenerationRequest {
        try GenerationRequest(
            prompt: prompt, maxTokens: maxTokens, n: n,
            sampling: SamplingParameters(
                temperature: temperature, topK: 50, topP: 0.95, minP: 0.001, repetitionPenalty: penalties ? 1.2 : 1,
                presencePenalty: penalties ? 0.5 : 0, frequencyPenalty: penalties ? 0.5 : 0, logitBias: logitBias,
                seed: seed), stop: stop, logProbabilities: logProbabilities, shape: loaded.model.shape)
    }

    private func run(_ requests: [GenerationRequest], tokenBudget: Int = 256, device: Device? = nil) throws
        -> [[GenerationDelta]]
    {
        var options = EngineCore.Options(cachePositions: 8_192)
        options.tokenBudget = tokenBudget
        var engine = try EngineCore(loaded, options: options, on: device ?? self.device)
        let ids = try requests.map { try engine.add($0) }
        let deltas = try drain(&engine)
        return zip(ids, requests).flatMap { id, request in (0..<request.n).map { deltas["\(id)/\($0)"] ?? [] } }
    }

    /// What a user can see of a choice, with log-probabilities to the bit.
    private func trace(_ deltas: [GenerationDelta]) -> [String] {
        deltas.map { delta in
            let bits = delta.logProbability.map { $0.logProbability.bitPattern } ?? 0
            return "\(delta.token ?? -1) \(delta.text.debugDescription) \(bits) \(delta.finishReason?.rawValue ?? "")"
        }
    }

    private let prompts: [[Int32]] = (0..<24).map { p in (0..<Int32(3 + p * 5)).map { ($0 * 37 + Int32(p) * 11) % 256 }
    }

    @Test func `a choice is the same alone, in a crowd, in chunks, on one thread and without SIMD`() throws {
        let requests = try prompts.map { try request($0, penalties: true) }
        let together = try run(requests).map(trace)
        let chunked = try run(requests, tokenBudget: 7).map(trace)
        let scalar = try run(Array(requests[5..<8]), device: Device(threadCount: 1, instructionSet: .scalar)).map(trace)
        for (index, request) in requests.enumerated() {
            let alone = try run([request]).map(trace)[0]
            #expect(together[index] == alone)
            #expect(chunked[index] == alone)
        }
        #expect(Array(together[5..<8]) == scalar)
    }

    @Test func `seeds and choices draw different noise, the same seed the same`() throws {
        let choices = try run([request(prompts[3], n: 4)]).map { $0.compactMap { $0.token } }
        #expect(Set(choices).count == 4)
        #expect(try run([request(prompts[3], n: 4)]).map { $0.compactMap { $0.token } } == choices)
        #expect(try run([request(prompts[3], seed: 8)])[0].compactMap { $0.token } != choices[0])
    }

    @Test func `a stop string ends the text before it, across token borders`() throws {
        let plain = try run([request(prompts[4], temperature: 0)])[0]
        let text = plain.map { $0.text }.joined()
        let characters = Array(text)
        let stop = String(characters[6..<9])
        let cut = try #require(text.range(of: stop))
        let stopped = try run([request(prompts[4], temperature: 0, stop: [stop, "never seen"])])[0]
        #expect(stopped.map { $0.text }.joined() == text[..<cut.lowerBound])
        #expect(stopped.last?.finishReason == .stop && stopped.last?.stopSequence == stop)
    }

    @Test func `thoughts that are too long are ended, wherever they begin`() throws {
        let free = try run([request(prompts[4], maxTokens: 30)])[0].compactMap(\.token)
        // A token of this vocabulary is a byte, and the first ones are letters here.
        let opening = try loaded.tokenizer.decode(Array(free[1..<3]))
        let ending = loaded.tokenizer.encode("\n</t>", addSpecialTokens: false)
        for (opening, isOpen, begin) in [("<t>", true, 0), (opening, false, 3)] {
            var limited = try request(prompts[4], maxTokens: 30)
            limited.thoughtLimit = try ThoughtLimit(
                opening: opening, closing: "</t>", ending: "\n</t>", tokens: 5, isOpen: isOpen)
            let deltas = try run([limited])[0]
            let ids = deltas.compactMap(\.token)
            // A character that has begun is not cut.
            let cut = try #require((begin + 5...begin + 8).first { ids[$0..<$0 + ending.count].elementsEqual(ending) })
            #expect(ids.prefix(cut) == free.prefix(cut) && ids.count == 30)
            #expect(deltas.map(\.text).joined().contains("\n</t>"))
        }
        #expect(throws: TextModelError.self) {
            try ThoughtLimit(opening: "x", closing: "x", ending: "xy", tokens: 1, isOpen: true)
        }
    }

    @Test func `log-probabilities are of the model's own distribution`() throws {
        let deltas = try run([request(prompts[2], temperature: 0, logProbabilities: 20, logitBias: [5: 100])])[0]
        #expect(deltas.allSatisfy { $0.token == 5 })
        for delta in deltas {
            let probability = try #require(delta.logProbability)
            #expect(
                probability.alternatives.count == 20
                    && probability.logProbability <= probability.alternatives[0].logProbability)
            let sum = probability.alternatives.reduce(Float(0)) { $0 + exp($1.logProbability) }
            #expect(sum > 0 && sum < 1.0001)
        }
    }

    @Test func `what cannot fit is refused, and what waits is served in time`() throws {
        #expect { try request(prompts[0], maxTokens: 600) } throws: {
            ($0 as? TextModelError)?.code == .contextLengthExceeded
        }
        #expect { try request([]) } throws: { ($0 as? TextModelError)?.field == "prompt" }
        #expect { try request([999]) } throws: { "\($0)".contains("999") }
        #expect { try request(prompts[0], temperature: -1) } throws: { ($0 as? TextModelError)?.field == "temperature" }
        #expect { try request(prompts[0], temperature: .nan) } throws: {
            ($0 as? TextModelError)?.field == "temperature"
        }
        #expect { try request(prompts[0], n: 0) } throws: { ($0 as? TextModelError)?.field == "n" }
        // Room for two at a time: all ten are served.
        var engine = try EngineCore(loaded, options: .init(cachePositions: 192), on: device)
        let ids = try (0..<10).map { _ in try engine.add(request(prompts[6])) }
        let deltas = try drain(&engine)
        #expect(ids.allSatisfy { deltas["\($0)/0"]?.last?.finishReason == .length })
        #expect(engine.isIdle && engine.load.outstandingTokens == 0 && engine.load.freePages == 6)
        #expect { try engine.add(request(prompts[6], maxTokens: 300)) } throws: {
            ($0 as? TextModelError)?.code == .resourceExhausted
        }
    }

    @Test func `a cancelled request is gone within the step`() throws {
        var engine = try EngineCore(loaded, options: .init(cachePositions: 1_024), on: device)
        let first = try engine.add(request(prompts[1], n: 2))
        let second = try engine.add(request(prompts[2]))
        _ = try engine.step()
        engine.cancel(first)
        #expect(engine.load.running == 1)
        let deltas = try drain(&engine)
        #expect(deltas.keys.sorted() == ["\(second)/0"])
        #expect(engine.load.freePages == 32)
    }

    @Test func `an end token ends the text unless it is to be ignored`() throws {
        let directory = try TemporaryDirectory()
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            try FileManager.default.copyItem(atPath: goldens + "llama/" + name, toPath: directory.path + "/" + name)
        }
        let plain = try run([request(prompts[2], temperature: 0)])[0].compactMap { $0.token }
        let end = plain[9]
        try directory.write("generation_config.json", json: ["eos_token_id": [Int(end), 255]])
        let ending = try LoadedModel(directory: directory.path, on: device)
        for ignores in [false, true] {
            var engine = try EngineCore(ending, options: .init(cachePositions: 1_024), on: device)
            let id = try engine.add(
                try GenerationRequest(
                    prompt: prompts[2], maxTokens: 40, sampling: try SamplingParameters(temperature: 0, seed: 0),
                    ignoresEndOfText: ignores, shape: ending.model.shape))
            let deltas = try drain(&engine)["\(id)/0"] ?? []
            let first = plain.firstIndex(of: end) ?? 0
            #expect(deltas.compactMap { $0.token } == (ignores ? plain : Array(plain[...first])))
            #expect(deltas.last?.finishReason == (ignores ? .length : .stop))
        }
    }

    @Test(arguments: [
        #"{"model_type":"llama"}"#, #"{"model_type":"mamba"}"#, #"{}"#, #"[]"#, "{", "",
        #"{"model_type":"llama","hidden_size":-4}"#, #"{"model_type":"llama","hidden_size":"big"}"#,
        #"{"model_type":"gpt2","n_embd":48,"n_head":5,"vocab_size":256,"n_positions":512,"n_layer":2}"#,
        #"{"model_type":"gpt2","n_embd":48,"n_head":4,"vocab_size":256,"n_positions":512,"n_layer":1000000}"#,
        #"{"model_type":"gpt2","n_embd":64,"n_head":4,"vocab_size":256,"n_positions":512,"n_layer":2}"#,
    ])
    func `an absurd configuration is an error with a reason`(config: String) throws {
        let directory = try TemporaryDirectory()
        try directory.write("config.json", Data(config.utf8))
        try FileManager.default.copyItem(
            atPath: goldens + "gpt2/model.safetensors", toPath: directory.path + "/model.safetensors")
        #expect { try TextModelLoader.load(directory: directory.path, on: device) } throws: { error in
            (error as? TextModelError).map { !$0.message.isEmpty } ?? false
        }
    }
}

@Suite struct StopMatcherTests {
    @Test func `text is held back only while it may become a stop string`() {
        var matcher = StopMatcher(["</end>", "停止"])
        #expect(matcher.append("a<") == ("a", nil))
        #expect(matcher.append("/e") == ("", nil))
        #expect(matcher.append("x停") == ("</ex", nil))
        #expect(matcher.append("止b") == ("", "停止"))
        #expect(matcher.finish() == "")
        var open = StopMatcher(["abc"])
        #expect(open.append("xab") == ("x", nil))
        #expect(open.finish() == "ab")
    }
}
