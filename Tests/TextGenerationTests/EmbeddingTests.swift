import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels

private struct Golden: Decodable {
    var model: String
    var adapter: String?
    var tokens: [Int32]
    var length: Double
    var embedding: [Float]
}

@Suite struct EmbeddingTests {
    let device = Device(threadCount: 2)

    private func options(_ cachePositions: Int, tokenBudget: Int = 256) -> EngineCore.Options {
        var options = EngineCore.Options(cachePositions: cachePositions)
        options.tokenBudget = tokenBudget
        return options
    }

    /// Texts of 1 to 180 tokens, some with the same beginning.
    private let texts: [[Int32]] = (0..<9).map { text in
        (0..<Int32(1 + text * 22)).map { ($0 * 37 + ($0 > 64 ? Int32(text) : 0) * 11) % 250 }
    }

    /// The embedding of each text, to the bit.
    private func embed(
        _ engine: inout EngineCore, _ texts: [[Int32]], adapter: LowRankAdapter? = nil
    ) throws -> [[UInt32]] {
        let shape = engine.loaded.model.shape
        let ids = try texts.map { try engine.add(.embedding(of: $0, adapter: adapter, shape: shape)) }
        let deltas = try drain(&engine)
        return ids.map { id in
            let own = deltas["\(id)/0"] ?? []
            #expect(own.count == 1 && own[0].token == nil && own[0].finishReason == .stop)
            return own.last?.embedding.map(\.bitPattern) ?? []
        }
    }

    @Test func `embeddings agree with transformers and PEFT`() throws {
        let cases = try JSONDecoder().decode(
            [Golden].self, from: Data(contentsOf: URL(fileURLWithPath: goldens + "embeddings.json")))
        #expect(cases.count == 32)
        for golden in cases {
            let loaded = try LoadedModel(directory: goldens + golden.model, on: device)
            let adapter = try golden.adapter.map {
                try LowRankAdapter(directory: goldens + "adapters/" + $0, for: loaded.model, on: device)
            }
            var engine = try EngineCore(loaded, options: options(256, tokenBudget: 37), on: device)
            let mean = try embed(&engine, [golden.tokens], adapter: adapter)[0].map(Float.init(bitPattern:))
            let length = mean.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(abs(length - golden.length) <= 1e-4 * (1 + golden.length), "\(golden.model)")
            let unit = UnitVector.scaling(mean)
            #expect(unit.count == golden.embedding.count)
            let worst = zip(unit, golden.embedding).map { abs($0 - $1) / (1 + abs($1)) }.max() ?? 1
            #expect(worst <= 1e-4, "\(golden.model) \(golden.adapter ?? "") \(golden.tokens.count): \(worst)")
        }
    }

    @Test(arguments: ["llama", "gpt2", "qwen2-sliding"])
    func `an embedding is the same alone, beside others and streams, in chunks, on one thread and without SIMD`(
        name: String
    ) throws {
        let loaded = try LoadedModel(directory: goldens + name, on: device)
        var engine = try EngineCore(loaded, options: options(4_096), on: device)
        let together = try embed(&engine, texts)
        #expect(Set(together).count == texts.count && engine.load.freePages == 128)
        for (index, text) in texts.enumerated() {
            #expect(try embed(&engine, [text]) == [together[index]])
        }
        var chunked = try EngineCore(loaded, options: options(4_096, tokenBudget: 7), on: device)
        #expect(try embed(&chunked, texts) == together)
        var scalar = try EngineCore(
            loaded, options: options(4_096), on: Device(threadCount: 1, instructionSet: .scalar))
        #expect(try embed(&scalar, texts) == together)
        // With a generation and its log-probabilities in the same passes, and its pages in the cache afterwards.
        func request() throws -> GenerationRequest {
            try GenerationRequest(
                prompt: texts[8], maxTokens: 60, sampling: SamplingParameters(seed: 3), logProbabilities: 2,
                promptLogProbabilities: true, shape: loaded.model.shape)
        }
        func trace(_ deltas: [GenerationDelta]?) -> [String] {
            (deltas ?? []).map { delta in
                let bits = ([delta.logProbability].compactMap { $0 } + delta.promptLogProbabilities).map {
                    "\($0.id):\($0.logProbability.bitPattern)"
                }
                return "\(delta.token ?? -1) \(bits)"
            }
        }
        var alone = try EngineCore(loaded, options: options(4_096, tokenBudget: 50), on: device)
        let lone = try alone.add(request())
        let expected = trace(try drain(&alone)["\(lone)/0"])
        var mixed = try EngineCore(loaded, options: options(4_096, tokenBudget: 50), on: device)
        let stream = try mixed.add(request())
        let ids = try texts.map { try mixed.add(.embedding(of: $0, shape: loaded.model.shape)) }
        let deltas = try drain(&mixed)
        #expect(trace(deltas["\(stream)/0"]) == expected && expected.count == 60)
        #expect(ids.map { deltas["\($0)/0"]?.last?.embedding.map(\.bitPattern) ?? [] } == together)
        #expect(try embed(&mixed, texts) == together)
    }

    @Test(arguments: ["llama", "gemma2"])
    func `the parts of a model that is cut give the bits of the whole one`(name: String) throws {
        let loaded = try LoadedModel(directory: goldens + name, on: device)
        var whole = try EngineCore(loaded, options: options(4_096), on: device)
        let expected = try embed(&whole, texts)
        let first = try LoadedModel(directory: goldens + name, layers: 0..<1, on: device)
        var engine = try EngineCore(first, laterShards: 1, options: options(4_096, tokenBudget: 50), on: device)
        engine.groups = 2
        let rest = try TextModelLoader.load(directory: goldens + name, layers: 1..<2, on: device)
        var shard = try ShardCore(rest, cachePositions: 4_096, on: device)
        let ids = try texts.map { try engine.add(.embedding(of: $0, shape: loaded.model.shape)) }
        var found: [UInt64: [UInt32]] = [:]
        while !engine.isIdle {
            for group in engine.groupRange where engine.canBegin(group: group) {
                guard let call = try engine.begin(group: group),
                    case .finished(let deltas) = try engine.take(shard.forward(call, owner: "a"), group: group)
                else { continue }
                for delta in deltas { found[delta.request] = delta.embedding.map(\.bitPattern) }
            }
        }
        #expect(ids.map { found[$0] } == expected)
    }

    @Test func `one that gives way begins anew, one that is cancelled leaves nothing, and none fills the cache`() throws
    {
        let loaded = try LoadedModel(directory: goldens + "llama", on: device)
        var roomy = try EngineCore(loaded, options: options(4_096), on: device)
        let expected = try embed(&roomy, texts)
        // Streams that grow fit by themselves; with texts beside them they take the pages of those that are half done.
        func streams(_ engine: inout EngineCore) throws -> [UInt64] {
            try (0..<3).map { seed in
                try engine.add(
                    GenerationRequest(
                        prompt: [1, 2, 3], maxTokens: 120, sampling: SamplingParameters(seed: seed),
                        shape: loaded.model.shape))
            }
        }
        var plain = try EngineCore(loaded, options: options(12 * 32, tokenBudget: 5), on: device)
        _ = try streams(&plain)
        _ = try drain(&plain)
        var engine = try EngineCore(loaded, options: options(12 * 32, tokenBudget: 5), on: device)
        let growing = try streams(&engine)
        let ids = try texts.reversed().map { try engine.add(.embedding(of: $0, shape: loaded.model.shape)) }
        let deltas = try drain(&engine)
        #expect(growing.allSatisfy { deltas["\($0)/0"]?.count == 120 })
        #expect(plain.statistics.preemptions == 0 && engine.statistics.preemptions > 0)
        #expect(ids.map { deltas["\($0)/0"]?.last?.embedding.map(\.bitPattern) ?? [] } == expected.reversed())
        let cancelled = try engine.add(.embedding(of: texts[8], shape: loaded.model.shape))
        _ = try engine.step()
        engine.cancel(cancelled)
        #expect(engine.isIdle && engine.load.freePages == 12)
        // No text's pages are kept for a prompt that begins like it.
        let before = engine.statistics.prefixHits
        _ = try engine.add(
            GenerationRequest(
                prompt: texts[8], maxTokens: 0, sampling: SamplingParameters(seed: 1), shape: loaded.model.shape))
        _ = try drain(&engine)
        #expect(engine.statistics.prefixHits == before)
    }

    @Test func `what cannot be embedded is refused, and names its field`() throws {
        let loaded = try LoadedModel(directory: goldens + "llama", on: device)
        let wrong: [([Int32], TextModelError.Code)] = [
            ([], .invalidRequest), ([256], .invalidRequest), ([-1], .invalidRequest),
            ([Int32](repeating: 1, count: 513), .contextLengthExceeded),
        ]
        for (tokens, code) in wrong {
            #expect {
                try GenerationRequest.embedding(of: tokens, shape: loaded.model.shape)
            } throws: {
                ($0 as? TextModelError)?.code == code && ($0 as? TextModelError)?.field == "input"
            }
        }
        var engine = try EngineCore(loaded, options: options(512), on: device)
        #expect(try embed(&engine, [[Int32](repeating: 1, count: 512)])[0].count == 48)
    }

    @Test func `a vector is scaled to length 1, cut or whole`() {
        #expect(UnitVector.scaling([3, 4]) == [0.6, 0.8])
        #expect(UnitVector.scaling([3, 4, 12], to: 2) == [0.6, 0.8])
        #expect(UnitVector.scaling([0, 0]) == [0, 0])
        #expect(UnitVector.scaling([1e-30, 0]) == [1, 0])
    }
}
