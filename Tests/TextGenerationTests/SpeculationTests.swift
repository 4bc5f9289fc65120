import Foundation
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels

/// A drafted token is accepted exactly when the model would have drawn it.
@Suite struct SpeculationTests {
    private let loaded: LoadedModel
    private let device = Device(threadCount: 2)

    init() throws { loaded = try LoadedModel(directory: goldens + "llama", on: device) }

    private func requests(stop: [String] = []) throws -> [GenerationRequest] {
        try (0..<6).map { number in
            // A prompt that repeats itself, so that there is something to look up.
            let phrase = (0..<9).map { Int32($0 * 23 + number * 5) % 256 }
            return try GenerationRequest(
                prompt: phrase + phrase + phrase, maxTokens: 60, n: number == 2 ? 3 : 1,
                sampling: SamplingParameters(
                    temperature: number < 2 ? 0 : 0.7, topK: 40, topP: 0.9, minP: 0.01,
                    repetitionPenalty: number == 3 ? 1.2 : 1, presencePenalty: number == 4 ? 0.4 : 0,
                    frequencyPenalty: number == 4 ? 0.2 : 0,
                    greenList: number == 1 || number == 5 ? greenList(contextWidth: number) : nil, seed: UInt64(number)),
                stop: stop, logProbabilities: 2, shape: loaded.model.shape)
        }
    }

    private func trace(_ deltas: [String: [GenerationDelta]]) -> [String: [String]] {
        deltas.mapValues {
            $0.map { delta in
                let bits = delta.logProbability.map { $0.logProbability.bitPattern } ?? 0
                let reason = delta.finishReason?.rawValue ?? ""
                return "\(delta.index) \(delta.token ?? -1) \(delta.text.debugDescription) \(bits) \(reason)"
            }
        }
    }

    private func run(
        _ requests: [GenerationRequest], drafts: LoadedModel? = nil, positions: Int = 4_096,
        _ change: (inout EngineCore.Options) -> Void = { _ in }
    ) throws -> (trace: [String: [String]], statistics: EngineCore.Statistics, steps: Int, free: Int) {
        var options = EngineCore.Options(cachePositions: positions)
        options.draftRows = 64
        change(&options)
        var engine = try EngineCore(loaded, drafts: drafts, options: options, on: device)
        for request in requests { _ = try engine.add(request) }
        var steps = 0
        var deltas: [String: [GenerationDelta]] = [:]
        while !engine.isIdle {
            for delta in try engine.step() { deltas["\(delta.request)/\(delta.choice)", default: []].append(delta) }
            steps += 1
        }
        return (trace(deltas), engine.statistics, steps, engine.load.freePages)
    }

    @Test func `drafts that are looked up change the number of steps and nothing else`() throws {
        let plain = try run(requests())
        let drafted = try run(requests()) { $0.looksUpDrafts = true }
        #expect(drafted.trace == plain.trace)
        #expect(drafted.statistics.acceptedTokens > 0)
        #expect(drafted.free == 128)
        // Alone, every accepted token saves a step.
        for request in try requests() where request.n == 1 {
            let (plain, drafted) = (try run([request]), try run([request]) { $0.looksUpDrafts = true })
            #expect(drafted.trace == plain.trace)
            #expect(drafted.steps == plain.steps - drafted.statistics.acceptedTokens)
        }
    }

    @Test func `a draft model changes the number of steps and nothing else`() throws {
        let plain = try run(requests())
        // The model itself is always right.
        let perfect = try run(requests(), drafts: loaded)
        #expect(perfect.trace == plain.trace)
        #expect(
            perfect.statistics.acceptedTokens == perfect.statistics.draftedTokens && perfect.steps * 2 < plain.steps)
        // One with 4-bit weights is sometimes wrong.
        let rough = try LoadedModel(directory: goldens + "llama", precision: .int4, on: device)
        let drafted = try run(requests(), drafts: rough)
        #expect(drafted.trace == plain.trace)
        #expect(drafted.statistics.acceptedTokens > 0)
        #expect(drafted.statistics.acceptedTokens < drafted.statistics.draftedTokens)
    }

    @Test func `drafts go with chunks, few pages, shared prefixes and stop strings`() throws {
        let plain = try run(requests())
        let text = try #require(plain.trace["1/0"]?[20]).split(separator: "\"")[1]
        for stop in [[], [String(text)]] {
            let expected = try run(requests(stop: stop)).trace
            for drafts in [nil, loaded] {
                for (positions, budget) in [(4_096, 5), (8 * 32, 256), (8 * 32, 9)] {
                    let drafted = try run(requests(stop: stop), drafts: drafts, positions: positions) {
                        $0.looksUpDrafts = true
                        $0.tokenBudget = budget
                        $0.draftRows = 12
                    }
                    #expect(drafted.trace == expected)
                    #expect(drafted.free == positions / 32)
                }
            }
        }
    }

    @Test func `a draft model of another tokenizer or a shorter context is refused`() throws {
        for (name, change) in [
            ("tokenizer.json", ("\"type\": \"BPE\"", "\"type\": \"BPE\", \"dropout\": null")),
            ("config.json", ("\"max_position_embeddings\": 512", "\"max_position_embeddings\": 511")),
        ] {
            let directory = try TemporaryDirectory()
            for file in ["config.json", "model.safetensors", "tokenizer.json"] {
                var data = try Data(contentsOf: URL(fileURLWithPath: goldens + "llama/" + file))
                if file == name {
                    let text = String(decoding: data, as: UTF8.self)
                    try #require(text.contains(change.0))
                    data = Data(text.replacingOccurrences(of: change.0, with: change.1).utf8)
                }
                try directory.write(file, data)
            }
            let other = try LoadedModel(directory: directory.path, on: device)
            #expect {
                _ = try EngineCore(loaded, drafts: other, options: .init(cachePositions: 64), on: device)
            } throws: {
                ($0 as? TextModelError)?.code == .unsupported
            }
        }
    }
}
