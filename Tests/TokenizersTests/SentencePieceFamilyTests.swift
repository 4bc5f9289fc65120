import Foundation
import Testing

@testable import Tokenizers

/// SentencePiece models under the names that transformers gives their files, and rare kinds of them; Goldens/make_families.py
/// says how.
@Suite struct SentencePieceFamilyTests {
    private struct Vector: Decodable {
        var text: String
        var ids: [Int32]
        var decoded: String?
        /// With what stands around the text.
        var whole: [Int32]?
    }

    private struct Pair: Decodable {
        var first: String, second: String
        var ids: [Int32], types: [Int32]
    }

    private enum Name: Decodable {
        case id(Int32), token(String?)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            self =
                if let id = try? container.decode(Int32.self) { .id(id) } else {
                    .token(try container.decode(String?.self))
                }
        }
    }

    private struct Golden: Decodable {
        var name: String, file: String
        var model: Data
        var config: String?
        var vectors: [Vector]
        var pairs: [Pair]?
        var names: [[Name]]?
    }

    private func goldens() throws -> [Golden] {
        let path = Bundle.module.bundlePath + "/Goldens/families.json"
        return try JSONDecoder().decode([Golden].self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    /// The tokenizer of a folder with these files.
    private func tokenizer(_ files: [String: Data]) throws -> Tokenizer {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, data) in files { try data.write(to: folder.appendingPathComponent(name)) }
        return try Tokenizer(directory: folder.path)
    }

    @Test func `every family has SentencePiece's ids by transformers' numbers`() throws {
        for golden in try goldens() {
            var files = [golden.file: golden.model]
            files["tokenizer_config.json"] = golden.config.map { Data($0.utf8) }
            let tokenizer = try tokenizer(files)
            for vector in golden.vectors {
                let place = Comment(rawValue: "\(golden.name): \(vector.text.debugDescription)")
                #expect(tokenizer.encode(vector.text, addSpecialTokens: false) == vector.ids, place)
                if let whole = vector.whole {
                    #expect(tokenizer.encode(vector.text, addSpecialTokens: true) == whole, place)
                }
                guard let decoded = vector.decoded, !decoded.contains("\u{2047}") else { continue }
                #expect(try Array(tokenizer.decode(vector.ids).utf8) == Array(decoded.utf8), place)
                var stream = StreamingDecoder(tokenizer)
                let streamed = vector.ids.map { stream.append($0) }.joined() + stream.finish()
                let trimmed = decoded.drop { $0 == " " }
                #expect(Array(streamed.drop { $0 == " " }.utf8) == Array(trimmed.utf8), place)
            }
            for pair in golden.pairs ?? [] {
                let text = try tokenizer.encodePair(pair.first, pair.second)
                #expect(text.ids == pair.ids && text.typeIDs == pair.types, "\(golden.name)")
            }
            for name in golden.names ?? [] {
                guard case .id(let id) = name[0], case .token(let token?) = name[1] else { continue }
                #expect(tokenizer.id(of: token) == id, "\(golden.name): \(token)")
            }
        }
    }

    @Test func `a family is known by its class, or by the model's type`() throws {
        let golden = try #require(goldens().first { $0.file == "sentencepiece.bpe.model" })
        let fast = Data(#"{"tokenizer_class": "XLMRobertaTokenizerFast"}"#.utf8)
        let type = Data(#"{"model_type": "xlm-roberta"}"#.utf8)
        for files in [["tokenizer_config.json": fast], ["config.json": type]] {
            let tokenizer = try tokenizer(files.merging([golden.file: golden.model]) { $1 })
            #expect(tokenizer.encode(golden.vectors[3].text, addSpecialTokens: false) == golden.vectors[3].ids)
        }
    }

    @Test func `what a file's ids mean is not guessed`() throws {
        let golden = try #require(goldens().first { $0.file == "spiece.model" })
        #expect { try tokenizer([golden.file: golden.model]) } throws: {
            "\($0)".contains("spiece.model") && "\($0)".contains("T5Tokenizer")
        }
        let other = Data(#"{"tokenizer_class": "PegasusTokenizer"}"#.utf8)
        #expect { try tokenizer([golden.file: golden.model, "tokenizer_config.json": other]) } throws: {
            "\($0)".contains("PegasusTokenizer")
        }
        let roberta = Data(#"{"tokenizer_class": "XLMRobertaTokenizer"}"#.utf8)
        #expect {
            try tokenizer(["sentencepiece.bpe.model": golden.model, "tokenizer_config.json": roberta])
        } throws: {
            "\($0)".contains("sentencepiece.bpe.model") && "\($0)".contains("<unk>, <s> and </s>")
        }
    }
}
