import Foundation
import Testing

@testable import Tokenizers

/// What stands around what is missing, in each family's marks.
@Suite struct FillInMiddleTests {
    /// A vocabulary of GPT-2's characters for bytes, with further tokens.
    private func tokenizer(with marks: [String], areSpecial: Bool) throws -> Tokenizer {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("fim-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let plain = tests.appendingPathComponent("TextModelsTests/Goldens/llama/tokenizer.json")
        var file = try #require(
            JSONSerialization.jsonObject(with: Data(contentsOf: plain)) as? [String: Any])
        file["added_tokens"] = marks.enumerated().map { index, mark in
            [
                "id": 256 + index, "content": mark, "special": areSpecial, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false,
            ] as [String: Any]
        }
        try JSONSerialization.data(withJSONObject: file).write(to: folder.appendingPathComponent("tokenizer.json"))
        return try Tokenizer(directory: folder.path)
    }

    @Test(arguments: FillInMiddle.all.indices, [true, false]) func `both texts stand behind their marks`(
        family: Int, areSpecial: Bool
    ) throws {
        let form = FillInMiddle.all[family]
        let tokenizer = try tokenizer(with: form.marks, areSpecial: areSpecial)
        // Who writes a mark writes its letters.
        let (text, suffix) = ("def f(\(form.suffix)", "):\n 右\(form.marks.last ?? "")")
        func letters(_ text: String) -> [Int32] {
            Array(text.utf8).flatMap { byte in tokenizer.encode([byte], trusted: []) }
        }
        let ids = try tokenizer.encodeAround(text, suffix, addSpecialTokens: true)
        let first = [256] + letters(text)
        let second = [257] + letters(suffix)
        #expect(ids == (form.suffixFirst ? second + first : first + second + [258]))
        #expect(ids.count { $0 >= 256 } == form.marks.count)
    }

    @Test func `a vocabulary without all of the marks has none`() throws {
        for marks in [[], ["<fim_prefix>", "<fim_suffix>"]] {
            let tokenizer = try tokenizer(with: marks, areSpecial: true)
            #expect(throws: TokenizerError.self) { try tokenizer.encodeAround("a", "b", addSpecialTokens: true) }
        }
    }
}
