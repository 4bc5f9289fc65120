import Foundation
import Layers
import Tensors

/// The embedded model's prompt encoder: the mean of the known words' embeddings → linear → SiLU → linear. Unknown words
/// are skipped. Without a known word the mean is 0, which is also the unconditional prompt.
package struct WordBagEncoder: PromptEncoder {
    private struct Configuration: Decodable {
        var _class_name: String
        var words, embedding_dim, projection_dim: Int
    }

    /// Spellings, in any language, and the row of each.
    package let table: [String: Int]
    private let width: Int
    package var conditionKind: Condition.Kind { .vector(width: width) }
    private let longest: Int
    private let embedding: Tensor  // [words, E]
    private let linear1: Linear, linear2: Linear
    private let device: Device

    /// - Parameter directory: the pipeline's; `text_encoder` and `tokenizer` lie in it.
    init(directory: String, device: Device) throws {
        let path = directory + "/text_encoder/config.json", words = directory + "/tokenizer/words.json"
        guard let json = FileManager.default.contents(atPath: path) else {
            throw DiffusionError(.invalidCheckpoint, "cannot read \(path)")
        }
        guard let wordsJSON = FileManager.default.contents(atPath: words) else {
            throw DiffusionError(.invalidCheckpoint, "cannot read \(words)")
        }
        let c: Configuration
        do { c = try JSONDecoder().decode(Configuration.self, from: json) } catch {
            throw DiffusionError(
                .invalidCheckpoint, "\(path) is not a text encoder's configuration: \(DiffusionError.brief(error))"
            )
        }
        guard c._class_name == "WordBagEncoder" else {
            throw DiffusionError(
                .unsupported, "\(path): the text encoder \(c._class_name) is not supported, only WordBagEncoder")
        }
        guard (1...1_000_000).contains(c.words), (1...65_536).contains(c.embedding_dim),
            (1...65_536).contains(c.projection_dim)
        else {
            throw DiffusionError(
                .invalidCheckpoint,
                "\(path): sizes \(c.words), \(c.embedding_dim), \(c.projection_dim) are out of range")
        }
        do { table = try JSONDecoder().decode([String: Int].self, from: wordsJSON) } catch {
            throw DiffusionError(.invalidCheckpoint, "\(words) is not a table from words to rows")
        }
        guard table.allSatisfy({ (0..<c.words).contains($0.value) && !$0.key.isEmpty }) else {
            throw DiffusionError(.invalidCheckpoint, "\(words): a row lies outside 0..<\(c.words)")
        }
        let loader = WeightLoader(
            checkpoint: try Checkpoint(directory: directory + "/text_encoder"), device: device, precision: .f32)
        longest = table.keys.map(\.count).max() ?? 1
        embedding = try loader.table("embedding.weight", shape: [c.words, c.embedding_dim])
        linear1 = try loader.linear("linear_1", outputs: c.projection_dim, inputs: c.embedding_dim, bias: true)
        linear2 = try loader.linear("linear_2", outputs: c.projection_dim, inputs: c.projection_dim, bias: true)
        width = c.projection_dim
        self.device = device
    }

    /// The rows that a prompt names, each once, ascending: Latin words whole, digits singly, other scripts by longest match.
    package func rows(of prompt: String) -> [Int] {
        var found: Set<Int> = []
        let characters = Array(prompt.lowercased())
        func isLetter(_ c: Character) -> Bool { c.isASCII && c.isLetter }
        var i = 0
        while i < characters.count {
            if isLetter(characters[i]) {
                var end = i
                while end < characters.count, isLetter(characters[end]) { end += 1 }
                if let row = table[String(characters[i..<end])] { found.insert(row) }
                i = end
                continue
            }
            var length = min(longest, characters.count - i)
            while length > 0 {
                let piece = characters[i..<i + length]
                if !piece.contains(where: isLetter), let row = table[String(piece)] {
                    found.insert(row)
                    break
                }
                length -= 1
            }
            i += max(length, 1)
        }
        return found.sorted()
    }

    /// Vectors `[prompts, width]`.
    package func encode(_ prompts: [String]) throws(DiffusionError) -> Condition {
        do {
            let means = try Tensor(zeros: [prompts.count, embedding.width])
            for (index, prompt) in prompts.enumerated() {
                let rows = rows(of: prompt), start = index * means.width
                for row in rows {
                    for d in 0..<means.width { means[start + d] += embedding[row * means.width + d] }
                }
                for d in 0..<means.width { means[start + d] /= Float(max(rows.count, 1)) }
            }
            let h = try linear1(means, AdapterRows(), on: device)
            device.map(.silu, h, into: h)
            return .vectors(try linear2(h, AdapterRows(), on: device))
        } catch { throw DiffusionError(error) }
    }
}
