import Foundation
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels
import Tokenizers

/// A model cut by layers, its first shard's engine and the later shards in one process, without a bus.
private struct CutModel {
    var engine: EngineCore
    var later: [ShardCore]
    /// Called before each call, with its number; may take a shard's memory away.
    var beforeCall: (Int, inout [ShardCore]) -> Void = { _, _ in }
    private(set) var calls = 0
    private(set) var mostUnderWay = 0

    init(_ name: String, cuts: [Range<Int>], groups: Int = 1, options: EngineCore.Options, on device: Device) throws {
        let first = try LoadedModel(directory: name, layers: cuts[0], on: device)
        engine = try EngineCore(first, laterShards: cuts.count - 1, options: options, on: device)
        engine.groups = groups
        later = try cuts.dropFirst().map { layers in
            try Self.shard(name, layers, cachePositions: options.cachePositions, on: device)
        }
    }

    static func shard(_ name: String, _ layers: Range<Int>, cachePositions: Int, on device: Device) throws -> ShardCore
    {
        let model = try TextModelLoader.load(directory: name, layers: layers, on: device)
        return try ShardCore(model, cachePositions: cachePositions, on: device)
    }

    /// As `drain` for a whole model. Passes of different groups are answered in turn, so that they overlap.
    mutating func drain() throws -> [String: [GenerationDelta]] {
        var deltas: [String: [GenerationDelta]] = [:]
        var waiting: [(group: Int, shard: Int, call: ShardCall)] = []
        while !engine.isIdle || !waiting.isEmpty {
            for group in engine.groupRange where !engine.isUnderWay(group: group) {
                if let call = try engine.begin(group: group) { waiting.append((group, 0, call)) }
            }
            release()
            mostUnderWay = max(mostUnderWay, engine.passesUnderWay)
            guard !waiting.isEmpty else { continue }
            let (group, shard, call) = waiting.removeFirst()
            beforeCall(calls, &later)
            calls += 1
            switch try engine.take(later[shard].forward(call, owner: "test"), group: group) {
            case .call(let next, let place): waiting.append((group, place, next))
            case .finished(let brought):
                for delta in brought { deltas["\(delta.request)/\(delta.choice)", default: []].append(delta) }
            }
        }
        release()
        return deltas
    }

    private mutating func release() {
        let releasedSequences = engine.takeReleasedSequences()
        for shard in later.indices { later[shard].release(releasedSequences, owner: "test") }
    }
}

@Suite struct ShardTests {
    private let device = Device(threadCount: 2)

    /// The cut of a golden checkpoint into as many shards as it has layers.
    private func cuts(_ model: any TextModel) -> [Range<Int>] { (0..<model.shape.layers).map { $0..<$0 + 1 } }

    private func requests(_ shape: DecoderShape) throws -> [GenerationRequest] {
        try (0..<6).map { p in
            let length = min(3 + p * 17, shape.context - 30)
            let prompt = (0..<Int32(length)).map { ($0 * 37 + Int32(p) * 11) % Int32(shape.vocabulary) }
            return try GenerationRequest(
                prompt: prompt, maxTokens: 30, n: p % 3 == 1 ? 3 : 1,
                // One that repeats itself, so that drafts are found, until it does something else.
                sampling: SamplingParameters(
                    temperature: 1, topK: 50, repetitionPenalty: 1.1, logitBias: p == 3 ? [5: 9, 7: 7] : [:],
                    seed: UInt64(p)),
                logProbabilities: 2, promptLogProbabilities: p == 2, shape: shape)
        }
    }

    /// What a user can see, with log-probabilities to the bit.
    private func trace(_ deltas: [String: [GenerationDelta]]) -> [String: [String]] {
        deltas.mapValues {
            $0.map { delta in
                let bits = ([delta.logProbability].compactMap { $0 } + delta.promptLogProbabilities).map {
                    "\($0.id):\($0.logProbability.bitPattern)"
                }
                return "\(delta.index) \(delta.token ?? -1) \(delta.text.debugDescription) \(bits) "
                    + "\(delta.finishReason?.rawValue ?? "")"
            }
        }
    }

    private func whole(_ name: String, _ options: EngineCore.Options) throws -> [String: [String]] {
        let loaded = try LoadedModel(directory: name, on: device)
        var engine = try EngineCore(loaded, options: options, on: device)
        for request in try requests(loaded.model.shape) { _ = try engine.add(request) }
        return trace(try ModelTesting.drain(&engine))
    }

    private func cut(
        _ name: String, _ options: EngineCore.Options, groups: Int = 1,
        beforeCall: @escaping (Int, inout [ShardCore]) -> Void = { _, _ in }
    ) throws -> (trace: [String: [String]], model: CutModel) {
        let model = try TextModelLoader.load(directory: name, on: device)
        var cut = try CutModel(name, cuts: cuts(model), groups: groups, options: options, on: device)
        cut.beforeCall = beforeCall
        for request in try requests(model.shape) { _ = try cut.engine.add(request) }
        return (trace(try cut.drain()), cut)
    }

    @Test(arguments: [
        "llama", "mistral", "qwen2-sliding", "qwen3", "gemma2", "gemma3", "phi3", "phi3-longrope", "gpt2",
        "smollm3", "granite", "ministral3", "olmo3", "exaone4", "glm4", "mixtral", "qwen3-moe", "granite-moe", "olmoe",
        "gpt-oss", "lfm2", "qwen3.5", "gemma4-keys", "gemma4-moe", "qwen3.5-moe", "deepseek-v3",
        "llama-tied-bf16",
        "gguf/gemma2.gguf", "gguf/blocks.gguf",
    ])
    func `a model in shards gives the bits of the whole one, in chunks, in overlapping groups, with drafts`(
        name: String
    ) throws {
        var options = EngineCore.Options(cachePositions: 4_096)
        let expected = try whole(goldens + name, options)
        #expect(expected.count == 10 && expected.values.allSatisfy { !$0.isEmpty })
        #expect(try cut(goldens + name, options).trace == expected)
        options.tokenBudget = 7
        options.looksUpDrafts = true
        let (trace, model) = try cut(goldens + name, options, groups: 3)
        #expect(trace == expected)
        #expect(model.engine.statistics.draftedTokens > 0)
        #expect(model.mostUnderWay == 3)
        #expect(model.later.allSatisfy { $0.sequenceCount == 0 && $0.freePages == 128 })
        #expect(model.engine.load.freePages == 128 && model.engine.passesUnderWay == 0)
    }

    @Test(arguments: ["llama", "qwen2-sliding", "lfm2", "qwen3.5"])
    func `sequences that give way for others come back to the same bits in shards too`(name: String) throws {
        let expected = try whole(goldens + name, .init(cachePositions: 4_096))
        let (trace, model) = try cut(goldens + name, .init(cachePositions: 5 * 32), groups: 2)
        #expect(trace == expected)
        #expect(model.engine.statistics.preemptions > 0)
    }

    @Test(arguments: ["llama", "qwen2-sliding", "lfm2", "qwen3.5"], [1, 3])
    func `a shard that loses everything in mid-generation is given what it lacks, and nothing is lost`(
        name: String, groups: Int
    ) throws {
        let options = EngineCore.Options(cachePositions: 4_096)
        let expected = try whole(goldens + name, options)
        let layers = try TextModelLoader.load(directory: goldens + name, on: device).shape.layers
        let fresh = try (1..<layers).map { layer in
            try CutModel.shard(goldens + name, layer..<layer + 1, cachePositions: 4_096, on: device)
        }
        // Every 31st call finds one of the shards, in turn, without a memory; some find it so on the way back.
        let (trace, model) = try cut(goldens + name, options, groups: groups) { call, later in
            if call % 31 == 30 { later[call / 31 % later.count] = fresh[call / 31 % later.count] }
        }
        #expect(trace == expected)
        let (_, undisturbed) = try cut(goldens + name, options, groups: groups)
        #expect(model.calls > undisturbed.calls)
    }

    @Test(arguments: ["llama", "lfm2", "qwen3.5"])
    func `a prompt that begins like an earlier one computes the rest only, in every shard`(model: String) throws {
        let options = EngineCore.Options(cachePositions: 4_096), name = goldens + model
        let layers = try TextModelLoader.load(directory: name, on: device).shape.layers
        var cut = try CutModel(name, cuts: [0..<1, 1..<layers], options: options, on: device)
        let prompt = (0..<150).map { Int32($0 * 37 % 250) }
        func request(_ prompt: [Int32]) throws -> GenerationRequest {
            try GenerationRequest(
                prompt: prompt, maxTokens: 8, sampling: SamplingParameters(seed: 3),
                shape: cut.engine.loaded.model.shape)
        }
        _ = try cut.engine.add(request(prompt))
        _ = try cut.drain()
        #expect(cut.later[0].prefixHits == 0)
        let again = try cut.engine.add(request(prompt + [4, 5, 6]))
        let tokens = try cut.drain()["\(again)/0"]?.compactMap(\.token)
        #expect(cut.engine.statistics.prefixHits == 128)
        #expect(cut.later[0].prefixHits == 128)
        var engine = try EngineCore(LoadedModel(directory: name, on: device), options: options, on: device)
        let id = try engine.add(request(prompt + [4, 5, 6]))
        #expect(try ModelTesting.drain(&engine)["\(id)/0"]?.compactMap(\.token) == tokens)
    }

    @Test(arguments: ["llama", "gpt2", "gemma2", "phi3", "qwen2-sliding"])
    func `a shard loads its own layers' weights and no others`(name: String) throws {
        let whole = try TextModelLoader.load(directory: goldens + name, on: device)
        let parts = try cuts(whole).map {
            try TextModelLoader.load(directory: goldens + name, layers: $0, on: device)
        }
        #expect(parts.reduce(0) { $0 + $1.weights.bytes } == whole.weights.bytes)
        #expect(parts.map(\.layers) == cuts(whole))
        // Every later layer is as large as another, and there is no vocabulary in it.
        #expect(Set(parts.dropFirst().map(\.weights.bytes)).count == 1)
        let vocabulary = whole.weights.parameters - whole.shape.layers * parts[1].weights.parameters
        #expect(vocabulary % (whole.shape.vocabulary * whole.shape.hidden) == 0 && vocabulary > 0)
        #expect { try TextModelLoader.load(directory: goldens + name, layers: 1..<9, on: device) } throws: {
            "\($0)".contains("1-8")
        }
    }

    @Test func `a shard whose cache is too small for a pass says so, and lives`() throws {
        let name = goldens + "llama"
        var shard = try CutModel.shard(name, 1..<2, cachePositions: 64, on: device)
        func call(_ sequence: UInt64, _ start: Int, _ count: Int, all: Bool = true) throws -> ShardCall {
            try ShardCall(
                checking: [
                    .init(
                        sequence: sequence, start: start, count: count, outputs: 1,
                        tokens: Array(repeating: 7, count: all ? start + count : count), root: "")
                ], shape: shard.model.shape
            ) { try Tensor(zeros: $0) }
        }
        #expect { try shard.forward(call(1, 0, 65), owner: "a") } throws: {
            ($0 as? TextModelError)?.code == .resourceExhausted
        }
        // What is idle makes room; whose it was is told so, and so is a stranger of the same number.
        guard case .rows = try shard.forward(call(2, 0, 64), owner: "a") else { throw Unexpected() }
        guard case .rows = try shard.forward(call(3, 0, 40), owner: "a") else { throw Unexpected() }
        #expect(try missing(shard.forward(call(2, 63, 1, all: false), owner: "a")) == [2: nil])
        #expect(try missing(shard.forward(call(3, 40, 1, all: false), owner: "b")) == [3: nil])
        // A gap is told by the position that is there, and calls can be repeated.
        #expect(try missing(shard.forward(call(3, 50, 2), owner: "a")) == [3: 40])
        for _ in 0..<2 {
            guard case .rows(let rows) = try shard.forward(call(3, 40, 4, all: false), owner: "a") else {
                throw Unexpected()
            }
            #expect(rows.shape == [1, shard.model.shape.hidden])
        }
        shard.release([3, 99], owner: "a")
        #expect(shard.freePages == 2)
    }

    private struct Unexpected: Error {}

    private func missing(_ answer: ShardAnswer) -> [UInt64: Int?]? {
        guard case .missing(let missing) = answer else { return nil }
        return missing
    }
}

@Suite struct LayerCutTests {
    @Test(arguments: [
        ("llama", 2, [0..<1, 1..<2]), ("qwen2-sliding", 2, [0..<1, 1..<3]), ("gguf/blocks.gguf", 2, [0..<1, 1..<2]),
        ("gpt2", 1, [0..<2]),
    ])
    func `a checkpoint is cut by what its file weighs`(name: String, shards: Int, cut: [Range<Int>]) throws {
        #expect(try LayerCut.balanced(directory: goldens + name, shards: shards) == cut)
    }

    @Test func `what has no such cut is refused`() {
        for shards in [0, 3, 1_000] {
            #expect { try LayerCut.balanced(directory: goldens + "llama", shards: shards) } throws: {
                "\($0)".contains("2 layers")
            }
        }
        #expect(throws: TextModelError.self) { try LayerCut.balanced(directory: "/nowhere", shards: 2) }
    }

    @Test func `the heaviest shard is as light as can be`() {
        #expect(LayerCut.balanced(Array(repeating: 10, count: 12), ends: 20, shards: 2) == [0..<5, 5..<12])
        #expect(LayerCut.balanced(Array(repeating: 10, count: 4), ends: 1_000, shards: 3) == [0..<1, 1..<2, 2..<4])
        #expect(LayerCut.balanced([1, 1, 1, 9], ends: 0, shards: 2) == [0..<3, 3..<4])
        #expect(LayerCut.balanced([5, 5, 5], ends: 0, shards: 3) == [0..<1, 1..<2, 2..<3])
    }
}
