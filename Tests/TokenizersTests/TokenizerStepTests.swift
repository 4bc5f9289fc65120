import Foundation
import Testing

@testable import Tokenizers

/// Steps of tokenizer.json that few files have, against Hugging Face tokenizers; Goldens/make_steps.py says how.
@Suite struct TokenizerStepTests {
    private struct Kind: Decodable {
        var name: String
        var model: Int
        var rest: String
        var vectors: [StepVector]
        var decodes: [Decode]?
        var pairs: [Pair]?
    }

    private struct Decode: Decodable {
        var ids: [Int32]
        var text: String
    }

    private struct Pair: Decodable {
        var first: String, second: String
        var length: Int
        var special: Bool
        /// nil where tokenizers refuses.
        var ids: [Int32]?
        var types: [Int32]?
    }

    private struct Goldens: Decodable {
        var models: [String]
        var kinds: [Kind]
    }

    private func kinds() throws -> [(kind: Kind, tokenizer: Tokenizer)] {
        let path = Bundle.module.bundlePath + "/Goldens/steps.json"
        let goldens = try JSONDecoder().decode(Goldens.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        #expect(goldens.kinds.count > 60)
        return try goldens.kinds.map { kind in
            let json = "{\"model\": \(goldens.models[kind.model]), \(kind.rest.dropFirst())"
            do {
                let definition = try TokenizerDefinition(
                    tokenizerJSON: JSONParser.parse(Array(json.utf8)), in: "x")
                return (
                    kind, try Tokenizer(definition, configuration: nil, template: nil, hash: "", place: "x")
                )
            } catch {
                Issue.record("\(kind.name): \(error)")
                throw error
            }
        }
    }

    @Test func `every step gives the ids and the text of Hugging Face tokenizers`() throws {
        for (kind, tokenizer) in try kinds() {
            var wrong = 0
            for vector in kind.vectors where wrong < 3 {
                let ids = tokenizer.encode(vector.text, addSpecialTokens: false, parseSpecialTokens: true)
                let whole = tokenizer.encode(vector.text, addSpecialTokens: true, parseSpecialTokens: true)
                let text = try tokenizer.decode(vector.ids, skipSpecialTokens: false)
                // Bytes that are no UTF-8 become one replacement or several, by who decodes.
                let isDecoded =
                    Array(text.utf8) == Array(vector.decoded.utf8) || vector.decoded.contains("\u{FFFD}")
                let message = Comment(rawValue: "\(kind.name): \(vector.text.debugDescription)")
                #expect(ids == vector.ids, message)
                #expect(whole == vector.whole ?? vector.ids, message)
                #expect(isDecoded, "\(kind.name): \(text.debugDescription), must \(vector.decoded.debugDescription)")
                if ids != vector.ids || !isDecoded { wrong += 1 }
            }
        }
    }

    @Test func `lists of ids become the text of Hugging Face tokenizers`() throws {
        var count = 0
        for (kind, tokenizer) in try kinds() {
            var wrong = 0
            for decode in kind.decodes ?? [] where wrong < 3 {
                count += 1
                let text = try tokenizer.decode(decode.ids, skipSpecialTokens: false)
                let isRight = Array(text.utf8) == Array(decode.text.utf8) || decode.text.contains("\u{FFFD}")
                #expect(
                    isRight,
                    "\(kind.name) \(decode.ids): \(text.debugDescription), must \(decode.text.debugDescription)")
                if !isRight { wrong += 1 }
            }
        }
        #expect(count > 3_000)
    }

    /// What is done at a text's borders is not done to a stream, which goes on behind a prompt.
    private static let bordered = ["strip", "word pieces", "marks", "suffix"]

    @Test func `a stream gives the same text, whatever the pieces it comes in`() throws {
        var count = 0
        for (kind, tokenizer) in try kinds() where kind.name.hasPrefix("decoder ") {
            if Self.bordered.contains(where: kind.name.contains) { continue }
            for decode in kind.decodes ?? [] {
                count += 1
                var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: false)
                let text = decode.ids.map { decoder.append($0) }.joined() + decoder.finish()
                let whole = try tokenizer.decode(decode.ids, skipSpecialTokens: false)
                // One token that all tokens make may be a byte.
                #expect(
                    Array(text.utf8) == Array(whole.utf8) || kind.name == "decoder bytes and replace",
                    "\(kind.name) \(decode.ids): \(text.debugDescription), must \(whole.debugDescription)")
            }
        }
        #expect(count > 2_000)
    }

    @Test func `two texts are put together as in Hugging Face tokenizers`() throws {
        var count = 0
        for (kind, tokenizer) in try kinds() {
            for pair in kind.pairs ?? [] {
                count += 1
                let text = try? tokenizer.encodePair(
                    pair.first, pair.second, addSpecialTokens: pair.special,
                    truncation: Truncation(maxLength: pair.length))
                // tokenizers does not know how many tokens a second step adds, and leaves such texts too long.
                if text?.ids != pair.ids, pair.special, pair.length < 60, kind.name.contains(", ") { continue }
                if text == nil, pair.special { continue }
                #expect(text?.ids == pair.ids && text?.typeIDs == pair.types, "\(kind.name): \(pair) \(text as Any)")
            }
        }
        #expect(count > 200)
    }
}
