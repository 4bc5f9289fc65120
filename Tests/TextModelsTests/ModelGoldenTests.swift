import Foundation
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels
import Tokenizers

private struct Golden: Decodable {
    var prompt: [Int32]
    var last: [Float]
    var third: [Float]
    /// After the greedy tokens; the first goldens do not have it.
    var final: [Float]?
    var greedy: [Int32]
    var gap: Float
    var prompt_logprobs: [Float]
}

private let names = [
    "llama", "llama-tied-bf16", "llama3-scaled", "llama-sharded-f16", "gpt2", "mistral", "qwen2", "qwen2-sliding",
    "qwen3", "gemma2", "gemma3", "gemma3-conditional", "phi3", "phi3-longrope", "phi3-shortrope",
    "llama-yarn", "llama-dynamic", "smollm3", "granite", "ministral3", "olmo2", "olmo3", "exaone4",
    "glm4", "mixtral", "qwen3-moe", "granite-moe", "olmoe", "gpt-oss", "gpt-oss-mxfp4", "lfm2", "qwen3.5",
    "gemma4", "gemma4-keys", "gemma4-moe", "qwen3.5-moe", "deepseek-v2", "deepseek-v3", "glm4-moe-lite",
]

private func golden(_ name: String) throws -> Golden {
    try JSONDecoder().decode(Golden.self, from: Data(contentsOf: URL(fileURLWithPath: goldens + name + "/golden.json")))
}

/// |Δ| ≤ 1e-4 · (1 + |x|), the tolerance for f32 logits.
private func agree(_ a: [Float], _ b: [Float], tolerance: Float = 1e-4) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance * (1 + abs($1)) }
}

@Suite struct ModelGoldenTests {
    let device = Device(threadCount: 2)

    @Test(arguments: names)
    func `logits agree with transformers`(name: String) throws {
        let golden = try golden(name)
        // What fifteen bits of activations cost these logits.
        let tolerance: Float = name.hasSuffix("mxfp4") ? 1e-3 : 1e-4
        let model = try TextModelLoader.load(directory: goldens + name, on: device)
        let logits = try model.logits(try model.read(golden.prompt, on: device), on: device)
        let count = golden.prompt.count
        #expect(agree(logits.rows(count - 1..<count).floats, golden.last, tolerance: tolerance))
        #expect(agree(logits.rows(3..<4).floats, golden.third, tolerance: tolerance))
        guard let final = golden.final else { return }
        let tokens = golden.prompt + golden.greedy
        let hidden = try model.read(tokens, on: device)
        let last = try model.logits(hidden.rows(tokens.count - 1..<tokens.count), on: device)
        #expect(agree(last.floats, final, tolerance: tolerance))
    }

    @Test(arguments: names)
    func `greedy decoding gives the same 200 tokens as transformers`(name: String) throws {
        let golden = try golden(name)
        #expect(golden.gap > 1e-3)
        let loaded = try LoadedModel(directory: goldens + name, on: device)
        var engine = try EngineCore(loaded, options: .init(cachePositions: 1_024), on: device)
        let request = try GenerationRequest(
            prompt: golden.prompt, maxTokens: 200, sampling: try SamplingParameters(temperature: 0, seed: 0),
            logProbabilities: 0, promptLogProbabilities: true, shape: loaded.model.shape)
        let id = try engine.add(request)
        let deltas = try drain(&engine)["\(id)/0"] ?? []
        #expect(deltas.compactMap { $0.token } == golden.greedy)
        #expect(deltas.last?.finishReason == .length)
        let logProbabilities = deltas.first?.promptLogProbabilities.map { $0.logProbability } ?? []
        #expect(agree(logProbabilities, golden.prompt_logprobs))
    }

    @Test(.enabled(if: sharedData != nil, "the shared models are not here"))
    func `stories260K writes the story that llama2_c writes`() throws {
        let source = try #require(sharedData) + "/models/stories260K/"
        let directory = try TemporaryDirectory()
        try Llama2CConverter.convert(model: source + "stories260K.bin", tokenizer: source + "tok512.bin", to: directory)
        let loaded = try LoadedModel(directory: directory.path, on: device)
        var engine = try EngineCore(loaded, options: .init(cachePositions: 512), on: device)
        let request = try GenerationRequest(
            prompt: [1], maxTokens: 200, sampling: try SamplingParameters(temperature: 0, seed: 0),
            shape: loaded.model.shape)
        let id = try engine.add(request)
        let text = try drain(&engine)["\(id)/0"]?.map { $0.text }.joined() ?? ""
        let expected = try String(contentsOfFile: source + "expected_greedy_200steps.txt", encoding: .utf8)
        #expect(text.drop { $0 == " " } == expected.trimmingCharacters(in: .newlines))
        // Its tokenizer takes the story apart again.
        #expect(loaded.tokenizer.encode("Once upon a time", addSpecialTokens: false) == [403, 407, 261, 378])
    }

    @Test(.enabled(if: sharedData != nil, "the shared models are not here"))
    func `gpt-nano-sort reproduces its published values`() throws {
        let source = try #require(sharedData) + "/models/gpt-nano-sort/"
        let weights = try PublishedTensors(source + "gpt-nano-sort-model.json")
        let values = try PublishedTensors(source + "gpt-nano-sort-t0-partials.json")
        let directory = try TemporaryDirectory()
        try weights.writeCheckpoint(to: directory)
        let model = try #require(try TextModelLoader.load(directory: directory.path, on: device) as? GPT2Model)
        let ids = try values.tensor("idx")
        let (rows, count) = (ids.shape[0], ids.shape[1])
        let cache = try model.cache(pageCount: rows, precision: .f32)
        var batch = TokenBatch()
        for row in 0..<rows {
            batch.append(ids.rows(row..<row + 1).floats.map { Int32($0) }, from: 0, pages: [Int32(row)])
        }
        var seen: [String: [Float]] = [:]
        let hidden = try model.forward(batch, cache: cache, on: device) { value, layer, tensor in
            seen["\(value) \(layer)"] = tensor.floats
        }
        // The published inner values are those of the first block; heads are joined in `y`, and parted in q, k and v.
        let inner = [
            "x": "input 0", "ln1": "attentionNorm 0", "y": "attended 0", "attnResid": "afterAttention 0",
            "ln2": "feedForwardNorm 0", "fc": "up 0", "gelu": "activated 0", "mlpResid": "output 0",
            "block0": "output 0", "block1": "output 1", "block2": "output 2",
        ]
        for (published, ours) in inner {
            let expected = try values.tensor(published).floats
            #expect(agree(try #require(seen[ours]), expected, tolerance: 1e-5), "\(published)")
        }
        let joint = try values.tensor("qkv").floats, c = model.shape.hidden
        for (part, name) in ["query 0", "key 0", "value 0"].enumerated() {
            var expected: [Float] = []
            for row in 0..<rows * count {
                let start = (row * 3 + part) * c
                expected += joint[start..<start + c]
            }
            #expect(agree(try #require(seen[name]), expected, tolerance: 1e-5), "\(name)")
        }
        #expect(agree(hidden.floats, try values.tensor("ln_f").floats, tolerance: 1e-5))
        let logits = try model.logits(hidden, on: device)
        #expect(agree(logits.floats, try values.tensor("lm_head").floats, tolerance: 1e-5))
        #expect(logits.rowCount == rows * count)
    }
}

/// llm-viz's JSON of base64 tensors.
private struct PublishedTensors {
    private let json: [String: Any]

    init(_ path: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    func tensor(_ name: String) throws -> Tensor {
        let entry = try #require(json[name] as? [String: Any])
        let shape = try #require(entry["shape"] as? [Int])
        let data = try #require((entry["data"] as? String).flatMap { Data(base64Encoded: $0) })
        let count = shape.reduce(1, *)
        return try Tensor(
            (0..<count).map { Float(bitPattern: UInt32(bitPattern: data.loadInteger(at: $0 * 4))) }, shape: shape)
    }

    /// minGPT's linear layers hold `[outputs, inputs]`, GPT-2's Conv1D `[inputs, outputs]`.
    func writeCheckpoint(to directory: TemporaryDirectory) throws {
        var tensors: [String: Tensor] = [:]
        for name in json.keys where name != "config" && !name.hasSuffix(".attn.bias") {
            let tensor = try tensor(name)
            let isLinear =
                name.contains("c_attn.weight") || name.contains("c_proj.weight") || name.contains("c_fc.weight")
            tensors[name] = isLinear ? try transposed(tensor) : tensor
        }
        try directory.write("model.safetensors", try SafetensorsWriter.encode(tensors))
        let config = try #require(json["config"] as? [String: Any])
        try directory.write(
            "config.json",
            json: [
                "model_type": "gpt2", "n_embd": config["n_embd"] ?? 0, "n_layer": config["n_layer"] ?? 0,
                "n_head": config["n_head"] ?? 0, "n_positions": config["block_size"] ?? 0,
                "vocab_size": config["vocab_size"] ?? 0, "tie_word_embeddings": false,
                "activation_function": "gelu_new",
            ])
    }

    private func transposed(_ tensor: Tensor) throws -> Tensor {
        let (rows, columns) = (tensor.shape[0], tensor.shape[1])
        let values = tensor.floats
        return try Tensor(
            (0..<rows * columns).map { values[($0 % rows) * columns + $0 / rows] }, shape: [columns, rows])
    }
}
