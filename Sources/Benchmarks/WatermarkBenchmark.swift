internal import Foundation
package import Tensors
package import TextGeneration
import TextModels
import Tokenizers
import Watermarking

/// How well a watermark is found in what a model writes, how often in what people wrote, and what it costs.
package enum WatermarkBenchmark {
    package struct Options: Sendable {
        /// Answers with a watermark, and as many without.
        package var texts = 100
        /// Tokens of each answer.
        package var tokens = 200
        /// Tokens of each prompt, from the corpus.
        package var prompt = 32
        package var temperature: Float = 1
        package var gamma = 0.25
        package var delta: Float = 2
        package var contextWidth = 1
        /// In standard deviations.
        package var threshold = 4.0
        /// Under how many keys each piece of the corpus is looked at.
        package var keys = 50

        package init() {}
    }

    /// Texts of one kind at one length.
    package struct Rate: Codable, Sendable {
        package var texts = 0
        /// Taken for marked ones.
        package var detected = 0
        /// The mean.
        package var zScore = 0.0

        mutating func add(_ evidence: WatermarkEvidence, threshold: Double) {
            zScore = (zScore * Double(texts) + evidence.zScore) / Double(texts + 1)
            texts += 1
            if evidence.pValue <= WatermarkEvidence.tail(beyond: threshold) { detected += 1 }
        }
    }

    package struct Row: Codable, Sendable {
        /// Tokens.
        package var length: Int
        package var marked = Rate()
        package var unmarked = Rate()
        /// Pieces of the corpus.
        package var human = Rate()
    }

    package struct Report: Codable, Sendable {
        package var model: String
        package var rows: [Row]
        /// The perplexity of the answers under the model's own distribution.
        package var perplexityMarked: Double
        package var perplexityUnmarked: Double
        /// The share of the generated tokens, each with its context, that are there again when the text is encoded.
        package var keptTokens: Double
        /// For one token: to mark the model's own vocabulary, and one of 151,936 ids.
        package var markingMicroseconds: Double
        package var largeMarkingMicroseconds: Double
    }

    private struct Answer {
        var ids: [Int32] = []
        var surprise = 0.0
    }

    /// - Parameter corpus: what people wrote; prompts are taken from it too.
    /// - Throws: `TextModelError`, `TensorError`, `TokenizerError`.
    package static func measure(
        _ name: String, _ loaded: LoadedModel, corpus: String, _ options: Options, on device: Device
    ) throws -> Report {
        let tokens = loaded.tokenizer.encode(corpus, addSpecialTokens: false)
        guard tokens.count > options.prompt + options.tokens else {
            throw TextModelError(.invalidRequest, "the corpus has \(tokens.count) tokens; it needs more than a prompt")
        }
        let marked = try answers(true, tokens, loaded, options, device)
        let unmarked = try answers(false, tokens, loaded, options, device)
        var rows = [25, 50, 100, 200, 400].filter { $0 <= options.tokens }.map { Row(length: $0) }
        for index in rows.indices {
            let length = rows[index].length
            for number in 0..<options.texts {
                let list = try list(number, options)
                for (answer, path) in [(marked[number], \Row.marked), (unmarked[number], \Row.unmarked)] {
                    // As whoever has the text alone sees it.
                    let text = try loaded.tokenizer.decode(Array(answer.ids.prefix(length)))
                    let ids = loaded.tokenizer.encode(text, addSpecialTokens: false)
                    rows[index][keyPath: path].add(list.evidence(in: ids), threshold: options.threshold)
                }
            }
            for key in 0..<options.keys {
                let list = try list(key + options.texts, options)
                for start in stride(from: 0, through: tokens.count - length, by: length) {
                    let piece = Array(tokens[start..<start + length])
                    rows[index].human.add(list.evidence(in: piece), threshold: options.threshold)
                }
            }
        }
        return Report(
            model: name, rows: rows, perplexityMarked: perplexity(marked), perplexityUnmarked: perplexity(unmarked),
            keptTokens: try keptTokens(marked, loaded, options.contextWidth),
            markingMicroseconds: try marking(loaded.model.shape.vocabulary, options),
            largeMarkingMicroseconds: try marking(151_936, options))
    }

    /// Each text has a key of its own, so that what is found under one says nothing of another.
    private static func list(_ number: Int, _ options: Options) throws -> GreenList {
        do throws(GreenList.Invalid) {
            return try GreenList(
                key: (0..<16).map { UInt8(truncatingIfNeeded: (number + 1) >> (8 * ($0 % 4)) ^ $0 * 17) },
                share: UInt16((options.gamma * 65_536).rounded()), delta: options.delta,
                contextWidth: options.contextWidth)
        } catch {
            throw TextModelError(.invalidRequest, error.description)
        }
    }

    private static func answers(
        _ isMarked: Bool, _ corpus: [Int32], _ loaded: LoadedModel, _ options: Options, _ device: Device
    ) throws -> [Answer] {
        let length = options.prompt + options.tokens
        var engineOptions = EngineCore.Options(cachePositions: 32 * (length + 64))
        engineOptions.sequenceLimit = 32
        engineOptions.queueLimit = options.texts
        var engine = try EngineCore(loaded, options: engineOptions, on: device)
        var numbers: [UInt64: Int] = [:]
        for number in 0..<options.texts {
            let start = (corpus.count - options.prompt) / options.texts * number
            let sampling = try SamplingParameters(
                temperature: options.temperature, greenList: isMarked ? list(number, options) : nil,
                seed: UInt64(number))
            numbers[
                try engine.add(
                    GenerationRequest(
                        prompt: Array(corpus[start..<start + options.prompt]), maxTokens: options.tokens,
                        sampling: sampling, logProbabilities: 0, ignoresEndOfText: true, shape: loaded.model.shape))] =
                number
        }
        var answers = [Answer](repeating: Answer(), count: options.texts)
        while !engine.isIdle {
            for delta in try engine.step() {
                guard let number = numbers[delta.request], let token = delta.token else { continue }
                answers[number].ids.append(token)
                answers[number].surprise -= Double(delta.logProbability?.logProbability ?? 0)
            }
        }
        return answers
    }

    private static func keptTokens(_ answers: [Answer], _ loaded: LoadedModel, _ width: Int) throws -> Double {
        func pairs(_ ids: [Int32]) -> Set<ArraySlice<Int32>> {
            Set(ids.indices.dropFirst(width).map { ids[($0 - width)...$0] })
        }
        var (kept, all) = (0, 0)
        for answer in answers {
            let text = try loaded.tokenizer.decode(answer.ids)
            let generated = pairs(answer.ids)
            all += generated.count
            kept += generated.intersection(pairs(loaded.tokenizer.encode(text, addSpecialTokens: false))).count
        }
        return Double(kept) / Double(max(1, all))
    }

    private static func perplexity(_ answers: [Answer]) -> Double {
        let (surprise, count) = answers.reduce((0.0, 0)) { ($0.0 + $1.surprise, $0.1 + $1.ids.count) }
        return exp(surprise / Double(max(1, count)))
    }

    private static func marking(_ vocabulary: Int, _ options: Options) throws -> Double {
        let list = try list(0, options)
        var logits = [Float](repeating: 0, count: vocabulary)
        let rounds = 50
        let context = [Int32](repeating: 1, count: options.contextWidth)
        let time = ContinuousClock().measure {
            for round in 0..<rounds { list.colours(after: context.map { $0 + Int32(round) })?.favour(&logits) }
        }
        return time / .microseconds(rounds)
    }
}
