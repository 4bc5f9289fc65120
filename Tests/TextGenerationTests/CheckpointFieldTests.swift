import Foundation
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels
import Tokenizers

/// What a configuration or a file says and is easily passed over, against transformers 5.23;
/// Goldens/make_field_goldens.py says how.
@Suite struct CheckpointFieldTests {
    private struct Golden: Decodable {
        var prompt: [Int32]
        var last: [Float]?
        var embedding: [Float]
    }

    private let device = Device(threadCount: 2)

    private func golden(_ name: String) throws -> Golden {
        let path = goldens + "fields/\(name)/golden.json"
        return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    private func hidden(_ model: any TextModel, _ prompt: [Int32]) throws -> Tensor {
        try model.read(prompt, on: device)
    }

    private func isNear(_ a: [Float], _ b: [Float]) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-4 * (1 + abs($1)) }
    }

    @Test(arguments: [
        "tied-other-head", "tied-same-head", "gpt2-unscaled", "gpt2-other-head", "base-tied", "rope-both",
    ])
    func `logits are those of transformers`(name: String) throws {
        let golden = try golden(name)
        let model = try TextModelLoader.load(directory: goldens + "fields/\(name)", on: device)
        let hidden = try hidden(model, golden.prompt)
        let last = try model.logits(hidden.rows(hidden.rowCount - 1..<hidden.rowCount), on: device)
        let expected = try #require(golden.last)
        #expect(model.hasHead && isNear(last.floats, expected))
    }

    @Test func `a head that is the embedding again is held once`() throws {
        let once = try TextModelLoader.load(directory: goldens + "fields/tied-same-head", on: device)
        let twice = try TextModelLoader.load(directory: goldens + "fields/tied-other-head", on: device)
        #expect(once.weights.parameters + 48 * 16 == twice.weights.parameters)
    }

    private func loaded(_ name: String, _ files: [String: String] = [:]) throws -> LoadedModel {
        let directory = try TemporaryDirectory()
        for file in ["config.json", "model.safetensors", "tokenizer.json"] {
            try FileManager.default.copyItem(
                atPath: goldens + "fields/\(name)/\(file)", toPath: directory.path + "/" + file)
        }
        for (file, text) in files {
            let url = URL(fileURLWithPath: directory.path + "/" + file)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        return try LoadedModel(directory: directory.path, on: device)
    }

    private func embed(_ loaded: LoadedModel, _ prompt: [Int32]) throws -> [Float] {
        var engine = try EngineCore(loaded, options: EngineCore.Options(cachePositions: 64), on: device)
        let request = try GenerationRequest.embedding(
            of: prompt, adapter: nil, runsAlone: false, shape: loaded.model.shape)
        let number = try engine.add(request)
        let deltas = try drain(&engine)
        return try #require(deltas["\(number)/0"]?.map(\.embedding).last { !$0.isEmpty })
    }

    private func generate(_ loaded: LoadedModel) throws {
        var engine = try EngineCore(loaded, options: EngineCore.Options(cachePositions: 64), on: device)
        _ = try engine.add(
            try GenerationRequest(
                prompt: [1, 2], maxTokens: 1, sampling: try SamplingParameters(temperature: 0, seed: 0),
                shape: loaded.model.shape))
        _ = try drain(&engine)
    }

    @Test(arguments: [Float(0), 1]) func `tokens that generation_config suppresses are never chosen`(
        temperature: Float
    ) throws {
        func tokens(_ loaded: LoadedModel, bias: [Int32: Float] = [:]) throws -> [Int32] {
            var engine = try EngineCore(loaded, options: EngineCore.Options(cachePositions: 64), on: device)
            let sampling = try SamplingParameters(temperature: temperature, logitBias: bias, seed: 7)
            _ = try engine.add(
                try GenerationRequest(
                    prompt: [1, 2], maxTokens: 24, sampling: sampling, ignoresEndOfText: true,
                    shape: loaded.model.shape))
            return try drain(&engine).values.flatMap { $0 }.compactMap(\.token)
        }
        let free = try loaded("base-tied"), liked = try tokens(free)
        let kept = Array(Set(liked.prefix(8)))
        let bound = try loaded("base-tied", ["generation_config.json": "{\"suppress_tokens\": \(kept + [9_999, -1])}"])
        #expect(bound.suppressedTokens.isSuperset(of: kept))
        let own = try tokens(bound)
        #expect(Set(own).isDisjoint(with: kept) && own.count == 24)
        #expect(try own == tokens(free, bias: Dictionary(uniqueKeysWithValues: kept.map { ($0, -100) })))
    }

    @Test func `a base class without a head gives embeddings, and refuses text by the missing tensor`() throws {
        let loaded = try loaded("base"), golden = try golden("base")
        #expect(!loaded.model.hasHead)
        let sum = try embed(loaded, golden.prompt)
        let length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(isNear(sum.map { $0 / length }, golden.embedding))
        #expect { try generate(loaded) } throws: { "\($0)".contains("lm_head.weight") }
    }

    @Test(arguments: [
        (#"{"temperature": -1}"#, "temperature"), (#"{"top_p": "x"}"#, "top_p"),
        (#"{"eos_token_id": 1.5}"#, "eos_token_id"),
        ("{", "generation_config.json"), (#"{"no_repeat_ngram_size": 3}"#, "no_repeat_ngram_size"),
        (#"{"num_beams": 4}"#, "num_beams"),
        (#"{"suppress_tokens": ["x"]}"#, "suppress_tokens"),
        (#"{"begin_suppress_tokens": [1]}"#, "begin_suppress_tokens"),
    ])
    func `a fault of generation_config refuses text, and embeddings are given`(json: String, says: String) throws {
        let loaded = try loaded("base-tied", ["generation_config.json": json])
        #expect { try generate(loaded) } throws: {
            "\($0)".contains(says) && "\($0)".contains("generation_config.json")
        }
        #expect(try embed(loaded, [1, 2, 3]).count == 16)
    }

    @Test(arguments: [
        ("1_Pooling/config.json", #"{"pooling_mode": "median"}"#, "median"),
        ("1_Pooling/config.json", #"{"pooling_mode_median": true}"#, "pooling_mode_median"),
        ("1_Pooling/config.json", #"{"include_prompt": false}"#, "include_prompt"),
        ("1_Pooling/config.json", "[", "1_Pooling"),
        ("modules.json", #"[{"type": "sentence_transformers.models.LSTM", "path": "1_LSTM"}]"#, "LSTM"),
        ("modules.json", #"[{"type": "a.Transformer", "path": "0_Transformer"}]"#, "Transformer"),
        ("modules.json", #"[{"type": "a.Dense", "path": "../other"}]"#, "../other"), ("modules.json", "{}", "a list"),
        (
            "modules.json", #"[{"type": "a.Normalize", "path": ""}, {"type": "a.Pooling", "path": "x"}]"#,
            "x/config.json"
        ),
        ("config_sentence_transformers.json", #"{"default_prompt_name": "query"}"#, "default_prompt_name"),
        ("config_sentence_transformers.json", #"{"prompts": {"query": 5}}"#, "query"),
        ("sentence_bert_config.json", #"{"do_lower_case": true}"#, "do_lower_case"),
        ("sentence_bert_config.json", #"{"max_seq_length": 0}"#, "max_seq_length"),
    ])
    func `what is not computed of states refuses embeddings, and text is given`(
        file: String, json: String, says: String
    ) throws {
        let loaded = try loaded("base-tied", [file: json])
        #expect { try embed(loaded, [1, 2, 3]) } throws: { "\($0)".contains(says) }
        try generate(loaded)
    }

    @Test(arguments: [
        (#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#, 16),
        (#"{"pooling_mode_mean_tokens": false, "pooling_mode_lasttoken": true}"#, 16),
        (#"{"pooling_mode": ["max", "weightedmean"], "include_prompt": true}"#, 32),
        (#"{"word_embedding_dimension": 16, "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true}"#, 32),
    ])
    func `every pooling is computed`(json: String, width: Int) throws {
        let loaded = try loaded("base-tied", ["1_Pooling/config.json": json])
        #expect(try embed(loaded, [1, 2, 3]).count == width)
    }

    private static let both =
        #""rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}, "rope_scaling": {"rope_type": "linear", "factor": 2.0}"#

    @Test(arguments: [
        (#""is_causal": false"#, ["is_causal"]),
        (#""rope_theta": null, "rope_parameters": null"#, ["rope_theta", "null"]),
        (both, ["rope_parameters", "rope_scaling"]), (#""is_encoder_decoder": true"#, ["is_encoder_decoder"]),
        (#""rms_norm_eps": Infinity"#, ["rms_norm_eps", "Infinity"]), (#""hidden_size": "16""#, ["hidden_size"]),
    ])
    func `what is not computed is refused by name`(field: String, says: [String]) throws {
        let text = try String(contentsOfFile: goldens + "fields/rope-both/config.json", encoding: .utf8)
        var config = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        config["rope_scaling"] = nil
        for name in ["rms_norm_eps", "hidden_size", "rope_parameters"] where field.contains("\"\(name)\"") {
            config[name] = nil
        }
        let rest = String(decoding: try JSONSerialization.data(withJSONObject: config), as: UTF8.self)
        #expect { try loaded("rope-both", ["config.json": "{\(field), \(rest.dropFirst())"]) } throws: { error in
            says.allSatisfy { "\(error)".contains($0) } && "\(error)".contains("config.json")
        }
    }

    @Test func `numbers that are no JSON do no harm where nobody needs them`() throws {
        let text = try String(contentsOfFile: goldens + "fields/base-tied/config.json", encoding: .utf8)
        let odd = #"{"note": "Infinity \" NaN", "length_penalty": -Infinity, "x": [NaN, Infinity], "# + text.dropFirst()
        #expect(try loaded("base-tied", ["config.json": odd]).model.hasHead)
    }

    @Test func `weights in other files and of other types are named`() throws {
        let folder = try TemporaryDirectory()
        try FileManager.default.copyItem(
            atPath: goldens + "fields/base/config.json", toPath: folder.path + "/config.json")
        try folder.write("pytorch_model.bin", Data())
        #expect { try TextModelLoader.load(directory: folder.path, on: device) } throws: {
            "\($0)".contains("pytorch_model.bin") && "\($0)".contains("save_pretrained")
        }
        let name = "embed_tokens.weight"
        let header = #"{"\#(name)":{"dtype":"F64","shape":[48,16],"data_offsets":[0,6144]}}"#
        var file = Data((0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) })
        file.append(Data(header.utf8))
        file.append(Data(count: 6_144))
        try folder.write("model.safetensors", file)
        #expect { try TextModelLoader.load(directory: folder.path, on: device) } throws: { "\($0)".contains("F64") }
    }

    @Test func `a stop string that names a control token ends at that token`() throws {
        let json = #"{"added_tokens_decoder": {"7": {"content": "h", "special": true}}}"#
        let loaded = try loaded("base-tied", ["tokenizer_config.json": json])
        for stop in [["h"], ["zzz", "h"]] {
            var engine = try EngineCore(loaded, options: EngineCore.Options(cachePositions: 64), on: device)
            let number = try engine.add(
                try GenerationRequest(
                    prompt: [1, 2], maxTokens: 5,
                    sampling: try SamplingParameters(temperature: 0, logitBias: [7: 100], seed: 0), stop: stop,
                    shape: loaded.model.shape))
            let deltas = try #require(try drain(&engine)["\(number)/0"])
            #expect(deltas.last?.finishReason == .stop && deltas.map(\.text).joined().isEmpty)
            #expect(deltas.compactMap(\.token) == [7])
        }
    }
}
