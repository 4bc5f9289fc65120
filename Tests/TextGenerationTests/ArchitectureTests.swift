import Foundation
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels
import Tokenizers

/// What holds for each architecture's own paths: windows, head norms, soft caps, joint projections, LongRoPE.
@Suite struct ArchitectureTests {
    let device = Device(threadCount: 2)

    /// Tokens of 40 draws for each prompt, with log-probabilities to the bit.
    private func run(
        _ loaded: LoadedModel, _ prompts: [[Int32]], tokenBudget: Int = 256, device: Device? = nil
    ) throws -> [[String]] {
        var options = EngineCore.Options(cachePositions: 4_096)
        options.tokenBudget = tokenBudget
        var engine = try EngineCore(loaded, options: options, on: device ?? self.device)
        let ids = try prompts.map { prompt in
            try engine.add(
                try GenerationRequest(
                    prompt: prompt, maxTokens: 40, sampling: try SamplingParameters(temperature: 1, seed: 7),
                    logProbabilities: 2, shape: loaded.model.shape))
        }
        let deltas = try drain(&engine)
        return ids.map { id in
            (deltas["\(id)/0"] ?? []).map {
                "\($0.token ?? -1) \($0.logProbability.map { $0.logProbability.bitPattern } ?? 0)"
            }
        }
    }

    @Test(arguments: [
        "mistral", "qwen2-sliding", "qwen3", "gemma2", "gemma3", "phi3", "phi3-longrope", "smollm3", "granite",
        "ministral3", "olmo2", "olmo3", "exaone4", "glm4", "mixtral", "qwen3-moe", "granite-moe", "olmoe", "gpt-oss",
        "lfm2", "qwen3.5", "gemma4", "gemma4-keys", "gemma4-moe", "qwen3.5-moe", "deepseek-v2", "deepseek-v3",
        "glm4-moe-lite",
    ])
    func `a choice is the same alone, in a crowd, in chunks, on one thread and without SIMD`(name: String) throws {
        let loaded = try LoadedModel(directory: goldens + name, on: device)
        // Some end within the window of 32 positions, some begin beyond it.
        let prompts: [[Int32]] = (0..<8).map { p in
            (0..<Int32(3 + p * 11)).map { ($0 * 37 + Int32(p) * 11) % 256 }
        }
        let together = try run(loaded, prompts)
        #expect(together.allSatisfy { $0.count == 40 })
        #expect(try run(loaded, prompts, tokenBudget: 7) == together)
        #expect(try run(loaded, prompts, device: Device(threadCount: 1)) == together)
        let scalar = Device(threadCount: 1, instructionSet: .scalar)
        #expect(try run(loaded, Array(prompts[4..<6]), device: scalar) == Array(together[4..<6]))
        for (prompt, expected) in zip(prompts, together) {
            #expect(try run(loaded, [prompt]) == [expected])
        }
    }

    /// Loads a golden checkpoint whose config.json has been changed; nil takes a field out.
    @discardableResult
    private func load(_ name: String, _ changes: [String: Any?] = [:]) throws -> any TextModel {
        let directory = try TemporaryDirectory()
        let data = try Data(contentsOf: URL(fileURLWithPath: goldens + name + "/config.json"))
        var config = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        for (key, value) in changes { config[key] = value }
        try directory.write("config.json", json: config)
        try FileManager.default.copyItem(
            atPath: goldens + name + "/model.safetensors", toPath: directory.path + "/model.safetensors")
        return try TextModelLoader.load(directory: directory.path, on: device)
    }

    /// The logits after a text that is longer than the windows.
    private func logits(_ model: any TextModel) throws -> [Float] {
        let hidden = try model.read((0..<64).map { $0 * 29 % 256 }, on: device)
        return try model.logits(hidden.rows(63..<64), on: device).floats
    }

    /// A change of a configuration, and what the refusal has to say.
    struct Refusal: Sendable, CustomTestStringConvertible {
        let model: String
        let field: String
        let json: String
        let says: [String]

        var testDescription: String { "\(model): \(field) \(json)" }

        init(_ model: String, _ field: String, _ json: String, says: String...) {
            (self.model, self.field, self.json, self.says) = (model, field, json, says)
        }
    }

    @Test(arguments: [
        Refusal("mistral", "model_type", #""deepseek_v9""#, says: "deepseek_v9", "mistral"),
        Refusal("mistral", "hidden_act", #""mish""#, says: "mish"),
        Refusal("mistral", "sliding_window", "0", says: "sliding_window", "0"),
        Refusal("mistral", "sliding_window", "-5", says: "sliding_window", "-5"),
        Refusal("mistral", "quantization_config", #"{"quant_method":"hqq"}"#, says: "quantization_config", "hqq"),
        Refusal("mistral", "head_dim", "15", says: "15"),
        Refusal("mistral", "head_dim", "8", says: "self_attn.q_proj.weight"),
        Refusal("mistral", "rope_parameters", #"{"rope_type":"proportional","factor":4}"#, says: "proportional"),
        Refusal("mistral", "rope_parameters", #"{"rope_type":"yarn","factor":-4}"#, says: "factor", "-4"),
        Refusal("mixtral", "num_experts_per_tok", "6", says: "6"),
        Refusal("mixtral", "num_experts", "4", says: "num_local_experts", "5"),
        Refusal("mixtral", "num_local_experts", "6", says: "experts.5.w1"),
        Refusal("granite-moe", "num_local_experts", "6", says: "input_linear"),
        Refusal("olmoe", "clip_qkv", "8.0", says: "clip_qkv", "is 8.0"),
        Refusal("smollm3", "no_rope_layers", "[1]", says: "1 entries"),
        Refusal("gpt-oss", "swiglu_alpha", "2.0", says: "2.0"),
        Refusal("mistral", "rope_parameters", #"{"full_attention":{"rope_type":"default"}}"#, says: "rope_type"),
        Refusal("mistral", "partial_rotary_factor", "0.5", says: "partial_rotary_factor", "0.5"),
        Refusal("qwen2", "layer_types", #"["full_attention","linear_attention"]"#, says: "layer_types", "linear_"),
        Refusal("qwen2", "layer_types", #"["full_attention","sliding_attention"]"#, says: "sliding_attention"),
        Refusal("qwen2", "layer_types", #"["full_attention"]"#, says: "layer_types", "1", "2"),
        Refusal("qwen3", "num_key_value_heads", "3", says: "3"),
        Refusal("gemma2", "hidden_activation", #""gelu_10""#, says: "gelu_10"),
        Refusal("gemma2", "use_bidirectional_attention", "true", says: "use_bidirectional_attention"),
        Refusal("gemma2", "attn_logit_softcapping", "0", says: "attn_logit_softcapping", "0"),
        Refusal("gemma2", "final_logit_softcapping", "-30", says: "final_logit_softcapping", "-30"),
        Refusal("gemma2", "query_pre_attn_scalar", "0", says: "query_pre_attn_scalar"),
        Refusal("gemma2", "sliding_window", "null", says: "sliding_attention"),
        Refusal(
            "phi3", "rope_parameters", #"{"rope_type":"default","rope_theta":1e4,"partial_rotary_factor":0.6}"#,
            says: "partial_rotary_factor", "0.6"),
        Refusal(
            "phi3-longrope", "rope_parameters", #"{"rope_type":"longrope","long_factor":[1,2],"short_factor":[1,2]}"#,
            says: "long_factor", "2", "6"),
        Refusal("phi3-longrope", "original_max_position_embeddings", "1", says: "original_max_position_embeddings"),
        Refusal("phi3", "rope_parameters", #"{"rope_type":"default","rope_theta":-1}"#, says: "rope_theta", "-1"),
    ])
    func `what a configuration asks for and is not supported is refused by name and value`(refusal: Refusal) throws {
        let value = try JSONSerialization.jsonObject(with: Data(refusal.json.utf8), options: .fragmentsAllowed)
        #expect { try load(refusal.model, [refusal.field: value]) } throws: { error in
            guard let message = (error as? TextModelError)?.message else { return false }
            return refusal.says.allSatisfy { message.contains($0) }
        }
    }

    @Test func `a file that leaves out or names otherwise what transformers writes means the same`() throws {
        // transformers 4 wrote rope_theta and rope_scaling, Microsoft "su"; neither wrote layer types.
        let rope: [String: Any] = [
            "type": "su", "short_factor": [1, 1.05, 1.1, 1.2, 1.3, 1.5], "long_factor": [1, 1.3, 2.1, 5.5, 17, 40],
        ]
        let older: [(String, [String: Any?])] = [
            ("mistral", ["rope_parameters": nil, "rope_theta": 10_000, "model_type": nil, "hidden_act": nil]),
            ("qwen2-sliding", ["layer_types": nil, "rope_parameters": nil, "rope_theta": 10_000]),
            ("gemma2", ["layer_types": nil, "rope_parameters": nil, "hidden_activation": nil, "model_type": nil]),
            ("phi3", ["rope_parameters": nil, "partial_rotary_factor": 0.5, "model_type": nil]),
            ("phi3-longrope", ["rope_parameters": nil, "rope_theta": 10_000, "rope_scaling": rope]),
        ]
        for (name, changes) in older {
            #expect(try logits(load(name, changes)) == logits(load(name)), "\(name)")
        }
    }

    @Test(arguments: [("qwen3.5", "qwen3_5"), ("qwen3.5-moe", "qwen3_5_moe"), ("gemma4", "gemma4")])
    func `the language model within a larger checkpoint is that model`(name: String, type: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: goldens + name + "/config.json"))
        let own = try JSONSerialization.jsonObject(with: data)
        let within = try load(name, ["model_type": type, "text_config": own, "num_hidden_layers": nil])
        #expect(try logits(within) == logits(load(name)))
        #expect { try load(name, ["model_type": type]) } throws: { "\($0)".contains("text_config") }
    }

    @Test func `a null switches off what a missing field leaves at the architecture's default`() throws {
        let fields =
            [("mistral", "sliding_window", 4_096), ("gemma2", "attn_logit_softcapping", 50)]
            + [("gemma2", "final_logit_softcapping", 30)]
        for (name, field, standard) in fields {
            let missing = try logits(load(name, [field: nil]))
            #expect(try missing == logits(load(name, [field: standard])), "\(field)")
            // A window of 4,096 is as good as none here; a cap is not.
            #expect(try (missing == logits(load(name, [field: NSNull()]))) == (name == "mistral"), "\(field)")
            #expect(try missing != logits(load(name)), "\(field)")
        }
    }
}
