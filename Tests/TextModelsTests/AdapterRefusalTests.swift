import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import TextModels

private let queryA = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
private let queryB = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"

@Suite struct AdapterRefusalTests {
    let device = Device(threadCount: 1)
    let model: any TextModel

    init() throws { model = try TextModelLoader.load(directory: goldens + "llama", on: Device(threadCount: 1)) }

    /// What the refusal says.
    private func refusal(_ directory: TemporaryDirectory) -> String? {
        do {
            _ = try LowRankAdapter(directory: directory.path, for: model, on: device)
            return nil
        } catch {
            return (error as TextModelError).message
        }
    }

    @Test(
        arguments: [
            ("r", "0"), ("r", "1025"), ("r", "-4"), ("r", "1e300"), ("r", "4.5"), ("r", #""four""#), ("r", "[4]"),
            ("lora_alpha", #""eight""#), ("lora_alpha", "1e300"), ("peft_type", #""LOHA""#), ("peft_type", "null"),
            ("use_qalora", "true"), ("bias", #""some""#), ("bias", "true"), ("use_dora", "1"), ("lora_bias", "[]+"),
            ("modules_to_save", #"["score"]"#), ("modules_to_save", "[1]"), ("trainable_token_indices", #""all""#),
            ("trainable_token_indices", "[1.5]"), ("trainable_token_indices", #"{"lm_head":[1]}"#),
            ("layer_replication", "[[0,2]]"), ("alora_invocation_tokens", "[5]"), ("something_new", #"{"a":1}"#),
            ("target_parameters", #"["x"]"#), ("init_lora_weights", #""pissa_niter_4""#),
            ("init_lora_weights", #""olora""#), ("target_modules", "null"), ("target_modules", "[]"),
            ("target_modules", "[1]"), ("target_modules", #"".*(q_proj""#), ("use_rslora", "1"),
            ("rank_pattern", "[]+"), ("rank_pattern", #"{"q_proj":0}"#), ("rank_pattern", #"{"q_(proj":2}"#),
            ("rank_pattern", #"{"q_proj":"2"}"#), ("alpha_pattern", #"{"q_proj":"1"}"#),
            ("layers_to_transform", #""first""#), ("layers_pattern", "7"),
        ])
    func `a configuration that cannot be taken is refused under its field's name`(field: String, json: String) throws {
        let directory = try adapterCopy("llama-list")
        let path = directory.path + "/adapter_config.json"
        // Written by hand, so that what is no JSON can be in it too.
        var fields = ["peft_type": #""LORA""#, "r": "4", "lora_alpha": "8", "target_modules": #"["q_proj","v_proj"]"#]
        func write() throws {
            let body = fields.map { "\"\($0)\":\($1)" }.joined(separator: ",")
            try directory.write("adapter_config.json", Data("{\(body)}".utf8))
        }
        try write()
        #expect(refusal(directory) == nil)
        fields[field] = json
        try write()
        let message = try #require(refusal(directory))
        #expect(message.contains(path) && (message.contains("\"\(field)") || message.contains("not a JSON object")))
    }

    @Test func `what a configuration promises must be in the file`() throws {
        for (field, value, word) in [
            ("use_dora", true as Any, "lora_magnitude_vector"), ("lora_bias", true, "lora_B.bias"),
            ("target_modules", ["q_proj", "v_proj", "lm_head"], "lm_head"),
            ("target_modules", ["q_proj", "v_proj", "embed_tokens"], "embed_tokens"),
            ("modules_to_save", ["lm_head"], "lm_head"), ("modules_to_save", ["embed_tokens"], "embed_tokens"),
            ("trainable_token_indices", [1, 2], "trainable_token_indices"),
        ] {
            let message = try #require(refusal(try adapterCopy("llama-list", [field: value])), "\(field)")
            #expect(message.contains(word), "\(message)")
        }
        for (name, change, word) in [
            ("llama-tokens", ["trainable_token_indices": [1, 2, 3]] as [String: Any?], "[3, 48]"),
            ("llama-tokens", ["trainable_token_indices": [1, 2, 3, 256]], "256"),
            ("llama-tokens", ["trainable_token_indices": nil], "trainable_token"),
            ("llama-saved", ["modules_to_save": ["lm_head"]], "embed_tokens"),
            ("llama-dora", ["use_dora": false], "lora_magnitude_vector"),
            ("llama-lora-bias", ["lora_bias": false], "lora_B.bias"),
            ("llama-embedding", ["ensure_weight_tying": true], "ensure_weight_tying"),
        ] {
            let message = try #require(refusal(try adapterCopy(name, change)), "\(name)")
            #expect(message.contains(word), "\(message)")
        }
    }

    @Test func `of patterns that overlap the first in the file counts, as in PEFT`() throws {
        let directory = try adapterCopy("llama-list")
        func write(_ patterns: String) throws {
            let head = #"{"peft_type":"LORA","r":4,"lora_alpha":8,"target_modules":["q_proj","v_proj"],"rank_pattern":"#
            try directory.write("adapter_config.json", Data((head + patterns + "}").utf8))
        }
        try write(#"{"q_proj":4,"self_attn.q_proj":2}"#)
        #expect(refusal(directory) == nil)
        try write(#"{"self_attn.q_proj":2,"q_proj":4}"#)
        #expect(try #require(refusal(directory)).contains("q_proj"))
    }

    @Test func `a file that is cut, no JSON, too long, or not there is refused by name`() throws {
        for bad in [Data(), Data("[]".utf8), Data("{\"r\": NaN}".utf8), Data(repeating: 0x20, count: 2 << 20)] {
            let directory = try adapterCopy("llama-list")
            try directory.write("adapter_config.json", bad)
            #expect(try #require(refusal(directory)).contains("adapter_config.json"))
        }
        let deep = try adapterCopy("llama-list")
        try deep.write("adapter_config.json", Data(String(repeating: "[", count: 100_000).utf8))
        #expect(try #require(refusal(deep)).contains("adapter_config.json"))
        let source = try Data(
            contentsOf: URL(fileURLWithPath: goldens + "adapters/llama-list/adapter_model.safetensors"))
        for count in [0, 7, 8, 100, source.count / 2, source.count - 1] {
            let directory = try adapterCopy("llama-list")
            try directory.write("adapter_model.safetensors", source.prefix(count))
            #expect(try #require(refusal(directory)).contains("adapter_model.safetensors"), "\(count) bytes")
        }
        for name in ["adapter_config.json", "adapter_model.safetensors"] {
            let directory = try adapterCopy("llama-list")
            try FileManager.default.removeItem(atPath: directory.path + "/" + name)
            #expect(try #require(refusal(directory)).contains(name))
        }
        let pickled = try adapterCopy("llama-list")
        try FileManager.default.moveItem(
            atPath: pickled.path + "/adapter_model.safetensors", toPath: pickled.path + "/adapter_model.bin")
        #expect(try #require(refusal(pickled)).contains("adapter_model.bin"))
    }

    @Test func `tensors of another shape, type, value or name are refused by name`() throws {
        func refused(
            _ parts: String..., config: [String: Any?] = [:], tensors change: (inout [String: Tensor]) throws -> Void
        ) throws {
            let message = refusal(try adapterCopy("llama-list", config, tensors: change)) ?? "nothing"
            for part in parts { #expect(message.contains(part), "\(message)") }
        }
        try refused(queryA, "[4, 47]", "[4, 48]") { $0[queryA] = try Tensor(zeros: [4, 47]) }
        try refused(queryA, "[192]") { $0[queryA] = $0[queryA]?.reshaped([192]) }
        try refused(queryB, "[48, 5]") { $0[queryB] = try Tensor(zeros: [48, 5]) }
        try refused(queryA, "[4, 48]", "[5, 48]", config: ["rank_pattern": ["q_proj": 5]]) { _ in }
        try refused("lora_B", "layers.0.self_attn.q_proj") { $0[queryB] = nil }
        try refused("lora_A", "layers.0.self_attn.q_proj") { $0[queryA] = nil }
        try refused("layers.0.self_attn.q_proj", "lora_A") { ($0[queryA], $0[queryB]) = (nil, nil) }
        try refused(queryA, "finite") { $0[queryA]?[3] = .nan }
        try refused(queryB, "finite") { $0[queryB]?[3] = -.infinity }
        try refused(queryB, "finite", config: ["lora_alpha": 1e37]) { $0[queryB]?[3] = 1e6 }
        try refused("I32") { $0[queryA] = try Tensor(zeros: [4, 48], dtype: .i32) }
        func renamed(_ old: String, _ new: String) -> (inout [String: Tensor]) -> Void {
            { $0[queryA.replacing(old, with: new)] = $0[queryA] }
        }
        try refused("layers.2.self_attn.q_proj", "no linear layer", tensors: renamed("layers.0", "layers.2"))
        try refused("layers.0.self_attn.k_proj", "target_modules", tensors: renamed("q_proj", "k_proj"))
        try refused("lm_head", tensors: renamed("model.layers.0.self_attn.q_proj", "lm_head"))
        try refused("lora_magnitude_vector", "DoRA", tensors: renamed("lora_A.weight", "lora_magnitude_vector"))
        try refused("lora_embedding_A", "embedding", tensors: renamed("lora_A.weight", "lora_embedding_A"))
        try refused("lora_A.bias", "bias", tensors: renamed("lora_A.weight", "lora_A.bias"))
        try refused("one matrix", tensors: renamed("lora_A.weight", "lora_A.default.weight"))
        try refused("lm_head.weight", tensors: renamed("model.layers.0.self_attn.q_proj.lora_A", "lm_head"))
        try refused("\"lora_A.weight\"", tensors: renamed(queryA, "lora_A.weight"))
        try refused("target_modules", config: ["layers_to_transform": 1]) { _ in }
        try refused("target_modules", config: ["exclude_modules": "model.layers.1.*"]) { _ in }
        try refused("no matrices", config: ["target_modules": ["nothing"]]) { $0 = [:] }
    }

    @Test(.timeLimit(.minutes(5))) func `an expression that would take for ever is given up`() throws {
        let directory = try adapterCopy("llama-list", ["target_modules": #"(.*.*.*.*.*.*.*.*.*.*)*!"#])
        #expect(refusal(directory)?.contains("target_modules") == true)
    }
}
