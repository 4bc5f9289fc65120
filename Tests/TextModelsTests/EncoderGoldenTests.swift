import Foundation
import Layers
import ModelTesting
import Tensors
import Testing
import TextModels

private struct Golden: Decodable {
    struct Text: Decodable {
        var ids: [Int32]
        var types: [Int32]
        var rows: [Int]
        var states: [[Float]]
        var mean: [Float]
        var logits: [Float]?
    }

    var texts: [Text]
}

private let encoders = goldens + "encoders/"

@Suite struct EncoderGoldenTests {
    let device = Device(threadCount: 2)

    private func golden(_ name: String) throws -> Golden {
        try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: URL(fileURLWithPath: encoders + name + "/golden.json")))
    }

    static let names = [
        "bert", "bert-masked-bf16", "bert-classifier", "distilbert", "distilbert-classifier", "roberta",
        "roberta-classifier", "xlm-roberta", "xlm-roberta-classifier", "mpnet", "mpnet-classifier", "modernbert",
        "modernbert-biased", "modernbert-classifier", "nomic_bert", "nomic_bert-published",
    ]

    @Test(arguments: names) func `states and logits agree with transformers, of texts packed together`(
        name: String
    ) throws {
        let golden = try golden(name), encoder = try TextEncoderLoader.load(directory: encoders + name, on: device)
        #expect((encoder.classifier != nil) == name.hasSuffix("-classifier"))
        var texts = PackedTexts()
        for text in golden.texts { texts.append(text.ids, types: text.types) }
        let states = try encoder.states(of: texts, on: device)
        func worst(_ found: [Float], _ expected: [Float]) -> Float {
            found.count == expected.count
                ? zip(found, expected).map { abs($0 - $1) / (1 + abs($1)) }.max() ?? 1 : .infinity
        }
        for (text, rows) in zip(golden.texts, texts.rows.texts) {
            let own = states.rows(rows)
            for (row, expected) in zip(text.rows, text.states) {
                let worst = worst(own.rows(row..<row + 1).floats, expected)
                #expect(worst <= 1e-4, "\(name) row \(row) of \(rows.count): \(worst)")
            }
            guard let classifier = encoder.classifier, let expected = text.logits else { continue }
            let pooled = try Tensor(pool(own, classifier.pooling), shape: [1, encoder.shape.hidden])
            #expect(worst(try classifier.layers(pooled, on: device).floats, expected) <= 1e-4, "\(name)")
        }
    }

    /// Only what classifiers do.
    private func pool(_ states: Tensor, _ mode: PoolingMode) -> [Float] {
        mode == .first
            ? states.rows(0..<1).floats
            : (0..<states.width).map { column in
                let sum = (0..<states.rowCount).reduce(0.0) { $0 + Double(states[$1 * states.width + column]) }
                return Float(sum / Double(states.rowCount))
            }
    }

    @Test(arguments: ["bert", "mpnet", "modernbert", "nomic_bert"])
    func `a text's states are the same alone, on one thread and without SIMD`(name: String) throws {
        let golden = try golden(name)
        func states(_ texts: [Golden.Text], _ device: Device) throws -> [UInt32] {
            let encoder = try TextEncoderLoader.load(directory: encoders + name, on: device)
            var packed = PackedTexts()
            for text in texts { packed.append(text.ids, types: text.types) }
            return try encoder.states(of: packed, on: device).floats.map(\.bitPattern)
        }
        let together = try states(golden.texts, device)
        #expect(try golden.texts.flatMap { try states([$0], device) } == together)
        #expect(try states(golden.texts, Device(threadCount: 1, instructionSet: .scalar)) == together)
    }

    private var refusals: [(String, String, Any, String)] {
        [
            ("bert", "architectures", ["BertForQuestionAnswering"], "BertForQuestionAnswering"),
            ("bert", "architectures", ["BertLMHeadModel"], "BertLMHeadModel"),
            ("bert", "is_decoder", true, "is_decoder"), ("bert", "add_cross_attention", true, "add_cross_attention"),
            ("bert", "position_embedding_type", "relative_key", "relative_key"),
            ("bert", "num_attention_heads", 5, "num_attention_heads"), ("bert", "hidden_act", "mish", "mish"),
            ("bert", "hidden_size", 1 << 40, "hidden_size"), ("bert", "type_vocab_size", 3, "token_type_embeddings"),
            ("bert", "max_position_embeddings", 511, "position_embeddings"),
            ("roberta", "pad_token_id", 319, "max_position_embeddings"),
            ("mpnet", "relative_attention_num_buckets", 6, "relative_attention_num_buckets"),
            ("modernbert", "layer_types", ["full_attention"], "layer_types"),
            ("modernbert", "local_attention", 1, "local_attention"),
            ("modernbert-classifier", "classifier_pooling", "max", "classifier_pooling"),
            ("nomic_bert-published", "prenorm", true, "prenorm"),
            ("nomic_bert-published", "activation_function", "gelu", "activation_function"),
            ("nomic_bert-published", "num_experts", 8, "num_experts"),
        ]
    }

    @Test func `what an encoder does not compute is refused by name`() throws {
        for (name, field, value, says) in refusals {
            let directory = try TemporaryDirectory()
            for file in ["model.safetensors"] {
                try FileManager.default.copyItem(
                    atPath: encoders + name + "/" + file, toPath: directory.path + "/" + file)
            }
            let data = try Data(contentsOf: URL(fileURLWithPath: encoders + name + "/config.json"))
            var config = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
            config[field] = value
            try directory.write("config.json", json: config)
            #expect("\(name) \(field)") {
                _ = try TextEncoderLoader.load(directory: directory.path, on: device)
            } throws: {
                ($0 as? TextModelError)?.message.contains(says) == true
            }
        }
    }
}
