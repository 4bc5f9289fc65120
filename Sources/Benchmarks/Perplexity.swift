internal import Foundation
package import Tensors
package import TextGeneration
import TextModels

/// How surprised a model is by a text: exp of the mean negative log-probability of its tokens, the first of each
/// window left out.
package enum Perplexity {
    package struct Report: Codable, Sendable {
        package var model: String
        package var precision: String
        package var tokens: Int
        package var perplexity: Double
    }

    /// - Parameters:
    ///   - window: tokens that are judged together; the model's context at most.
    ///   - limit: windows, at most.
    /// - Throws: `TensorError`; `TextModelError.invalidRequest` for a text of fewer than two tokens.
    package static func measure(
        _ name: String, _ loaded: LoadedModel, text: String, window: Int, limit: Int,
        cachePrecision: CachePrecision, on device: Device
    ) throws -> Report {
        let tokens = loaded.tokenizer.encode(text, addSpecialTokens: false)
        let window = min(window, loaded.model.shape.context)
        var options = EngineCore.Options(cachePositions: window)
        options.cachePrecision = cachePrecision
        var engine = try EngineCore(loaded, options: options, on: device)
        var sum = 0.0, count = 0
        for start in stride(from: 0, to: tokens.count, by: window).prefix(limit) {
            let piece = Array(tokens[start..<min(start + window, tokens.count)])
            guard piece.count > 1 else { continue }
            let request = try GenerationRequest(
                prompt: piece, maxTokens: 0, sampling: try SamplingParameters(temperature: 0, seed: 0),
                logProbabilities: 0, promptLogProbabilities: true, shape: loaded.model.shape)
            _ = try engine.add(request)
            while !engine.isIdle {
                for token in try engine.step().flatMap(\.promptLogProbabilities) {
                    sum -= Double(token.logProbability)
                    count += 1
                }
            }
        }
        guard count > 0 else { throw TextModelError(.invalidRequest, "the text has fewer than two tokens") }
        return Report(
            model: name, precision: loaded.model.weights.format.description, tokens: count,
            perplexity: exp(sum / Double(count)))
    }
}
