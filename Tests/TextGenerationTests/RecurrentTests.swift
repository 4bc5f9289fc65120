import Layers
import ModelTesting
import Synchronization
import Tensors
import Testing
import TextGeneration
import TextModels

/// What pages do for attention, states do for recurrent layers: prefixes, drafts, giving way and failures change no bit.
@Suite(.serialized) struct RecurrentTests {
    private static let names = ["lfm2", "qwen3.5"]
    private let device = Device(threadCount: 2)

    private func load(_ name: String) throws -> LoadedModel { try LoadedModel(directory: goldens + name, on: device) }

    private func request(
        _ prompt: [Int32], of loaded: LoadedModel, maxTokens: Int = 40, n: Int = 1, temperature: Float = 1,
        seed: UInt64 = 7
    ) throws -> GenerationRequest {
        try GenerationRequest(
            prompt: prompt, maxTokens: maxTokens, n: n,
            sampling: SamplingParameters(temperature: temperature, topK: 40, seed: seed), logProbabilities: 1,
            shape: loaded.model.shape)
    }

    private func prompt(_ count: Int, _ salt: Int32 = 0) -> [Int32] {
        (0..<Int32(count)).map { ($0 * 37 + salt * 11 + $0 / 9) % 256 }
    }

    /// What a user can see of a choice, with log-probabilities to the bit.
    private func trace(_ deltas: [GenerationDelta]?) -> [String] {
        (deltas ?? []).map { delta in
            "\(delta.index) \(delta.token ?? -1) \(delta.logProbability.map { $0.logProbability.bitPattern } ?? 0)"
        }
    }

    /// What a request gets with nothing else around and nothing remembered.
    private func alone(_ request: GenerationRequest, _ loaded: LoadedModel) throws -> [[String]] {
        var engine = try EngineCore(loaded, options: .init(cachePositions: 4_096), on: device)
        let id = try engine.add(request)
        let deltas = try drain(&engine)
        return (0..<request.n).map { trace(deltas["\(id)/\($0)"]) }
    }

    @Test(arguments: names, [256, 40])
    func `a prompt that begins like an earlier one goes on from a state that was kept`(name: String, budget: Int) throws
    {
        let loaded = try load(name)
        var options = EngineCore.Options(cachePositions: 2_048)
        options.tokenBudget = budget
        var engine = try EngineCore(loaded, options: options, on: device)
        func hits(_ wanted: GenerationRequest) throws -> Int {
            let before = engine.statistics.prefixHits, id = try engine.add(wanted)
            #expect(try trace(drain(&engine)["\(id)/0"]) == alone(wanted, loaded)[0])
            return engine.statistics.prefixHits - before
        }
        let long = prompt(150)
        #expect(try hits(request(long, of: loaded)) == 0)
        // The end of the prompt's pages has a state.
        #expect(try hits(request(long, of: loaded, seed: 9)) == 128)
        #expect(try hits(request(long + prompt(40, 3), of: loaded)) == 128)
        // Where another prompt parts from it there is none, unless a chunk ended nearby; the next that parts there has.
        let branch = try hits(request(Array(long[..<100]) + prompt(9, 5), of: loaded))
        #expect(budget == 256 ? branch == 0 : branch < 96)
        #expect(try hits(request(Array(long[..<100]) + prompt(9, 6), of: loaded)) == 96)
        #expect(try hits(request(Array(long[..<128]), of: loaded)) == 96)
        // The next turn of a conversation goes on from the answer.
        let first = try request(long, of: loaded, maxTokens: 60), id = try engine.add(first)
        let answer = try drain(&engine)["\(id)/0"]?.compactMap(\.token) ?? []
        #expect(try hits(request(long + answer + prompt(8, 2), of: loaded)) == 192)
    }

    @Test(arguments: names)
    func `the choices of a request compute its prompt once`(name: String) throws {
        let loaded = try load(name)
        var engine = try EngineCore(loaded, options: .init(cachePositions: 4_096), on: device)
        let wanted = try request(prompt(200), of: loaded, n: 8), id = try engine.add(wanted)
        let deltas = try drain(&engine)
        #expect((0..<8).map { trace(deltas["\(id)/\($0)"]) } == (try alone(wanted, loaded)))
        #expect(engine.statistics.prefixHits == 7 * 192)
    }

    @Test(arguments: names, [0, 1, 3])
    func `few checkpoints cost time and nothing else`(name: String, checkpoints: Int) throws {
        let loaded = try load(name)
        var options = EngineCore.Options(cachePositions: 2_048)
        options.stateCheckpoints = checkpoints
        var engine = try EngineCore(loaded, options: options, on: device)
        for round in 0..<3 {
            let wanted = try (0..<5).map { try request(prompt(60 + $0 * 30, Int32($0 % 3)), of: loaded) }
            let ids = try wanted.map { try engine.add($0) }
            let deltas = try drain(&engine)
            for (id, request) in zip(ids, wanted) {
                #expect(try trace(deltas["\(id)/0"]) == alone(request, loaded)[0], "round \(round)")
            }
        }
        // One after the other, a sequence takes two at most.
        let hits = engine.statistics.prefixHits
        for seed in 0..<3 as Range<UInt64> {
            let wanted = try request(prompt(70, 9), of: loaded, seed: seed), id = try engine.add(wanted)
            #expect(try trace(drain(&engine)["\(id)/0"]) == alone(wanted, loaded)[0])
        }
        #expect(engine.statistics.prefixHits - hits == [0: 0, 1: 0, 3: 2 * 64][checkpoints])
    }

    @Test(arguments: names)
    func `sequences give way and come back, and every slot comes back from what is cancelled`(name: String) throws {
        let loaded = try load(name)
        var options = EngineCore.Options(cachePositions: 12 * 32)
        options.sequenceLimit = 6
        var engine = try EngineCore(loaded, options: options, on: device)
        let requests = try (0..<8).map {
            try request(prompt(20, Int32($0)), of: loaded, maxTokens: 80, seed: UInt64($0))
        }
        for steps in 0..<30 {
            let ids = try requests.map { try engine.add($0) }
            for _ in 0..<steps { _ = try engine.step() }
            for id in ids { engine.cancel(id) }
            #expect(engine.isIdle && engine.load.freePages == 12)
        }
        let ids = try requests.map { try engine.add($0) }
        // All six run at once, although some began and were cancelled 30 times.
        _ = try engine.step()
        #expect(engine.load.running == 6)
        let first = engine.statistics.preemptions
        var deltas: [String: [GenerationDelta]] = [:]
        engine.cancel(ids[0])
        for (delta) in try drain(&engine) { deltas[delta.key] = delta.value }
        #expect(engine.statistics.preemptions > first)
        let last = try #require(ids.last)
        #expect(try trace(deltas["\(last)/0"]) == alone(requests[7], loaded)[0])
    }

    @Test(arguments: names, [nil, "qwen3"])
    func `drafts are taken back row by row`(name: String, draft: String?) throws {
        let loaded = try load(name), drafts = try draft.map { try load($0) }
        // A bias makes answers repeat themselves for a while, so that drafts are found.
        let requests = try (0..<5).map { number in
            let phrase = (0..<9).map { Int32($0 * 23 + number * 5) % 256 }
            return try GenerationRequest(
                prompt: phrase + phrase + phrase, maxTokens: 60,
                sampling: SamplingParameters(
                    temperature: 1, topK: 40, logitBias: [5: 14, 7: 13], seed: UInt64(number)),
                logProbabilities: 1, shape: loaded.model.shape)
        }
        for (positions, budget) in [(4_096, 256), (4_096, 5), (8 * 32, 9)] {
            var options = EngineCore.Options(cachePositions: positions)
            options.tokenBudget = budget
            options.looksUpDrafts = true
            options.draftRows = 40
            var engine = try EngineCore(loaded, drafts: drafts, options: options, on: device)
            let ids = try requests.map { try engine.add($0) }
            let deltas = try drain(&engine)
            for (id, request) in zip(ids, requests) {
                #expect(try trace(deltas["\(id)/0"]) == alone(request, loaded)[0])
            }
            #expect(engine.statistics.draftedTokens > engine.statistics.acceptedTokens)
            #expect(draft != nil || engine.statistics.acceptedTokens > 0)
        }
    }

    @Test(arguments: names)
    func `a pass that fails half-way is computed again from what is known`(name: String) throws {
        let loaded = try load(name)
        let failing = LoadedModel(loaded, model: FailingModel(loaded.model, every: 5))
        var engine = try EngineCore(failing, options: .init(cachePositions: 2_048), on: device)
        let requests = try (0..<3).map { try request(prompt(40 + $0 * 30, Int32($0)), of: loaded) }
        let ids = try requests.map { try engine.add($0) }
        var deltas: [String: [GenerationDelta]] = [:]
        var failures = 0
        while !engine.isIdle, failures < 1_000 {
            do {
                for delta in try engine.step() { deltas["\(delta.request)/\(delta.choice)", default: []].append(delta) }
            } catch { failures += 1 }
        }
        #expect(failures > 5 && failures < 1_000)
        for (id, request) in zip(ids, requests) {
            #expect(try trace(deltas["\(id)/0"]) == alone(request, loaded)[0])
        }
    }

    @Test func `a recurrent model does not draft for another`() throws {
        #expect {
            _ = try EngineCore(load("llama"), drafts: load("lfm2"), options: .init(cachePositions: 64), on: device)
        } throws: {
            "\($0)".contains("recurrent")
        }
    }
}

/// A model whose passes run out of memory once in a while, after they have changed everything.
private struct FailingModel: TextModel {
    private final class Count: Sendable {
        let value = Mutex(0)
    }

    let model: any TextModel
    let every: Int
    private let count = Count()

    init(_ model: any TextModel, every: Int) { (self.model, self.every) = (model, every) }

    var shape: DecoderShape { model.shape }
    var layers: Range<Int> { model.layers }
    var pagedLayers: [KVExtents] { model.pagedLayers }
    var state: StateShape? { model.state }
    var weights: WeightCount { model.weights }
    var linearModules: [LinearModule] { model.linearModules }

    func embed(_ batch: TokenBatch, on device: Device) throws(TensorError) -> Tensor {
        try model.embed(batch, on: device)
    }

    func run(_ x: Tensor, _ batch: TokenBatch, cache: DecoderCache, on device: Device) throws(TensorError) {
        try model.run(x, batch, cache: cache, on: device)
        let number = count.value.withLock { value in
            value += 1
            return value
        }
        if number % every == 0 { throw TensorError(.tooLarge, "no memory") }
    }

    func normalize(_ x: Tensor, on device: Device) { model.normalize(x, on: device) }

    func logits(_ hidden: Tensor, _ adapters: AdapterRows, on device: Device) throws(TensorError) -> Tensor {
        try model.logits(hidden, adapters, on: device)
    }
}
