import Foundation
import Testing

@testable import Tokenizers

/// Vocabularies of ranked bytes against tiktoken and mistral_common; Goldens/make_ranked.py says how.
@Suite struct RankedBytesTests {
    private struct Vector: Decodable {
        var text: String
        var ids: [Int32]
    }

    private let goldens = Bundle.module.bundlePath + "/Goldens/"

    @Test(arguments: ["tiktoken-tiny", "tekken-tiny"]) func `ids are those of the file's own library`(name: String)
        throws
    {
        let data = try Data(contentsOf: URL(fileURLWithPath: goldens + "ranked.json"))
        let vectors = try #require(JSONDecoder().decode([String: [Vector]].self, from: data)[name])
        let tokenizer = try Tokenizer(directory: goldens + name)
        for vector in vectors {
            // Mistral's library never reads control tokens in a text.
            let ids = tokenizer.encode(
                vector.text, addSpecialTokens: false, parseSpecialTokens: name == "tiktoken-tiny")
            #expect(ids == vector.ids, "\(vector.text.debugDescription.prefix(60))")
            #expect(try tokenizer.decode(ids, skipSpecialTokens: false).utf8.elementsEqual(vector.text.utf8))
        }
    }

    @Test func `special tokens stand where the formats put them`() throws {
        let tekken = try Tokenizer(directory: goldens + "tekken-tiny")
        #expect(tekken.id(of: "[INST]") == 3 && tekken.id(of: "<SPECIAL_9>") == 9 && tekken.vocabulary.count == 400)
        #expect(tekken.encode("a", addSpecialTokens: true).first == 1 && tekken.endOfText == 2)
        let tiktoken = try Tokenizer(directory: goldens + "tiktoken-tiny")
        #expect(tiktoken.endOfText == 100_257 && tiktoken.id(of: "<|endofprompt|>") == 100_276)
        #expect(!tiktoken.encode("<|endoftext|>", addSpecialTokens: true).contains(100_257))
    }

    @Test(arguments: [
        ("tiktoken-tiny/cl100k_base.tiktoken", "IQ== 33", "IQ== 34", "rank 34 again"),
        ("tiktoken-tiny/cl100k_base.tiktoken", "IQ== 33", "Ig== 33", "has the bytes of another one"),
        ("tiktoken-tiny/cl100k_base.tiktoken", "IQ== 33\n", "", "the byte"),
        ("tiktoken-tiny/cl100k_base.tiktoken", "IQ== 33", "?Q== 33", "line"),
        ("tiktoken-tiny/cl100k_base.tiktoken", "IQ== 33", "IQ== 3999999", "rank below 262144"),
        ("tekken-tiny/tekken.json", "\"default_vocab_size\": 400", "\"default_vocab_size\": 4000000", "up to 262144"),
        (
            "tekken-tiny/tekken.json", "\"default_vocab_size\": 400", "\"default_vocab_size\": 4000",
            "default_vocab_size"
        ),
        ("tekken-tiny/tekken.json", "\"rank\": 7,", "\"rank\": 8,", "entry 7"),
        ("tekken-tiny/tekken.json", "[/INST]", "[INST]", "[INST]"),
        ("tekken-tiny/tekken.json", "pattern", "patter", "pattern"),
    ])
    func `what is wrong in a file is named`(file: String, old: String, new: String, says: String) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var text = try String(contentsOf: URL(fileURLWithPath: goldens + file), encoding: .utf8)
        let range = try #require(text.range(of: old))
        text.replaceSubrange(range, with: new)
        let name = file.split(separator: "/")[1]
        try Data(text.utf8).write(to: folder.appendingPathComponent(String(name)))
        #expect { try Tokenizer(directory: folder.path) } throws: {
            "\($0)".contains(says) && "\($0)".contains(name)
        }
    }

    @Test func `ranks of which the cut is not known are refused`() throws {
        let file = try Data(contentsOf: URL(fileURLWithPath: goldens + "tiktoken-tiny/cl100k_base.tiktoken"))
        #expect { try TiktokenFile([UInt8](file), name: "other.tiktoken", place: "x") } throws: {
            "\($0)".contains("other") && "\($0)".contains("tokenizer.json")
        }
    }
}
