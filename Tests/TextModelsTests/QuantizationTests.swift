import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels

/// How weights and cache are held.
struct Holding: Sendable, CustomTestStringConvertible {
    var weights: Precision
    var cache: CachePrecision
    var testDescription: String { "\(weights) weights, \(cache) cache" }
}

private let holdings = [
    Holding(weights: .f32, cache: .bf16), Holding(weights: .bf16, cache: .int8), Holding(weights: .int8, cache: .f32),
    Holding(weights: .int8, cache: .bf16), Holding(weights: .int4, cache: .int8),
]

@Suite struct QuantizationTests {
    private let device = Device(threadCount: 2)

    /// What one request brings: each token and the bits of its log-probability and of its best alternatives'.
    private func bits(
        _ name: String, _ holding: Holding, budget: Int = 256, threads: Int = 2, crowd: Int = 0,
        instructionSet: Device.InstructionSet = .detected
    ) throws -> [[UInt32]] {
        let device = Device(threadCount: threads, instructionSet: instructionSet)
        let loaded = try LoadedModel(directory: goldens + name, precision: holding.weights, on: device)
        var options = EngineCore.Options(cachePositions: 64 * (crowd + 1))
        options.cachePrecision = holding.cache
        options.tokenBudget = budget
        var engine = try EngineCore(loaded, options: options, on: device)
        func request(_ prompt: [Int32]) throws -> GenerationRequest {
            try GenerationRequest(
                prompt: prompt, maxTokens: 12, sampling: try SamplingParameters(temperature: 0, seed: 0),
                logProbabilities: 5, ignoresEndOfText: true, shape: loaded.model.shape)
        }
        for other in 0..<crowd / 2 { _ = try engine.add(try request((0..<3 + other).map { Int32($0 * 7 + other) })) }
        let id = try engine.add(try request((0..<33).map { Int32($0 * 5 % 128) }))
        for other in crowd / 2..<crowd {
            _ = try engine.add(try request((0..<3 + other).map { Int32($0 * 3 + other) }))
        }
        return (try drain(&engine)["\(id)/0"] ?? []).map { delta in
            [UInt32(bitPattern: delta.token ?? -1), delta.logProbability?.logProbability.bitPattern ?? 0]
                + (delta.logProbability?.alternatives.map { $0.logProbability.bitPattern } ?? [])
        }
    }

    @Test(arguments: ["llama", "gpt2", "gemma2", "phi3"], holdings)
    func `a choice has the same bits alone, in a crowd, in chunks, on one thread, and by the scalar reference`(
        name: String, holding: Holding
    ) throws {
        let alone = try bits(name, holding)
        #expect(alone.count == 12)
        #expect(try bits(name, holding, crowd: 24) == alone)
        #expect(try bits(name, holding, budget: 7) == alone)
        #expect(try bits(name, holding, threads: 1) == alone)
        for set in Device.InstructionSet.available {
            #expect(try bits(name, holding, instructionSet: set) == alone, "\(set)")
        }
    }

    @Test(arguments: ["llama", "gpt2", "llama-tied-bf16", "qwen3", "gemma2", "phi3"], [Precision.int8, .int4])
    func `a checkpoint that was quantized gives the bits of one that is quantized when it is loaded`(
        name: String, precision: Precision
    ) throws {
        let directory = try TemporaryDirectory()
        let output = directory.path + "/quantized"
        let result = try CheckpointQuantizer.quantize(
            directory: goldens + name, to: precision, output: output, on: device)
        #expect(result.matrices > 0 && result.bytesAfter < result.bytesBefore)
        let rows = (0..<20).map { Int32($0) }
        func logits(_ model: any TextModel) throws -> [UInt32] {
            try model.logits(try model.read(rows, on: device), on: device).floats.map(\.bitPattern)
        }
        let written = try LoadedModel(directory: output, on: device)
        let loaded = try LoadedModel(directory: goldens + name, precision: precision, on: device)
        #expect(written.model.weights.format == loaded.model.weights.format)
        #expect(written.model.weights.bytes == loaded.model.weights.bytes)
        #expect(try logits(written.model) == (try logits(loaded.model)))
        // Not over another directory, and not a second time.
        for (source, target) in [(goldens + name, output), (output, output + "-again")] {
            #expect(throws: TextModelError.self) {
                try CheckpointQuantizer.quantize(directory: source, to: precision, output: target, on: device)
            }
        }
        #expect(!FileManager.default.fileExists(atPath: output + "-again"))
    }

    @Test func `what cannot be written leaves nothing behind`() throws {
        let directory = try TemporaryDirectory()
        #expect(throws: TextModelError.self) {
            try CheckpointQuantizer.quantize(
                directory: goldens + "llama", to: .int8, output: "/proc/nothing/here", on: device)
        }
        #expect(throws: TextModelError.self) {
            try CheckpointQuantizer.quantize(
                directory: directory.path, to: .int8, output: directory.path + "/out", on: device)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
    }

    @Test(arguments: [Precision.int8, .int4]) func `whole numbers stay close to the weights`(precision: Precision)
        throws
    {
        // The angle between the logits; these tiny checkpoints' weights were made larger than a trained model's.
        let exact = try TextModelLoader.load(directory: goldens + "llama", on: device)
        let rounded = try TextModelLoader.load(directory: goldens + "llama", precision: precision, on: device)
        func logits(_ model: any TextModel) throws -> [Float] {
            try model.logits(try model.read((0..<16).map { Int32($0 * 7) }, on: device), on: device).floats
        }
        let (a, b) = (try logits(exact), try logits(rounded))
        let dot = zip(a, b).reduce(0.0) { $0 + Double($1.0 * $1.1) }
        let norms = [a, b].map { $0.reduce(0.0) { $0 + Double($1 * $1) }.squareRoot() }
        #expect(dot / (norms[0] * norms[1]) > (precision == .int8 ? 0.999 : 0.97))
    }
}
