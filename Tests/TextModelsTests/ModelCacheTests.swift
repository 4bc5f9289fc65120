import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels

@Suite struct ModelCacheTests {
    private let device = Device(threadCount: 2)

    private func logits(_ loaded: LoadedModel) throws -> [Float] {
        let tokens = (0..<20).map { $0 * 29 % Int32(loaded.model.shape.vocabulary) }
        let hidden = try loaded.model.read(tokens, on: device)
        return try loaded.model.logits(hidden, on: device).floats
    }

    @Test(
        arguments: ["llama", "gpt2", "phi3", "llama-sharded-f16", "gguf/blocks.gguf"], [Precision.auto, .int8, .int4])
    func `a warm start computes the bits of a cold one, from the file alone`(name: String, precision: Precision) throws
    {
        let directory = try TemporaryDirectory()
        let cache = CacheDirectory(path: directory.path)
        let plain = try LoadedModel(directory: goldens + name, precision: precision, on: device)
        let cold = try LoadedModel(directory: goldens + name, precision: precision, cache: cache, on: device)
        let expected = try logits(plain)
        #expect(try logits(cold) == expected)
        let written = try #require(cold.packedCache)
        #expect(!written.isWarm && written.write())
        #expect(try logits(cold) == expected)
        let warm = try LoadedModel(directory: goldens + name, precision: precision, cache: cache, on: device)
        #expect(warm.packedCache?.isWarm == true)
        #expect(try logits(warm) == expected)
        #expect(warm.model.weights.bytes == plain.model.weights.bytes)
    }

    @Test func `another precision or other weights are not taken from the cache`() throws {
        let directory = try TemporaryDirectory(), model = try TemporaryDirectory()
        let cache = CacheDirectory(path: directory.path)
        for file in ["config.json", "model.safetensors", "tokenizer.json"] {
            try FileManager.default.copyItem(atPath: goldens + "llama/" + file, toPath: model.path + "/" + file)
        }
        let first = try LoadedModel(directory: model.path, cache: cache, on: device)
        #expect(first.packedCache?.write() == true)
        #expect(try LoadedModel(directory: model.path, cache: cache, on: device).packedCache?.isWarm == true)
        let int8 = try LoadedModel(directory: model.path, precision: .int8, cache: cache, on: device)
        #expect(int8.packedCache?.isWarm == false)
        let path = URL(fileURLWithPath: model.path + "/model.safetensors")
        var data = try Data(contentsOf: path)
        data[data.count - 1] ^= 1
        try data.write(to: path)
        let changed = try LoadedModel(directory: model.path, cache: cache, on: device)
        #expect(changed.packedCache?.isWarm == false)
    }
}
