import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels
import Tokenizers

private struct Golden: Decodable {
    var base: String
    var prompt: [Int32]
    var last: [Float]
    var third: [Float]
    /// After the greedy tokens.
    var final: [Float]
    var greedy: [Int32]
    var gap: Float
    /// How far `last` is from the base model's.
    var difference: Float

    init(_ name: String) throws {
        let url = URL(fileURLWithPath: goldens + "adapters/\(name)/golden.json")
        self = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
    }
}

private let names = [
    "llama-list", "llama-all", "llama-regex", "gpt2-joint", "gpt2-layer", "phi3-joint", "gemma2-all",
    "glm4-all", "olmo2-all", "qwen3-moe-attention", "llama-dora", "gpt2-dora", "qwen2-bias-all", "qwen2-bias-own",
    "llama-lora-bias", "llama-embedding", "llama-saved", "llama-tied-saved", "llama-tokens", "gemma2-tokens",
    "gemma2-embedding", "llama-gguf", "qwen2-gguf",
]

/// |Δ| ≤ 1e-4 · (1 + |x|), the tolerance for f32 logits.
private func agree(_ a: [Float], _ b: [Float]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-4 * (1 + abs($1)) }
}

@Suite struct AdapterTests {
    let device = Device(threadCount: 2)

    private func adapter(_ name: String, for model: any TextModel, on device: Device? = nil) throws -> LowRankAdapter {
        try LowRankAdapter(directory: goldens + "adapters/" + name, for: model, on: device ?? self.device)
    }

    @Test(arguments: names)
    func `logits agree with PEFT`(name: String) throws {
        let golden = try Golden(name)
        #expect(golden.difference > 0.1 && golden.gap > 1e-3)
        let model = try TextModelLoader.load(directory: goldens + golden.base, on: device)
        let tokens = golden.prompt + golden.greedy
        let own = try adapter(name, for: model)
        let hidden = try model.read(tokens, adapter: own, on: device)
        var rows = AdapterRows()
        rows.append(0..<tokens.count, own)
        let logits = try model.logits(hidden, rows, on: device)
        func row(_ index: Int) -> [Float] { logits.rows(index..<index + 1).floats }
        #expect(agree(row(golden.prompt.count - 1), golden.last))
        #expect(agree(row(3), golden.third))
        #expect(agree(row(tokens.count - 1), golden.final))
    }

    @Test(arguments: names)
    func `greedy decoding gives the tokens that PEFT gives`(name: String) throws {
        let golden = try Golden(name)
        let loaded = try LoadedModel(directory: goldens + golden.base, on: device)
        var engine = try EngineCore(loaded, options: .init(cachePositions: 256), on: device)
        let id = try engine.add(
            try GenerationRequest(
                prompt: golden.prompt, maxTokens: golden.greedy.count,
                sampling: try SamplingParameters(temperature: 0, seed: 0),
                adapter: try adapter(name, for: loaded.model), shape: loaded.model.shape))
        let deltas = try drain(&engine)["\(id)/0"] ?? []
        #expect(deltas.compactMap { $0.token } == golden.greedy)
    }

    /// Tokens of 20 draws for each request, with log-probabilities to the bit.
    private func run(
        _ loaded: LoadedModel, _ requests: [(prompt: [Int32], adapter: LowRankAdapter?)], tokenBudget: Int = 256,
        device: Device? = nil
    ) throws -> [[String]] {
        var options = EngineCore.Options(cachePositions: 4_096)
        options.tokenBudget = tokenBudget
        var engine = try EngineCore(loaded, options: options, on: device ?? self.device)
        return try run(&engine, requests)
    }

    private func run(
        _ engine: inout EngineCore, _ requests: [(prompt: [Int32], adapter: LowRankAdapter?)]
    ) throws -> [[String]] {
        let shape = engine.loaded.model.shape
        let ids = try requests.map { request in
            try engine.add(
                try GenerationRequest(
                    prompt: request.prompt, maxTokens: 20, sampling: try SamplingParameters(temperature: 1, seed: 7),
                    logProbabilities: 2, adapter: request.adapter, shape: shape))
        }
        let deltas = try drain(&engine)
        return ids.map { id in
            (deltas["\(id)/0"] ?? []).map {
                "\($0.token ?? -1) \($0.logProbability.map { $0.logProbability.bitPattern } ?? 0)"
            }
        }
    }

    @Test(
        arguments: [
            ("llama", ["llama-list", "llama-all", "llama-regex"]), ("gpt2", ["gpt2-joint", "gpt2-layer"]),
            ("llama", ["llama-dora", "llama-embedding", "llama-saved", "llama-tokens", "llama-lora-bias"]),
            ("gemma2", ["gemma2-tokens", "gemma2-embedding"]),
            ("phi3", ["phi3-joint"]), ("gemma2", ["gemma2-all"]),
            ("glm4", ["glm4-all"]), ("qwen3-moe", ["qwen3-moe-attention"]),
        ], [Precision.auto, .int8])
    func `a choice is the same alone and among other adapters and none, in chunks, on one thread and without SIMD`(
        model: (base: String, adapters: [String]), precision: Precision
    ) throws {
        let loaded = try LoadedModel(directory: goldens + model.base, precision: precision, on: device)
        // Every adapter and none, several times over and interleaved; prompts of different lengths.
        let adapters = try model.adapters.map { try adapter($0, for: loaded.model) } as [LowRankAdapter?] + [nil]
        let requests = (0..<12).map { index in
            (
                prompt: (0..<Int32(3 + index * 5)).map { ($0 * 37 + Int32(index / adapters.count) * 11) % 256 },
                adapter: adapters[index % adapters.count]
            )
        }
        let together = try run(loaded, requests)
        #expect(together.allSatisfy { $0.count == 20 })
        #expect(try run(loaded, requests, tokenBudget: 7) == together)
        #expect(try run(loaded, requests.reversed()) == together.reversed())
        for (request, expected) in zip(requests, together) {
            #expect(try run(loaded, [request]) == [expected])
        }
        let one = Device(threadCount: 1)
        #expect(try run(loaded, requests, device: one) == together)
        for set in Device.InstructionSet.available {
            let device = Device(threadCount: 1, instructionSet: set)
            let loadedAnew = try model.adapters.map { try adapter($0, for: loaded.model, on: device) }
            let requests = requests.prefix(adapters.count).enumerated().map { index, request in
                (prompt: request.prompt, adapter: loadedAnew.indices.contains(index) ? loadedAnew[index] : nil)
            }
            #expect(try run(loaded, requests, device: device) == Array(together.prefix(adapters.count)), "\(set)")
        }
    }

    @Test func `requests share pages only with those of the same adapter's content, and drafts change nothing`() throws
    {
        let loaded = try LoadedModel(directory: goldens + "llama", on: device)
        let prompt = (0..<100).map { Int32($0 * 29 % 256) }
        let same = try adapterCopy("llama-list", ["target_modules": ".*[qv]_proj"])
        let adapters = [
            nil, try adapter("llama-list", for: loaded.model), try adapter("llama-all", for: loaded.model),
            try LowRankAdapter(directory: same.path, for: loaded.model, on: device),
        ]
        withExtendedLifetime(same) {}
        let alone = try adapters.map { try run(loaded, [(prompt, $0)])[0] }
        #expect(alone[1] == alone[3] && Set(alone).count == 3)
        for looksUpDrafts in [false, true] {
            var options = EngineCore.Options(cachePositions: 4_096)
            options.looksUpDrafts = looksUpDrafts
            var engine = try EngineCore(loaded, options: options, on: device)
            for round in 0..<2 {
                for (index, adapter) in adapters.enumerated() {
                    let before = engine.statistics.prefixHits
                    #expect(try run(&engine, [(prompt, adapter)]) == [alone[index]])
                    let isKnown = round > 0 || index == 3
                    #expect(engine.statistics.prefixHits - before == (isKnown ? 96 : 0))
                }
            }
        }
    }

    @Test func `adapters change what they are for and nothing else`() throws {
        let loaded = try LoadedModel(directory: goldens + "llama", on: device)
        let (list, all) = (try adapter("llama-list", for: loaded.model), try adapter("llama-all", for: loaded.model))
        #expect(list.updateCount == 4 && all.updateCount == 14)
        let prompt = (0..<30).map { Int32($0 * 29 % 256) }
        let outcomes = try run(loaded, [(prompt, nil), (prompt, list), (prompt, all), (prompt, nil)])
        #expect(outcomes[0] == outcomes[3] && Set(outcomes).count == 3)
        // Without any adapter in the batch the bits are the same too.
        #expect(try run(loaded, [(prompt, nil)]) == [outcomes[0]])
    }

    @Test func `the identity is what an adapter computes, and neither its name nor how the file spells it`() throws {
        let model = try TextModelLoader.load(directory: goldens + "llama", on: device)
        let original = try adapter("llama-list", for: model)
        func id(
            _ config: [String: Any?] = [:], tensors change: (inout [String: Tensor]) throws -> Void = { _ in }
        ) throws -> String {
            let directory = try adapterCopy("llama-list", config, tensors: change)
            defer { withExtendedLifetime(directory) {} }
            return try LowRankAdapter(directory: directory.path, for: model, on: device).contentID
        }
        #expect(original.contentID.count == 64)
        #expect(try id() == original.contentID)
        #expect(try id(["target_modules": ".*[qv]_proj"]) == original.contentID)
        #expect(
            try id { tensors in
                tensors = Dictionary(
                    uniqueKeysWithValues: tensors.map {
                        ($0.replacing("base_model.model.", with: "").replacing(".weight", with: ".default.weight"), $1)
                    })
            } == original.contentID)
        #expect(
            try id { tensors in
                tensors = Dictionary(
                    uniqueKeysWithValues: tensors.map { ($0.replacing("model.model.layers", with: "model.layers"), $1) }
                )
            } == original.contentID)
        // α/√r of 4 is α/r of 8.
        #expect(try id(["use_rslora": true, "lora_alpha": 4]) == original.contentID)
        #expect(try id(["lora_alpha": 9]) != original.contentID)
        #expect(
            try id { tensors in
                let name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
                tensors[name]?[7] += 1e-6
            } != original.contentID)
        #expect(try adapter("llama-all", for: model).contentID != original.contentID)
        let base = "0123"
        #expect(NumericsID.adapted(base, by: original.contentID) != base)
        #expect(
            NumericsID.adapted(base, by: original.contentID) != NumericsID.adapted("4567", by: original.contentID))
    }

    @Test(arguments: ["llama-gguf", "qwen2-gguf"])
    func `llama_cpp's file of an adapter is the adapter, by its file or alone in a folder`(name: String) throws {
        let model = try TextModelLoader.load(directory: goldens + (try Golden(name)).base, on: device)
        let original = try adapter(name, for: model), file = goldens + "adapters/\(name)/adapter.gguf"
        let folder = try TemporaryDirectory()
        try FileManager.default.copyItem(atPath: file, toPath: folder.path + "/a.gguf")
        for path in [file, folder.path] {
            let own = try LowRankAdapter(directory: path, for: model, on: device)
            #expect(own.contentID == original.contentID && own.updateCount == original.updateCount)
            #expect(try LowRankAdapter.baseModel(directory: path) == nil)
        }
        let other = try TextModelLoader.load(directory: goldens + "gpt2", on: device)
        #expect(throws: TextModelError.self) { try LowRankAdapter(directory: file, for: other, on: device) }
    }

    @Test func `all-linear is every linear layer`() throws {
        let model = try TextModelLoader.load(directory: goldens + "llama", on: device)
        let all = try adapter("llama-all", for: model)
        let directory = try adapterCopy("llama-all", ["target_modules": "all-linear"])
        #expect(try LowRankAdapter(directory: directory.path, for: model, on: device).contentID == all.contentID)
        #expect(try LowRankAdapter.baseModel(directory: directory.path) == "somewhere/llama")
    }

    @Test func `an adapter that takes more than is left for it is refused before it is read`() throws {
        let model = try TextModelLoader.load(directory: goldens + "llama", on: device)
        let path = goldens + "adapters/llama-list"
        let size = try LowRankAdapter(directory: path, for: model, on: device).byteCount
        #expect(try LowRankAdapter(directory: path, for: model, byteLimit: size, on: device).byteCount == size)
        #expect { try LowRankAdapter(directory: path, for: model, byteLimit: size - 1, on: device) } throws: {
            ($0 as? TextModelError)?.code == .resourceExhausted
        }
    }
}
