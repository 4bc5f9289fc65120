import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import TextGeneration

@testable import TextModels

private struct Golden: Decodable {
    var prompt: [Int32]
    var last: [Float]
    var third: [Float]
    var greedy: [Int32]
    var gap: Float
}

/// What of each checkpoint most weights are held as; nil where that is the embedding.
private let held: [String: String?] = [
    "gptq-int4-128": "int4", "gptq-int4-actorder": "q4_1", "gptq-v2-mixed": nil, "gptq-int8": "int8",
    "awq-int4": "int4 with minimums", "fp8-block": "fp8", "fp8-tensor": "fp8", "fp8-channel": "fp8",
    "fp8-experts": "fp8", "ct-int4-group": "int4 in groups of 32", "ct-int4-asym": "int4 with minimums",
    "ct-int4-actorder": "int8 in groups of 32", "ct-int4-channel": "int4", "ct-int8": "int8",
    "ct-mixed": "int4 in groups of 32", "ct-fp8": "fp8", "ct-fp8-block": "fp8", "bnb-nf4": "4-bit floats",
    "bnb-nf4-double": "4-bit floats", "bnb-fp4": "f32", "bnb-int8": "int8",
]

private func directory(_ name: String) -> String { goldens + "quantized/" + name }

private func golden(_ name: String) throws -> Golden {
    try JSONDecoder().decode(
        Golden.self, from: Data(contentsOf: URL(fileURLWithPath: directory(name) + "/golden.json")))
}

@Suite struct QuantizedCheckpointTests {
    let device = Device(threadCount: 2)

    private func logits(_ model: any TextModel, _ prompt: [Int32]) throws -> Tensor {
        var batch = TokenBatch()
        batch.append(prompt, from: 0, pages: [0])
        let cache = try model.cache(pageCount: 1, precision: .f32)
        return try model.logits(try model.forward(batch, cache: cache, on: device), on: device)
    }

    @Test(arguments: held.keys.sorted())
    func `logits are those of the weights in f32, and no precision rounds them again`(name: String) throws {
        let golden = try golden(name)
        for precision in [Precision.auto, .f32, .bf16] {
            let model = try TextModelLoader.load(directory: directory(name), precision: precision, on: device)
            let count = golden.prompt.count
            // What fifteen bits of activations cost these logits; codes of floats and what is held in f32 cost nothing.
            let isExact = name.contains("fp8") || name == "bnb-fp4" || name.contains("nf4")
            let tolerance: Float = precision == .bf16 ? 0.1 : isExact ? 1e-4 : 2e-3
            let logits = try logits(model, golden.prompt)
            for (row, expected) in [(count - 1, golden.last), (3, golden.third)] {
                let worst =
                    zip(logits.rows(row..<row + 1).floats, expected)
                    .map { abs($0 - $1) / (1 + abs($1)) }.max() ?? .infinity
                #expect(worst <= tolerance, "\(precision) row \(row)")
            }
            if let kind = held[name] ?? nil { #expect(model.weights.format.description == kind, "\(precision)") }
        }
    }

    @Test(arguments: held.keys.sorted())
    func `greedy decoding gives the same 200 tokens, also from packed weights of another process`(name: String) throws {
        let golden = try golden(name)
        #expect(golden.gap > 5e-3 && golden.greedy.count == 200)
        let loaded = try LoadedModel(directory: directory(name), on: device)
        var engine = try EngineCore(loaded, options: .init(cachePositions: 1_024), on: device)
        let request = try GenerationRequest(
            prompt: golden.prompt, maxTokens: 200, sampling: try SamplingParameters(temperature: 0, seed: 0),
            shape: loaded.model.shape)
        let id = try engine.add(request)
        #expect(try drain(&engine)["\(id)/0"]?.compactMap { $0.token } == golden.greedy)

        let home = try TemporaryDirectory()
        let cache = CacheDirectory(path: home.path)
        let bits = try logits(loaded.model, golden.prompt).floats.map(\.bitPattern)
        for isWarm in [false, true] {
            let packed = PackedCache(cache, key: "k", on: device)
            let model = try TextModelLoader.load(directory: directory(name), cache: packed, on: device)
            #expect(packed.isWarm == isWarm && packed.write())
            #expect(try logits(model, golden.prompt).floats.map(\.bitPattern) == bits)
        }
    }
}
