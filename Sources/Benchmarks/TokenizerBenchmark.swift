package import Foundation
import Tokenizers

/// How fast a model's tokenizer is.
package enum TokenizerBenchmark {
    package struct Speed: Codable, Sendable {
        package var model: String
        package var inputBytes: Int
        package var tokens: Int
        /// The median of the rounds.
        package var encodeBytesPerSecond: Double
        package var decodeBytesPerSecond: Double
        /// Of the tokenizer's files, the first time, in milliseconds.
        package var loadMilliseconds: Double

        enum CodingKeys: String, CodingKey {
            case model, tokens
            case inputBytes = "input_bytes"
            case encodeBytesPerSecond = "encode_bytes_per_second"
            case decodeBytesPerSecond = "decode_bytes_per_second"
            case loadMilliseconds = "load_ms"
        }
    }

    /// Encodes a text and decodes its tokens, on one thread.
    ///
    /// - Parameters:
    ///   - directory: of the checkpoint, or its GGUF file.
    ///   - input: bytes that are not UTF-8 become U+FFFD.
    /// - Throws: `TokenizerError` that names the file at fault.
    package static func run(model: String, directory: String, input: Data, rounds: Int) throws -> Speed {
        let clock = ContinuousClock()
        var loaded: Tokenizer?
        let loading = try clock.measure { loaded = try Tokenizer(directory: directory) }
        guard let tokenizer = loaded else { throw CocoaError(.fileReadUnknown) }
        let text = String(decoding: input, as: UTF8.self)
        var (encoding, decoding): ([Double], [Double]) = ([], [])
        var ids: [Int32] = []
        for _ in 0..<rounds {
            encoding.append(clock.measure { ids = tokenizer.encode(text, addSpecialTokens: false) } / .seconds(1))
            var decoded = ""
            decoding.append(try clock.measure { decoded = try tokenizer.decode(ids) } / .seconds(1))
            precondition(!ids.isEmpty || decoded.isEmpty)
        }
        let size = Double(text.utf8.count)
        func rate(_ seconds: [Double]) -> Double { size / max(1e-9, seconds.sorted()[seconds.count / 2]) }
        return Speed(
            model: model, inputBytes: text.utf8.count, tokens: ids.count, encodeBytesPerSecond: rate(encoding),
            decodeBytesPerSecond: rate(decoding), loadMilliseconds: loading / .milliseconds(1))
    }
}
