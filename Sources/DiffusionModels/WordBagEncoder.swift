import Foundation
package import Tensors

/// The embedded model's text encoder: the mean of the known words' embeddings → linear → SiLU → linear. Words that it
/// does not know are passed over; without any the mean is 0, which is also the unconditional prompt.
package struct WordBagEncoder: Sendable {
    private struct Configuration: Decodable {
        var _class_name: String
        var words, embedding_dim, projection_dim: Int
    }

    /// Spellings, in any language, and the row of each.
    package let table: [String: Int]
    package let width: Int
    private let longest: Int
    private let embedding: [Float]
    private let embeddingWidth: Int
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
                .invalidCheckpoint, "\(path) is not a text encoder's configuration: \(UNet2DConfiguration.brief(error))"
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
        let reader = WeightReader(checkpoint: try Checkpoint(directory: directory + "/text_encoder"), device: device)
        longest = table.keys.map(\.count).max() ?? 1
        embedding = try reader.tensor("embedding.weight", [c.words, c.embedding_dim]).floats
        embeddingWidth = c.embedding_dim
        linear1 = try Linear(reader.scoped("linear_1"), c.embedding_dim, c.projection_dim)
        linear2 = try Linear(reader.scoped("linear_2"), c.projection_dim, c.projection_dim)
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

    /// `[prompts, width]`.
    package func encode(_ prompts: [String]) throws(DiffusionError) -> Tensor {
        var means: [Float] = []
        for prompt in prompts {
            let rows = rows(of: prompt)
            var mean = [Float](repeating: 0, count: embeddingWidth)
            for row in rows {
                for d in 0..<embeddingWidth { mean[d] += embedding[row * embeddingWidth + d] }
            }
            means += mean.map { $0 / Float(max(rows.count, 1)) }
        }
        do {
            let h = try linear1(try Tensor(means, shape: [prompts.count, embeddingWidth]), on: device)
            device.map(.silu, h, into: h)
            return try linear2(h, on: device)
        } catch { throw DiffusionError(error) }
    }
}
