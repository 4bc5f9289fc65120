import Foundation
import Testing

@testable import Tokenizers

/// Models of every kind against the SentencePiece library; Goldens/make_sentencepiece.py says how.
@Suite struct SentencePieceTests {
    private struct Vector: Decodable {
        var text: String
        var ids: [Int32]
        var decoded: String
    }

    private struct Golden: Decodable {
        var name: String
        var model: Data
        /// Which of the maps belongs behind the model.
        var map: Int
        var vectors: [Vector]
    }

    private struct Goldens: Decodable {
        var maps: [Data]
        var models: [Golden]
    }

    private func goldens() throws -> Goldens {
        let path = Bundle.module.bundlePath + "/Goldens/sentencepiece.json"
        return try JSONDecoder().decode(Goldens.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    private func tokenizer(_ model: SentencePieceModel) throws -> Tokenizer {
        try Tokenizer(model.definition(), configuration: nil, template: nil, hash: "", place: "x")
    }

    @Test func `every kind of model gives the library's ids and text`() throws {
        let goldens = try goldens()
        for golden in goldens.models {
            let tokenizer = try tokenizer(SentencePieceModel([UInt8](golden.model + goldens.maps[golden.map])))
            let unknown = tokenizer.id(of: "<unk>")
            var wrong = 0
            for vector in golden.vectors where wrong < 3 {
                let ids = tokenizer.encode(vector.text, addSpecialTokens: false)
                let place = Comment(rawValue: "\(golden.name): \(vector.text.debugDescription)")
                #expect(ids == vector.ids, place)
                if ids != vector.ids {
                    wrong += 1
                    continue
                }
                // The library writes unknown tokens as ⁇.
                guard !vector.ids.contains(where: { $0 == unknown }) else { continue }
                let text = try tokenizer.decode(vector.ids)
                let isDecoded = text.contains("\u{FFFD}") || Array(text.utf8) == Array(vector.decoded.utf8)
                #expect(isDecoded, "\(place): \(text.debugDescription), must \(vector.decoded.debugDescription)")
                if !isDecoded { wrong += 1 }
            }
        }
    }
}
