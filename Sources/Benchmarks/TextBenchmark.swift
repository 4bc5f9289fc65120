package import Tensors
package import TextGeneration
import TextModels

/// `nephele bench text`: the engine by itself, without services.
package enum TextBenchmark {
    package struct Options: Sendable {
        /// Tokens of the prompt before decoding, and of the one whose prefill is measured.
        package var prompt = 64
        package var longPrompt = 512
        /// Tokens that each sequence generates.
        package var generate = 128
        /// Sequences that decode together.
        package var batches = [1, 8, 16, 32]
        package var rounds = 3
        package var cachePrecision = CachePrecision.bf16
        /// Tokens of a prompt that comes in while four streams run; 0 for none.
        package var intrudingPrompt = 0
        package var looksUpDrafts = false

        package init() {}
    }

    package struct Decode: Codable, Sendable {
        package var batch: Int
        package var tokensPerSecond: Double
        /// The share of what memory or arithmetic allows, whichever is less.
        package var limitShare: Double

        private enum CodingKeys: String, CodingKey {
            case batch
            case tokensPerSecond = "tokens_per_second"
            case limitShare = "limit_share"
        }
    }

    /// Milliseconds between the tokens of one sequence that decodes alone.
    package struct InterToken: Codable, Sendable {
        package var p50: Double
        package var p99: Double

        init(_ steps: [Double]) {
            let sorted = steps.sorted()
            (p50, p99) = (sorted[sorted.count / 2], sorted[sorted.count * 99 / 100])
        }
    }

    package struct Report: Codable, Sendable {
        package var model: String
        package var precision: String
        package var limits: DeviceLimits
        package var weightBytes: Int
        package var prefillTokens: Int
        package var prefillTokensPerSecond: Double
        package var decode: [Decode]
        /// From the request of `prompt` tokens to its first token.
        package var timeToFirstToken: Double
        package var interToken: InterToken
        /// The share of the memory's rate that one sequence reaches that decodes alone.
        package var bandwidthShare: Double
        /// The share of the arithmetic's rate that the prefill reaches.
        package var flopsShare: Double
        package var peakMemoryBytes: Int
        /// From token to token of four streams while a long prompt comes in.
        package var intruded: InterToken?
        /// From that prompt's request to its first token.
        package var intruderFirstToken: Double?

        private enum CodingKeys: String, CodingKey {
            case model, precision, limits, decode
            case weightBytes = "weight_bytes"
            case prefillTokens = "prefill_tokens"
            case prefillTokensPerSecond = "prefill_tokens_per_second"
            case timeToFirstToken = "time_to_first_token_ms"
            case interToken = "inter_token_ms"
            case bandwidthShare = "bandwidth_share"
            case flopsShare = "flops_share"
            case peakMemoryBytes = "peak_memory_bytes"
            case intruded = "inter_token_beside_prefill_ms"
            case intruderFirstToken = "prefill_beside_streams_ms"
        }
    }

    /// Medians of `rounds`, greedy.
    ///
    /// - Throws: `TensorError`, `TextModelError` (a prompt or batch that the model cannot take).
    package static func run(
        _ name: String, _ loaded: LoadedModel, on device: Device, options: Options = Options()
    ) throws -> Report {
        // The peak of loading; the yardstick takes memory of its own, which is not the model's.
        let loading = PeakMemory.bytes
        // Other guests of the machine take their share of its memory: the better of two looks, before and after.
        let before = try device.measureLimits()
        PeakMemory.reset()
        let weights = loaded.model.weights
        let context = loaded.model.shape.context
        let length = min(options.longPrompt, context - 1)
        // The first one touches pages that later ones find at hand.
        _ = try rate(loaded, device, prefilling: length, options)
        let prefill = median(
            try (0..<options.rounds).map { _ in try rate(loaded, device, prefilling: length, options) })
        let alone = try (0..<options.rounds).map { _ in try decode(loaded, device, 1, options) }
        let rates = try options.batches.map { batch in
            try median(
                batch == 1
                    ? alone.map(\.rate)
                    : (0..<options.rounds).map { _ in try decode(loaded, device, batch, options).rate })
        }
        let peakMemory = max(loading, PeakMemory.bytes)
        let limits = before.raised(to: try device.measureLimits())
        // Whole numbers of 8 bits; rows of 15 take twice as many products.
        let multiplyRate = if case .grouped = weights.format { limits.byteRate } else { limits.operationRate / 2 }
        let intruded = options.intrudingPrompt > 0 ? try intrude(loaded, device, options) : nil
        return Report(
            model: name, precision: weights.format.description, limits: limits, weightBytes: weights.bytes,
            prefillTokens: length, prefillTokensPerSecond: prefill,
            decode: zip(options.batches, rates).map { batch, rate in
                // A weight is read once a step, and multiplied once a row.
                let reading = Double(weights.bytes) / limits.readRate
                let multiplying = Double(weights.parameters) * Double(batch) / multiplyRate
                let share = rate * max(reading, multiplying) / Double(batch)
                return Decode(batch: batch, tokensPerSecond: rate, limitShare: share)
            },
            timeToFirstToken: median(alone.map(\.firstToken)),
            interToken: InterToken(alone.flatMap(\.steps)),
            bandwidthShare: Double(weights.bytes) * median(alone.map(\.rate)) / limits.readRate,
            flopsShare: Double(weights.parameters) * prefill / multiplyRate, peakMemoryBytes: peakMemory,
            intruded: intruded?.gaps, intruderFirstToken: intruded?.firstToken)
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    /// Tokens a second of one prompt of `length`, all in one step.
    private static func rate(
        _ loaded: LoadedModel, _ device: Device, prefilling length: Int, _ options: Options
    ) throws -> Double {
        var engineOptions = EngineCore.Options(cachePositions: length + 64)
        engineOptions.tokenBudget = length
        engineOptions.cachePrecision = options.cachePrecision
        var engine = try EngineCore(loaded, options: engineOptions, on: device)
        _ = try engine.add(try request(loaded, prompt: length, new: 1))
        let took = try ContinuousClock().measure { while !engine.isIdle { _ = try engine.step() } }
        return Double(length) / (took / .seconds(1))
    }

    /// What `batch` sequences that decode together do: tokens a second, and milliseconds of the way to the first token
    /// and of each step.
    private static func decode(
        _ loaded: LoadedModel, _ device: Device, _ batch: Int, _ options: Options
    ) throws -> (rate: Double, firstToken: Double, steps: [Double]) {
        let context = loaded.model.shape.context
        var engineOptions = EngineCore.Options(cachePositions: 0)
        engineOptions.sequenceLimit = max(engineOptions.sequenceLimit, batch)
        engineOptions.tokenBudget = max(engineOptions.tokenBudget, 2 * batch)
        // The first sequences decode while the last prompts are read, of which a step takes half its budget or more.
        let half = engineOptions.tokenBudget / 2
        let prompt = max(1, min(options.prompt, context / 2, (context - 4) * half / (half + batch)))
        let reading = batch * prompt / half + 2
        let steps = max(1, min(options.generate, context - prompt - reading))
        let new = min(reading + steps, context - prompt)
        // A sequence starts where a page is left for each that runs.
        engineOptions.cachePositions = batch * (prompt + new + 2 * KVStorage.pagePositions)
        engineOptions.cachePrecision = options.cachePrecision
        engineOptions.looksUpDrafts = options.looksUpDrafts
        var engine = try EngineCore(loaded, options: engineOptions, on: device)
        // Prompts of their own: equal ones would share pages, and the cache's rows would be read once for all.
        for number in 0..<batch {
            _ = try engine.add(try request(loaded, prompt: prompt, new: new, number: number))
        }
        let clock = ContinuousClock()
        // Until all decode: a step that brings a token for every sequence.
        let first = try clock.measure { try stepUntilAllDecode(&engine, batch) } / .milliseconds(1)
        var tokens = 0
        var times: [Double] = []
        while tokens < batch * steps, !engine.isIdle {
            times.append(try clock.measure { tokens += try engine.step().count } / .milliseconds(1))
        }
        return (Double(tokens) * 1_000 / times.reduce(0, +), first, times)
    }

    /// A long prompt comes in while four streams run.
    private static func intrude(
        _ loaded: LoadedModel, _ device: Device, _ options: Options
    ) throws -> (gaps: InterToken, firstToken: Double) {
        let length = min(options.intrudingPrompt, loaded.model.shape.context - 8), streams = 4
        let prompt = min(options.prompt, loaded.model.shape.context / 4)
        let new = loaded.model.shape.context - prompt
        var engineOptions = EngineCore.Options(cachePositions: length + 64 + streams * loaded.model.shape.context)
        engineOptions.cachePrecision = options.cachePrecision
        var engine = try EngineCore(loaded, options: engineOptions, on: device)
        for number in 0..<streams { _ = try engine.add(try request(loaded, prompt: prompt, new: new, number: number)) }
        try stepUntilAllDecode(&engine, streams)
        var pacer = StepPacer(limit: engineOptions.tokenBudget)
        let intruder = try engine.add(try request(loaded, prompt: length, new: 1, number: 99))
        let clock = ContinuousClock()
        var gaps: [Double] = []
        var isDone = false
        while !isDone {
            engine.promptBudget = pacer.promptBudget(decodingRows: engine.decodingCount)
            let took = try clock.measure { isDone = try engine.step().contains { $0.request == intruder } }
            pacer.record(rows: engine.lastRows, duration: took)
            gaps.append(took / .milliseconds(1))
        }
        return (InterToken(gaps), gaps.reduce(0, +))
    }

    /// Steps until one brings a token for every sequence.
    ///
    /// - Throws: `TextModelError.invalidRequest` where the first ones have ended before the last ones begin.
    private static func stepUntilAllDecode(_ engine: inout EngineCore, _ count: Int) throws {
        while try engine.step().count < count {
            guard !engine.isIdle else {
                throw TextModelError(
                    .invalidRequest,
                    "\(count) sequences do not decode together within the model's context; take fewer or shorter prompts"
                )
            }
        }
    }

    private static func request(
        _ loaded: LoadedModel, prompt: Int, new: Int, number: Int = 0
    ) throws -> GenerationRequest {
        let ids = (0..<prompt).map { Int32(($0 * 131 + 17 + number * 7) % loaded.model.shape.vocabulary) }
        return try GenerationRequest(
            prompt: ids, maxTokens: new, sampling: try SamplingParameters(temperature: 0, seed: 0),
            ignoresEndOfText: true, shape: loaded.model.shape)
    }
}
