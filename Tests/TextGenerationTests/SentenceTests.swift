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
    var scores: [Float]?
}

private let sentences = goldens + "sentences/"

/// Embeddings and scores against what sentence-transformers makes of the folders that it saved.
@Suite struct SentenceTests {
    let device = Device(threadCount: 2)

    private func golden(_ name: String) throws -> Golden {
        try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: URL(fileURLWithPath: sentences + name + "/golden.json")))
    }

    /// What is made of each text, in order, by whatever engine the checkpoint needs.
    private func results(
        _ loaded: LoadedText, _ texts: [TokenizedText], _ reading: GenerationRequest.Reading, budget: Int = 256
    ) throws -> [[Float]] {
        func request(_ text: TokenizedText, _ shape: DecoderShape, _ types: Int) throws -> GenerationRequest {
            reading == .embedding
                ? try .embedding(of: text.ids, shape: shape)
                : try .score(of: text.ids, types: text.typeIDs, tokenTypes: types, shape: shape)
        }
        var found: [UInt64: [Float]] = [:]
        var numbers: [UInt64] = []
        switch loaded {
        case .decoder(let decoder):
            var options = EngineCore.Options(cachePositions: 4_096)
            options.tokenBudget = budget
            var engine = try EngineCore(decoder, options: options, on: device)
            numbers = try texts.map { try engine.add(request($0, decoder.model.shape, 1)) }
            while !engine.isIdle { for delta in try engine.step() { found[delta.request] = delta.embedding } }
            if reading == .score {
                // Pairs that begin alike share pages, and no bit changes.
                let again = try texts.map { try engine.add(request($0, decoder.model.shape, 1)) }
                while !engine.isIdle { for delta in try engine.step() { found[delta.request] = delta.embedding } }
                #expect(engine.statistics.prefixHits > 0 && again.map { found[$0] } == numbers.map { found[$0] })
            }
        case .encoder(let encoder):
            var options = EncoderCore.Options()
            options.tokenBudget = budget
            var engine = EncoderCore(encoder, options: options, on: device)
            numbers = try texts.map { try engine.add(request($0, encoder.shape, encoder.encoder.tokenTypes)) }
            while !engine.isIdle { for delta in try engine.step() { found[delta.request] = delta.embedding } }
        }
        return numbers.map { found[$0] ?? [] }
    }

    @Test(arguments: ["poolings", "dense", "last"]) func `embeddings are sentence-transformers'`(name: String) throws {
        let golden = try golden(name), loaded = try LoadedText(directory: sentences + name, on: device)
        let files = loaded.abilities.files
        let prefix = files.prompts.first { $0.name == files.defaultPrompt }?.text ?? ""
        let texts = try (golden.texts ?? []).map {
            try loaded.tokenizer.encode(prefix + $0, truncation: files.lengthLimit.map { Truncation(maxLength: $0) })
        }
        let found = try results(loaded, texts, .embedding)
        let expected = try #require(golden.embeddings)
        #expect(found.count == expected.count && files.isNormalized == (name != "poolings"))
        #expect(files.lengthLimit == (name == "dense" ? 20 : 512) && (name == "dense") == (prefix == "the "))
        for (vector, expected) in zip(found, expected) {
            let vector = files.isNormalized ? UnitVector.scaling(vector) : vector
            #expect(vector.count == expected.count && vector.count == loaded.abilities.embeddingWidth)
            let worst = zip(vector, expected).map { abs($0 - $1) / (1 + abs($1)) }.max() ?? 1
            #expect(worst <= 1e-4, "\(name): \(worst)")
        }
        #expect(try results(loaded, texts, .embedding, budget: 7) == found)
        #expect(try texts.reversed().map { try results(loaded, [$0], .embedding)[0] } == found.reversed())
    }

    @Test(arguments: [
        "sigmoid", "identity", "verdict", "qwen3-classifier", "llama-classifier", "gemma2-classifier",
        "gpt2-classifier",
    ]) func `scores are CrossEncoder's`(name: String) throws {
        let golden = try golden(name), loaded = try LoadedText(directory: sentences + name, on: device)
        #expect(loaded.abilities.scoresConversations == (name == "verdict"))
        let query = try #require(golden.query)
        let texts = try (golden.documents ?? []).map { document in
            guard name == "verdict" else { return try loaded.tokenizer.encodePair(query, document) }
            let messages = [
                ChatMessage(role: "query", content: query), ChatMessage(role: "document", content: document),
            ]
            let ids = try loaded.tokenizer.renderChat(messages)
            return TokenizedText(ids: ids, typeIDs: Array(repeating: 0, count: ids.count))
        }
        let found = try results(loaded, texts, .score)
        let expected = try #require(golden.scores)
        #expect(found.count == expected.count && found.allSatisfy { $0.count == 1 } && Set(expected).count > 3)
        for (score, expected) in zip(found, expected) {
            #expect(abs((score.first ?? .nan) - expected) <= 1e-4 * (1 + abs(expected)), "\(name)")
        }
        #expect(try results(loaded, texts, .score, budget: 7) == found)
        // It does this and nothing else.
        #expect(throws: TextModelError.self) { try results(loaded, texts, .embedding) }
    }

    @Test func `an encoder refuses what it does not do, and takes suspects alone`() throws {
        let loaded = try LoadedEncoder(directory: sentences + "poolings", on: device)
        var engine = EncoderCore(loaded, on: device)
        #expect(throws: TextModelError.self) {
            try engine.add(
                GenerationRequest(
                    prompt: [1], maxTokens: 1, sampling: SamplingParameters(seed: 1), shape: loaded.shape))
        }
        #expect(throws: TextModelError.self) { try engine.add(.score(of: [1], shape: loaded.shape)) }
        #expect(throws: TextModelError.self) {
            try GenerationRequest.score(of: [1, 2], types: [0, 2], tokenTypes: 2, shape: loaded.shape)
        }
        #expect(throws: TextModelError.self) {
            try GenerationRequest.score(of: [1, 2], types: [0], tokenTypes: 2, shape: loaded.shape)
        }
        let ids = try [false, true, false].map {
            try engine.add(.embedding(of: [2, 5, 6, 3], runsAlone: $0, shape: loaded.shape))
        }
        let cancelled = try engine.add(.embedding(of: [2, 3], shape: loaded.shape))
        engine.cancel(cancelled)
        var passes: [[UInt64]] = []
        while !engine.isIdle { passes.append(try engine.step().map(\.request)) }
        #expect(passes == [[ids[0]], [ids[1]], [ids[2]]])
        let hidden = "an encoder has no layers elsewhere"
        #expect(throws: TextModelError.self, "\(hidden)") {
            try LoadedText(directory: sentences + "poolings", layers: 0..<1, on: device)
        }
        #expect {
            try LoadedModel(directory: sentences + "poolings", on: device)
        } throws: {
            "\($0)".contains("bert")
        }
    }
}
