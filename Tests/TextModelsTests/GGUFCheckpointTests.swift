import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import Tokenizers

@testable import TextGeneration
@testable import TextModels

@Suite struct GGUFCheckpointTests {
    private struct Golden: Decodable {
        var prompt: [Int32]
        var third: [Float]
        var last: [Float]
    }

    private struct BlocksGolden: Decodable {
        struct Row: Decodable { var tensor: String, row: Int32, values: [Float] }
        var prompt: [Int32]
        var rows: [String: Row]
        var exact: [Float]
        var rounded: [Float]
    }

    private let device = Device(threadCount: 2)

    private func read<T: Decodable>(_ type: T.Type, _ name: String) throws -> T {
        try JSONDecoder().decode(T.self, from: Data(contentsOf: URL(fileURLWithPath: goldens + "gguf/" + name)))
    }

    /// The logits of every position, `[T, V]`.
    private func logits(
        _ path: String, _ prompt: [Int32], activations: ActivationPrecision = .auto, on device: Device? = nil
    ) throws -> Tensor {
        let device = device ?? self.device
        let model = try TextModelLoader.load(directory: path, activations: activations, on: device)
        return try model.logits(try model.read(prompt, on: device), on: device)
    }

    @Test(arguments: [
        "llama", "llama3-scaled", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "gpt2",
        "smollm3", "granite", "olmo2", "olmo3", "exaone4", "glm4", "mixtral", "qwen3moe", "granitemoe", "olmoe",
        "gpt-oss", "lfm2", "qwen35", "gemma4", "gemma4-keys", "gemma4-moe", "gemma4-moe-apart", "qwen35moe",
        "qwen35-drafts", "deepseek2", "deepseek3", "glm4-moe-lite", "ministral3", "mistral-small3",
    ])
    func `every architecture agrees with transformers`(name: String) throws {
        let golden = try read(Golden.self, name + ".json")
        let all = try logits(goldens + "gguf/\(name).gguf", golden.prompt)
        for (row, expected) in [(3, golden.third), (golden.prompt.count - 1, golden.last)] {
            for (a, b) in zip(all.rows(row..<row + 1).floats, expected) { #expect(abs(a - b) <= 1e-4 * (1 + abs(b))) }
        }
    }

    @Test(arguments: ["llama", "gemma2", "gpt2"])
    func `floats of any type give the bits of the same checkpoint in safetensors`(name: String) throws {
        let prompt = try read(Golden.self, name + ".json").prompt
        let file = try logits(goldens + "gguf/\(name).gguf", prompt)
        #expect(try file.floats == logits(goldens + "gguf/\(name)", prompt).floats)
    }

    @Test func `rows of blocks are what gguf's own dequantiser makes of them`() throws {
        let golden = try read(BlocksGolden.self, "blocks.json")
        let checkpoint = try Architectures.read(gguf: goldens + "gguf/blocks.gguf").1
        #expect(Set(golden.rows.keys) == ["Q8_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K"])
        for (type, row) in golden.rows {
            let own = try #require(checkpoint.shape(of: row.tensor))
            let blocks = try #require(try checkpoint.blocks(row.tensor, shape: own, rows: nil))
            let y = try Tensor(zeros: [1, own[1]])
            device.gather(try PackedMatrix(blocks, on: device), ids: [row.row], into: y)
            #expect(y.floats == row.values, "\(type)")
        }
    }

    @Test func `a model of blocks computes what its weights give, but for fifteen bits of activations`() throws {
        let golden = try read(BlocksGolden.self, "blocks.json")
        let all = try logits(goldens + "gguf/blocks.gguf", golden.prompt)
        let last = all.rows(golden.prompt.count - 1..<golden.prompt.count).floats
        let away = zip(last, golden.exact).map { abs($0 - $1) }.max() ?? .infinity
        // A hundredth of what eight bits cost.
        #expect(away < 5e-4, "\(away)")
    }

    @Test func `a model of blocks computes what its weights and activations of eight bits give`() throws {
        let golden = try read(BlocksGolden.self, "blocks.json")
        let all = try logits(goldens + "gguf/blocks.gguf", golden.prompt, activations: .int8)
        let last = all.rows(golden.prompt.count - 1..<golden.prompt.count).floats
        let away = zip(last, golden.rounded).map { abs($0 - $1) }.max() ?? .infinity
        let rounding = zip(golden.exact, golden.rounded).map { abs($0 - $1) }.max() ?? 0
        // Rounding moves these logits by 0.03, the order of additions by 1e-6.
        #expect(away < 1e-5 && rounding > 0.01, "\(away) of \(rounding)")
        let scalar = Device(threadCount: 1, instructionSet: .scalar)
        let other = try logits(goldens + "gguf/blocks.gguf", golden.prompt, activations: .int8, on: scalar)
        #expect(other.floats == all.floats)
    }

    @Test func `a request's tokens do not depend on the batch, the chunks or the instruction set`() throws {
        func run(_ prompts: [[Int32]], budget: Int, on device: Device) throws -> [[Int32]] {
            let loaded = try LoadedModel(directory: goldens + "gguf/blocks.gguf", on: device)
            var options = EngineCore.Options(cachePositions: 512)
            options.tokenBudget = budget
            var engine = try EngineCore(loaded, options: options, on: device)
            let ids = try prompts.map { prompt in
                try engine.add(
                    try GenerationRequest(
                        prompt: prompt, maxTokens: 24,
                        sampling: try SamplingParameters(temperature: 1, seed: UInt64(prompt.count)),
                        shape: loaded.model.shape))
            }
            let deltas = try drain(&engine)
            return ids.map { (deltas["\($0)/0"] ?? []).compactMap(\.token) }
        }
        let prompts = (0..<6).map { index in (0...Int32(index * 3)).map { ($0 * 7 + Int32(index)) % 48 } }
        let together = try run(prompts, budget: 64, on: device)
        #expect(together.allSatisfy { $0.count == 24 } && Set(together).count > 3)
        #expect(try run(prompts, budget: 5, on: Device(threadCount: 1)) == together)
        let scalar = Device(threadCount: 1, instructionSet: .scalar)
        for index in [0, 3] {
            #expect(try run(Array(prompts[index..<index + 1]), budget: 64, on: scalar) == [together[index]])
        }
    }

    /// A golden file with some bytes in place of others; `after` skips what follows the match.
    private func load(_ name: String, _ old: String, after: Int = 0, _ new: [UInt8]) throws {
        let directory = try TemporaryDirectory()
        var data = try Data(contentsOf: URL(fileURLWithPath: goldens + "gguf/\(name).gguf"))
        let found = try #require(data.range(of: Data(old.utf8)))
        let start = after == 0 ? found.lowerBound : found.upperBound + after
        data.replaceSubrange(start..<start + new.count, with: new)
        try data.write(to: URL(fileURLWithPath: directory.path + "/model.gguf"))
        _ = try TextModelLoader.load(directory: directory.path, on: device)
    }

    @Test func `tokens that a file's tokenizer suppresses are known`() throws {
        let loaded = try LoadedModel(directory: goldens + "gguf/gemma4-moe.gguf", on: Device(threadCount: 1))
        #expect(loaded.suppressedTokens == [3, 5])
    }

    @Test func `what a file asks for and is not supported is refused by name`() throws {
        func expect(
            _ says: String..., by load: () throws -> Void, location: SourceLocation = #_sourceLocation
        ) {
            #expect(sourceLocation: location) {
                try load()
            } throws: { error in
                guard let message = (error as? TextModelError)?.message else { return false }
                return message.contains("model.gguf") && says.allSatisfy { message.contains($0) }
            }
        }
        // A matrix's entry: two dimensions of 12 + 8 bytes in all before its type.
        expect("blk.0.attn_q.weight", "IQ2_S", "Q4_K") {
            try load("llama", "blk.0.attn_q.weight", after: 20, [22, 0, 0, 0])
        }
        expect("type 77", "output.weight") { try load("llama", "output.weight", after: 20, [77, 0, 0, 0]) }
        expect("architecture", "lla_a") { try load("llama", "llama", Array("lla_a".utf8)) }
        expect("llama.block_count", "missing") {
            try load("llama", "llama.block_count", Array("llama.block_c_unt".utf8))
        }
        // A count of u32 stands after its type.
        expect("llama.attention.head_count", "5000") {
            try load("llama", "llama.attention.head_count", after: 4, [0x88, 0x13])
        }
        expect("llama.attention.value_length", "4") { try load("llama", "llama.attention.key_length", after: 4, [4]) }
        expect("ffn_gate.weight", "shape", "25") { try load("llama", "llama.feed_forward_length", after: 4, [25]) }
        expect("blk.0.ffn_xx.weight") { try load("llama", "blk.0.ffn_up.weight", Array("blk.0.ffn_xx.weight".utf8)) }
    }

    @Test func `the numerics id is over the file`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/a.gguf"
        try FileManager.default.copyItem(atPath: goldens + "gguf/llama.gguf", toPath: path)
        let before = try NumericsID.compute(directory: directory.path, tokenizerHash: "t")
        #expect(try NumericsID.compute(directory: path, tokenizerHash: "t") == before)
        var data = try Data(contentsOf: URL(fileURLWithPath: path))
        data[data.count - 1] ^= 1
        try data.write(to: URL(fileURLWithPath: path))
        #expect(try NumericsID.compute(directory: path, tokenizerHash: "t") != before)
    }

    @Test func `a GGUF file is not quantized again`() {
        #expect {
            try CheckpointQuantizer.quantize(
                directory: goldens + "gguf/llama.gguf", to: .int8, output: "/tmp/never", on: device)
        } throws: { "\($0)".contains("run as it is") }
    }
}
