import Foundation
import ModelTesting
import Tensors
import Testing
import TextGeneration
import TextModels
import Tokenizers

private struct Golden: Decodable {
    var texts: [String]?
    var embeddings: [[Float]]?
    var query: String?
    var documents: [String]?
    var types: [[Int32]]?
    var logits: [[Float]]?
    var ids: [[Int32]]
}

private func file(_ name: String) -> String { goldens + "gguf/\(name).gguf" }

/// Encoders in llama.cpp's files: the ids of texts, and embeddings and scores against what transformers makes of the same
/// weights.
@Suite struct GGUFEncoderTests {
    private let device = Device(threadCount: 2)

    private func golden(_ name: String) throws -> Golden {
        try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: URL(fileURLWithPath: goldens + "gguf/\(name).json")))
    }

    private func results(
        _ loaded: LoadedEncoder, _ texts: [TokenizedText], _ reading: GenerationRequest.Reading
    ) throws -> [[Float]] {
        var engine = EncoderCore(loaded, options: .init(), on: device)
        let numbers = try texts.map { text in
            try engine.add(
                reading == .embedding
                    ? .embedding(of: text.ids, shape: loaded.shape)
                    : .score(
                        of: text.ids, types: text.typeIDs, tokenTypes: loaded.encoder.tokenTypes, shape: loaded.shape))
        }
        var found: [UInt64: [Float]] = [:]
        while !engine.isIdle { for delta in try engine.step() { found[delta.request] = delta.embedding } }
        return numbers.map { found[$0] ?? [] }
    }

    @Test(arguments: ["bert", "distilbert", "roberta", "xlm-roberta", "nomic-bert", "modern-bert"])
    func `embeddings are transformers'`(name: String) throws {
        let golden = try golden(name), loaded = try LoadedEncoder(directory: file(name), on: device)
        #expect(loaded.abilities.scoringFault != nil && loaded.abilities.files.isNormalized)
        let texts = try (golden.texts ?? []).map { try loaded.tokenizer.encode($0, truncation: nil) }
        #expect(texts.map(\.ids) == golden.ids, "\(name)")
        let found = try results(loaded, texts, .embedding)
        let expected = try #require(golden.embeddings)
        #expect(found.count == expected.count && found.count > 3)
        for (vector, expected) in zip(found, expected) {
            let worst = zip(UnitVector.scaling(vector), expected).map { abs($0 - $1) }.max() ?? 1
            #expect(vector.count == expected.count && worst <= 1e-5, "\(name): \(worst)")
        }
    }

    @Test(arguments: [
        "distilbert-classifier", "roberta-classifier", "xlm-roberta-classifier", "modern-bert-classifier",
    ]) func `scores are transformers'`(name: String) throws {
        let golden = try golden(name), loaded = try LoadedEncoder(directory: file(name), on: device)
        let query = try #require(golden.query)
        let pairs = try (golden.documents ?? []).map { try loaded.tokenizer.encodePair(query, $0) }
        #expect(pairs.map(\.ids) == golden.ids, "\(name)")
        let found = try results(loaded, pairs, .score)
        let expected = try #require(golden.logits)
        #expect(found.count == expected.count && Set(expected).count > 3)
        for (score, logits) in zip(found, expected) {
            let sigmoid = 1 / (1 + exp(-logits[0]))
            #expect(abs((score.first ?? .nan) - sigmoid) <= 1e-5, "\(name)")
        }
        #expect(loaded.abilities.embeddingFault != nil)
    }

    @Test func `a classifier of BERT's own is refused: the file has lost its pooler`() throws {
        #expect {
            try LoadedText(directory: file("bert-classifier"), on: device)
        } throws: {
            "\($0)".contains("cls.weight") && "\($0)".contains("pooler")
        }
    }

    /// A file with one number or word of its header changed.
    private func edited(_ name: String, _ edit: (inout Data) -> Void) throws -> String {
        var data = try Data(contentsOf: URL(fileURLWithPath: file(name)))
        edit(&data)
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).gguf").path
        try data.write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test(arguments: [
        ("bert.attention.causal", "bert.attention.cusaal"), ("bert.pooling_type", "bert.pooling_mode"),
        ("position_embd.weight", "position_embb.weight"), ("general.architecture", "general.archetectura"),
        ("blk.1.ffn_down.bias", "blk.1.ffn_doom.bias"), ("token_embd_norm.bias", "token_embd_form.bias"),
    ]) func `what is missing or not known is named`(old: String, new: String) throws {
        let path = try edited("bert") { data in
            let range = data.range(of: Data(old.utf8)) ?? 0..<0
            data.replaceSubrange(range, with: Data(new.utf8))
        }
        defer { try? FileManager.default.removeItem(atPath: path) }
        if old == "bert.attention.causal" {
            // A flag that is off under another name asks for nothing.
            _ = try LoadedText(directory: path, on: device)
            return
        }
        #expect {
            try LoadedText(directory: path, on: device)
        } throws: {
            let words = "\($0)"
            return words.contains(old.replacing(".bias", with: "")) || words.contains(new)
                || words.contains("position_embd")
        }
    }
}
