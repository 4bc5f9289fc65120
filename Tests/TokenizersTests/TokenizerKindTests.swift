import Foundation
import Testing

@testable import Tokenizers

/// Each kind of step of tokenizer.json against Hugging Face tokenizers, on texts of many scripts and random Unicode;
/// Goldens/make_kinds.py says how.
@Suite struct TokenizerKindTests {
    private struct Kind: Decodable {
        var name: String
        var model: Int
        var rest: String
        var vectors: [StepVector]
        var pairs: [Pair]?
    }

    private struct Pair: Decodable {
        var first: String, second: String, strategy: String, side: String
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

    private func tokenizer(_ json: String) throws -> Tokenizer {
        let parsed = try JSONParser.parse(Array(json.utf8))
        return try Tokenizer(
            TokenizerDefinition(tokenizerJSON: parsed, in: "x"), configuration: nil, template: nil, hash: "", place: "x"
        )
    }

    private func goldens() throws -> Goldens {
        let path = Bundle.module.bundlePath + "/Goldens/kinds.json"
        return try JSONDecoder().decode(Goldens.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    @Test func `two texts and what is cut off them are as in Hugging Face tokenizers`() throws {
        let goldens = try goldens()
        var count = 0
        for kind in goldens.kinds {
            let tokenizer = try tokenizer("{\"model\": \(goldens.models[kind.model]), \(kind.rest.dropFirst())")
            for pair in kind.pairs ?? [] {
                let truncation = Truncation(
                    maxLength: pair.length, strategy: try #require(Truncation.Strategy(rawValue: pair.strategy)),
                    side: try #require(Truncation.Side(rawValue: pair.side)))
                let text = try? tokenizer.encodePair(
                    pair.first, pair.second, addSpecialTokens: pair.special, truncation: truncation)
                #expect(text?.ids == pair.ids && text?.typeIDs == pair.types, "\(kind.name): \(pair)")
                count += 1
            }
        }
        #expect(count > 1_000)
    }

    @Test func `a text without room for its special tokens is refused`() throws {
        let goldens = try goldens()
        let kind = try #require(goldens.kinds.first { $0.name == "word pieces" })
        let tokenizer = try tokenizer("{\"model\": \(goldens.models[kind.model]), \(kind.rest.dropFirst())")
        let text = try tokenizer.encode("the moon", truncation: Truncation(maxLength: 3))
        #expect(text.ids.count == 3 && text.ids.first == 1 && text.ids.last == 2 && text.typeIDs == [0, 0, 0])
        #expect { try tokenizer.encode("the", truncation: Truncation(maxLength: 1)) } throws: {
            "\($0)".contains("at most 1") && "\($0)".contains("2 special")
        }
        #expect { try tokenizer.encode("the", truncation: Truncation(maxLength: 3, strategy: .onlySecond)) } throws: {
            "\($0)".contains("second")
        }
    }

    @Test func `every kind gives the ids and the text of Hugging Face tokenizers`() throws {
        let goldens = try goldens()
        #expect(goldens.kinds.count > 70)
        for kind in goldens.kinds {
            let tokenizer = try tokenizer("{\"model\": \(goldens.models[kind.model]), \(kind.rest.dropFirst())")
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

    @Test(arguments: [
        #"[\p{Han}]+|[\p{L}&&[^\p{Han}]]+|[^\p{L}]+"#, #"[\p{Lu}[\p{Ll}]]+|\s+"#, #"\w+|\W+"#, #"\b\w+\b|[^\w]+"#,
        #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{L}&&[^\p{Han}]]*[\p{Ll}&&[^\p{Han}]]+|\s+"#,
    ])
    func `a long word is one match`(pattern: String) throws {
        let expression = try PreTokenizer.compile(pattern)
        for count in [1_000, 100_000, 400_000] {
            let bytes = [UInt8](repeating: 0x61, count: count) + [0x20] + [UInt8](repeating: 0x62, count: 10)
            let found = expression.matches(in: bytes, range: 0..<bytes.count)
            #expect(found.first == 0..<count && found.last?.upperBound == bytes.count, "\(count): \(found.prefix(3))")
        }
    }

    private static let base = #""vocab": {"a": 0, "b": 1, "ab": 2, "<unk>": 3}, "merges": ["a b"]"#

    @Test(arguments: [
        (#"{"model": {"type": "Unigram", "vocab": []}}"#, ["model", "unk_id"]),
        (#"{"model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", 0.0], ["b"]]}}"#, ["model", "entry 1"]),
        (#"{"model": {"type": "Odd", "vocab": {}}}"#, ["Odd", "Unigram"]),
        (#"{"model": {"type": "BPE", "dropout": 0.1, \#(base)}}"#, ["dropout"]),
        (#"{"model": {"type": "BPE", "speed": 1, \#(base)}}"#, ["model", "speed"]),
        (#"{"padding": {"glue": 1}, "model": {"type": "BPE", \#(base)}}"#, ["padding", "glue"]),
        (
            #"{"truncation": {"max_length": 9, "strategy": "Middle"}, "model": {"type": "BPE", \#(base)}}"#,
            ["truncation", "Middle"]
        ),
        (#"{"model": {"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "[UNK]"}}"#, ["unk_token"]),
        (#"{"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "<unk>"}}"#, ["unk_token"]),
        (#"{"extra": {}, "model": {"type": "BPE", \#(base)}}"#, ["extra"]),
        (
            #"{"normalizer": {"type": "Precompiled", "precompiled_charsmap": ""}, "model": {"type": "BPE", \#(base)}}"#,
            ["normalizer", "Precompiled"]
        ),
        (
            #"{"normalizer": {"type": "Lowercase", "locale": "tr"}, "model": {"type": "BPE", \#(base)}}"#,
            ["normalizer", "locale"]
        ),
        (
            #"{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\X"}, "behavior": "Isolated", "invert": false}, "model": {"type": "BPE", \#(base)}}"#,
            ["pre_tokenizer", "\\X"]
        ),
        (
            #"{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a(?i)b|c"}, "behavior": "Isolated"}, "model": {"type": "BPE", \#(base)}}"#,
            ["(?i)"]
        ),
        (
            #"{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "[[:odd:]]"}, "behavior": "Isolated"}, "model": {"type": "BPE", \#(base)}}"#,
            ["odd"]
        ),
        (#"{"decoder": {"type": "Odd"}, "model": {"type": "BPE", \#(base)}}"#, ["decoder", "Odd"]),
        (
            #"{"post_processor": {"type": "Sequence", "processors": [{"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}, {"Sequence": {"id": "A"}}], "pair": []}, {"type": "TemplateProcessing", "single": [], "pair": []}]}, "model": {"type": "BPE", \#(base)}}"#,
            ["post_processor", "single", "2 texts"]
        ),
        (
            #"{"post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B"}}], "pair": []}, "model": {"type": "BPE", \#(base)}}"#,
            ["post_processor", "single", "B"]
        ),
        (
            #"{"post_processor": {"type": "TemplateProcessing", "single": [\#(String(repeating: #"{"Sequence": {"id": "A"}}, "#, count: 99)){"Sequence": {"id": "A"}}], "pair": []}, "model": {"type": "BPE", \#(base)}}"#,
            ["post_processor", "single", "100 pieces"]
        ),
        (#"{"model": {"type": "BPE", "vocab": {"a": 300000}, "merges": []}}"#, ["300000", "262144"]),
        (#"{"post_processor": {"type": "Odd"}, "model": {"type": "BPE", \#(base)}}"#, ["post_processor", "Odd"]),
        (
            #"{"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "special_tokens": {}}, "model": {"type": "BPE", \#(base)}}"#,
            ["post_processor", "x"]
        ),
        (
            #"{"post_processor": {"type": "BertProcessing", "sep": ["x", 99], "cls": ["a", 0]}, "model": {"type": "BPE", \#(base)}}"#,
            ["post_processor", "outside"]
        ),
        (
            #"{"added_tokens": [{"id": 4, "content": "x", "special": false, "glue": true}], "model": {"type": "BPE", \#(base)}}"#,
            ["added_tokens", "glue"]
        ),
        (#"{"model": {"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []}}"#, ["two tokens", "0"]),
    ])
    func `what is not known is refused by its name`(json: String, says: [String]) {
        #expect { try tokenizer(json) } throws: { error in
            says.allSatisfy { "\(error)".contains($0) } && "\(error)".contains("x")
        }
    }

    @Test func `a file's truncation is for callers that ask for it`() throws {
        let json =
            #"{"truncation": {"max_length": 9, "strategy": "OnlyFirst", "direction": "Left", "stride": 0}, "model": {"type": "BPE", \#(Self.base)}}"#
        let tokenizer = try tokenizer(json)
        #expect(tokenizer.truncation == Truncation(maxLength: 9, strategy: .onlyFirst, side: .left))
        #expect(tokenizer.encode(String(repeating: "a", count: 20), addSpecialTokens: true).count == 20)
    }

    @Test func `what changes nothing is passed over`() throws {
        let json =
            #"{"version": "1.0", "truncation": {"max_length": 1}, "padding": {"strategy": {"Fixed": 128}, "direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "a"}, "normalizer": null, "model": {"type": "BPE", "dropout": null, \#(Self.base)}}"#
        #expect(try tokenizer(json).encode("abab", addSpecialTokens: true) == [2, 2])
    }
}
