import Foundation
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels

@Suite struct TextModelMemoryTests {
    /// Checkpoints of the tests, of every form: dense, with experts, with recurrent layers, and as GGUF files.
    private static let names = [
        "llama", "gpt2", "qwen3-moe", "mistral", "glm4", "gpt-oss", "qwen3.5", "lfm2", "gemma3", "gemma4",
    ]
    private static let checkpoints = names.map {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
            + "/TextModelsTests/Goldens/" + $0
    }.filter { FileManager.default.fileExists(atPath: $0) }

    @Test(arguments: checkpoints) func `what is told beforehand is what an engine takes`(directory: String) throws {
        let device = Device(threadCount: 1)
        for (precision, cache) in [(CachePrecision.bf16, 96), (.int8, 1_024), (.f32, 32)] {
            var options = EngineCore.Options(cachePositions: cache)
            options.cachePrecision = precision
            options.sequenceLimit = 4
            let told = try TextModelMemory(directory: directory, precision: .f32, options: options)
            let model = try TextModelLoader.load(directory: directory, precision: .f32, on: device)
            #expect(told.cache == model.cacheSize(positions: cache, precision: precision, states: options.states))
            // Norms and biases are no matrices, and a tied head may stand in the file.
            let ratio = Double(told.weights) / Double(model.weights.bytes)
            #expect((0.8...1.6).contains(ratio), "\(told.weights) told, \(model.weights.bytes) taken")
            #expect(told.total == told.weights + told.cache + told.working && told.working > 0)
        }
    }
}
