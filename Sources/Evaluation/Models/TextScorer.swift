package import Tensors
package import TextGeneration
import TextModels
import Tokenizers

/// Asks a model for log-probabilities and continuations, many at a time.
package struct TextScorer {
    package let name: String
    package let loaded: LoadedModel
    private var engine: EngineCore
    /// What stands before every text: the begin token, where the tokenizer puts one there.
    package let prefix: [Int32]

    /// Positions of the cache, at least: several texts are computed together.
    private static let positions = 4_096
    /// Requests that wait together.
    private static let together = 256

    /// - Parameter longest: tokens of a text, at most.
    /// - Throws: `EvaluationError.unsupported` for a model that writes no text; `TextModelError`.
    package init(_ name: String, _ loaded: LoadedModel, longest: Int, on device: Device) throws {
        if let fault = loaded.generationFault { throw EvaluationError(.unsupported, "\(name): \(fault.message)") }
        (self.name, self.loaded) = (name, loaded)
        let options = EngineCore.Options(cachePositions: max(Self.positions, 2 * longest))
        engine = try EngineCore(loaded, options: options, on: device)
        let added = loaded.tokenizer.encode("", addSpecialTokens: true).prefix(1)
        prefix = added.first.map { $0 == loaded.tokenizer.beginOfText } == true ? Array(added) : []
    }

    /// Tokens that the model sees together, at most.
    package var context: Int { loaded.model.shape.context }

    package func encode(_ text: String) -> [Int32] { loaded.tokenizer.encode(text, addSpecialTokens: false) }

    /// Of each text the log-probabilities of its tokens from the second on.
    ///
    /// - Throws: `TextModelError` for a text that is longer than the context; `TensorError`.
    package mutating func logProbabilities(_ texts: [[Int32]]) throws -> [[Double]] {
        var results = [[Double]](repeating: [], count: texts.count)
        for start in stride(from: 0, to: texts.count, by: Self.together) {
            var places: [UInt64: Int] = [:]
            for place in start..<min(start + Self.together, texts.count) where texts[place].count > 1 {
                let request = try GenerationRequest(
                    prompt: texts[place], maxTokens: 0, sampling: try SamplingParameters(temperature: 0, seed: 0),
                    logProbabilities: 0, promptLogProbabilities: true, shape: loaded.model.shape)
                places[try engine.add(request)] = place
            }
            while !engine.isIdle {
                for delta in try engine.step() {
                    guard let place = places[delta.request] else { continue }
                    results[place] += delta.promptLogProbabilities.map { Double($0.logProbability) }
                }
            }
        }
        return results
    }

    /// A text of two parts, and the log-probabilities of the second's tokens.
    ///
    /// - Parameter joined: whether the whole is cut into tokens together, as it would be read; otherwise each part for itself,
    ///   so that the second has the same tokens behind any first one.
    package mutating func logProbabilities(
        _ parts: [(first: String, second: String)], joined: Bool
    ) throws -> [[Double]] {
        var starts: [Int] = []
        let texts = parts.map { first, second in
            let begin = encode(first)
            let whole = joined ? encode(first + second) : begin + encode(second)
            // Where the tokens of the whole part from those of the first.
            let common = zip(begin, whole).prefix { $0 == $1 }.count
            let start = max(prefix.isEmpty ? 1 : 0, min(common, whole.count - 1))
            starts.append(prefix.count + start)
            return prefix + whole
        }
        return try zip(logProbabilities(texts), starts).map { values, start in Array(values.dropFirst(start - 1)) }
    }

    /// A continuation of each prompt, of exactly `tokens` tokens.
    ///
    /// - Returns: texts and their tokens. The seed of each is `seed` and its place.
    package mutating func continuations(
        of prompts: [[Int32]], tokens: Int, temperature: Float, topP: Float, seed: UInt64
    ) throws -> [(text: String, ids: [Int32])] {
        var results = [(text: String, ids: [Int32])](repeating: ("", []), count: prompts.count)
        for start in stride(from: 0, to: prompts.count, by: Self.together) {
            var places: [UInt64: Int] = [:]
            for place in start..<min(start + Self.together, prompts.count) {
                let own = seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(place)
                let request = try GenerationRequest(
                    prompt: prefix + prompts[place], maxTokens: tokens,
                    sampling: try SamplingParameters(temperature: temperature, topP: topP, seed: own),
                    ignoresEndOfText: true, shape: loaded.model.shape)
                places[try engine.add(request)] = place
            }
            while !engine.isIdle {
                for delta in try engine.step() {
                    guard let place = places[delta.request] else { continue }
                    results[place].text += delta.text
                    if let token = delta.token { results[place].ids.append(token) }
                }
            }
        }
        return results
    }
}
