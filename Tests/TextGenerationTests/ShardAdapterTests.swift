import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels
import Tokenizers

/// Adapters of a model that is cut: every part has what the adapter has for its layers.
@Suite struct ShardAdapterTests {
    private let device = Device(threadCount: 2)

    private struct Golden: Decodable { var base: String }

    private func base(_ name: String) throws -> String {
        let url = URL(fileURLWithPath: goldens + "adapters/\(name)/golden.json")
        return goldens + (try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))).base
    }

    /// The tokens and log-probabilities, to the bit, of requests with and without the adapters.
    private func requests(_ adapters: [LowRankAdapter?], _ shape: DecoderShape) throws -> [GenerationRequest] {
        try adapters.enumerated().map { index, adapter in
            let prompt = (0..<Int32(9 + index * 13)).map { ($0 * 37 + 5) % Int32(shape.vocabulary) }
            return try GenerationRequest(
                prompt: prompt, maxTokens: 12, sampling: SamplingParameters(temperature: 1, seed: UInt64(index)),
                logProbabilities: 2, promptLogProbabilities: true, ignoresEndOfText: true, adapter: adapter,
                shape: shape)
        }
    }

    private func bits(_ deltas: [GenerationDelta]) -> [String] {
        deltas.flatMap { delta in
            [delta.logProbability].compactMap { $0 }.map { "\($0.id):\($0.logProbability.bitPattern)" }
                + delta.promptLogProbabilities.map { "\($0.id):\($0.logProbability.bitPattern)" }
        }
    }

    private func whole(_ directory: String, _ names: [String?]) throws -> [[String]] {
        let loaded = try LoadedModel(directory: directory, on: device)
        let adapters = try names.map { name in
            try name.map { try LowRankAdapter(directory: goldens + "adapters/" + $0, for: loaded.model, on: device) }
        }
        var engine = try EngineCore(loaded, options: .init(cachePositions: 2_048), on: device)
        let ids = try requests(adapters, loaded.model.shape).map { try engine.add($0) }
        let deltas = try drain(&engine)
        return ids.map { bits(deltas["\($0)/0"] ?? []) }
    }

    private func cut(_ directory: String, _ cuts: [Range<Int>], _ names: [String?]) throws -> [[String]] {
        let first = try LoadedModel(directory: directory, layers: cuts[0], on: device)
        func adapters(_ model: any TextModel) throws -> [LowRankAdapter?] {
            try names.map { name in
                try name.map { try LowRankAdapter(directory: goldens + "adapters/" + $0, for: model, on: device) }
            }
        }
        var options = EngineCore.Options(cachePositions: 2_048)
        options.tokenBudget = 23
        var engine = try EngineCore(first, laterShards: cuts.count - 1, options: options, on: device)
        var later: [(core: ShardCore, adapters: [String: LowRankAdapter])] = []
        for layers in cuts.dropFirst() {
            let model = try TextModelLoader.load(directory: directory, layers: layers, on: device)
            let own = try adapters(model).compactMap { $0 }
            later.append(
                (
                    try ShardCore(model, cachePositions: 2_048, on: device),
                    Dictionary(own.map { ($0.contentID, $0) }) { first, _ in first }
                ))
        }
        let ids = try requests(adapters(first.model), first.model.shape).map { try engine.add($0) }
        var deltas: [UInt64: [GenerationDelta]] = [:]
        while !engine.isIdle {
            guard var call = try engine.begin(group: 0) else { continue }
            var shard = 0
            pass: while true {
                let answer = try later[shard].core.forward(call, owner: "test", adapters: later[shard].adapters)
                switch try engine.take(answer, group: 0) {
                case .call(let next, let place): (call, shard) = (next, place)
                case .finished(let brought):
                    for delta in brought { deltas[delta.request, default: []].append(delta) }
                    break pass
                }
            }
        }
        return ids.map { bits(deltas[$0] ?? []) }
    }

    @Test(
        arguments: [
            ["llama-list", nil, "llama-all"], ["llama-dora", "llama-lora-bias"], ["llama-tokens", "llama-saved"],
            ["llama-embedding", nil], ["gpt2-joint", "gpt2-layer", nil], ["gpt2-dora"], ["phi3-joint", nil],
            ["gemma2-all", "gemma2-tokens"], ["qwen2-bias-all", "qwen2-gguf"], ["glm4-all"], ["olmo2-all"],
            ["qwen3-moe-attention"], ["llama-gguf", nil],
        ] as [[String?]]) func `requests with adapters get from shards the bits of the whole model`(names: [String?])
        throws
    {
        let directory = try base(names.compactMap { $0 }.first ?? "")
        let layers = try TextModelLoader.load(directory: directory, on: device).shape.layers
        let expected = try whole(directory, names)
        #expect(expected.count == names.count && expected.allSatisfy { $0.count > 12 })
        #expect(try cut(directory, (0..<layers).map { $0..<$0 + 1 }, names) == expected, "\(names)")
    }

    @Test(arguments: [
        "llama-list", "llama-all", "llama-dora", "llama-embedding", "llama-saved", "gpt2-layer", "gemma2-tokens",
        "qwen2-bias-own", "llama-gguf/adapter.gguf", "qwen2-gguf/adapter.gguf",
    ]) func `an adapter has one identity, whichever layers are here`(name: String) throws {
        let directory = try base(String(name.split(separator: "/")[0])), path = goldens + "adapters/" + name
        let model = try TextModelLoader.load(directory: directory, on: device)
        let whole = try LowRankAdapter(directory: path, for: model, on: device)
        var updates = 0
        for layer in 0..<model.shape.layers {
            let part = try TextModelLoader.load(directory: directory, layers: layer..<layer + 1, on: device)
            let own = try LowRankAdapter(directory: path, for: part, on: device)
            #expect(own.contentID == whole.contentID, "\(name), layer \(layer)")
            #expect((own.embedding != nil) == (layer == 0 && whole.embedding != nil))
            #expect((own.head != nil) == (layer == 0 && whole.head != nil))
            updates += own.updateCount
        }
        #expect(updates == whole.updateCount && model.shape.layers > 1)
    }

    @Test func `what is wrong with a layer's part is said where the layer is`() throws {
        let directory = goldens + "llama"
        let parts = try (0..<2).map { try TextModelLoader.load(directory: directory, layers: $0..<$0 + 1, on: device) }
        func refusals(_ change: (inout [String: Tensor]) throws -> Void) throws -> [String?] {
            let copy = try adapterCopy("llama-all", tensors: change)
            return parts.map { part in
                do {
                    _ = try LowRankAdapter(directory: copy.path, for: part, on: device)
                    return nil
                } catch {
                    return "\(error)"
                }
            }
        }
        let name = "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"
        let missing = try refusals { $0[name] = nil }
        #expect(missing[0] == nil && missing[1]?.contains("lora_A") == true)
        let unknown = try refusals { tensors in
            tensors[name.replacing("q_proj", with: "r_proj")] = tensors[name]
        }
        #expect(unknown[0] == nil && unknown[1]?.contains("r_proj") == true)
        // A layer that the model does not have is wrong everywhere.
        let beyond = try refusals { tensors in tensors[name.replacing("layers.1", with: "layers.7")] = tensors[name] }
        #expect(beyond.allSatisfy { $0?.contains("layers.7") == true })
    }

    @Test func `a shard without the adapter refuses the call, and computes others`() throws {
        let model = try TextModelLoader.load(directory: goldens + "llama", layers: 1..<2, on: device)
        var core = try ShardCore(model, cachePositions: 64, on: device)
        func call(_ adapter: String) throws -> ShardCall {
            try ShardCall(
                checking: [
                    .init(sequence: 1, start: 0, count: 2, outputs: 1, tokens: [1, 2], root: "", adapter: adapter)
                ],
                shape: model.shape
            ) { try Tensor(zeros: $0) }
        }
        #expect(throws: TextModelError.self) { try core.forward(call("abc"), owner: "test") }
        guard case .rows = try core.forward(call(""), owner: "test") else {
            Issue.record("no rows")
            return
        }
        #expect(throws: TextModelError.self) { try call(String(repeating: "a", count: 65)) }
    }
}
