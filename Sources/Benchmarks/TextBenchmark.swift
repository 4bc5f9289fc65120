package import Tensors
package import TextModels

/// `nephele bench text`: the engine by itself, without services.
package enum TextBenchmark {
    package struct Figure: Codable, Sendable {
        package var name: String
        /// Sequences that run together.
        package var batch: Int
        package var tokensPerSecond: Double
        /// Of what memory (decode) or arithmetic (prefill) allows, whichever is less.
        package var shareOfLimit: Double
    }

    package struct Report: Codable, Sendable {
        package var limits: DeviceLimits
        package var weightBytes: Int
        package var figures: [Figure]
    }

    /// Prompts of 64 tokens for decoding, one of 512 (or what the context holds) for prefill; the median of `rounds`.
    ///
    /// - Throws: `TensorError`, `TextModelError`.
    package static func run(
        _ loaded: LoadedModel, on device: Device, batches: [Int] = [1, 8, 16, 32], rounds: Int = 3
    ) throws -> Report {
        let limits = try device.measureLimits()
        let weights = loaded.model.weightBytes
        var report = Report(limits: limits, weightBytes: weights, figures: [])
        // A weight is read once a step, and multiplied once a row.
        func limit(rows: Int) -> Double {
            let reading = Double(weights) / limits.readRate
            let multiplying = Double(weights / 4) * 2 * Double(rows) / limits.operationRate
            return Double(rows) / max(reading, multiplying)
        }
        func add(_ name: String, _ batch: Int, rows: Int, _ rates: [Double]) {
            let rate = rates.sorted()[rates.count / 2]
            report.figures.append(
                Figure(name: name, batch: batch, tokensPerSecond: rate, shareOfLimit: rate / limit(rows: rows)))
        }
        let length = min(512, loaded.model.shape.context - 1)
        add("prefill \(length)", 1, rows: length, try (0..<rounds).map { _ in try prefill(loaded, device, length) })
        for batch in batches {
            add("decode", batch, rows: batch, try (0..<rounds).map { _ in try decode(loaded, device, batch) })
        }
        return report
    }

    private static func prefill(_ loaded: LoadedModel, _ device: Device, _ length: Int) throws -> Double {
        var options = EngineCore.Options(cachePositions: length + 64)
        options.tokenBudget = length
        var engine = try EngineCore(loaded, options: options, on: device)
        _ = try engine.add(try request(loaded, prompt: length, new: 1))
        let took = try ContinuousClock().measure { while !engine.isIdle { _ = try engine.step() } }
        return Double(length) / (took / .seconds(1))
    }

    /// Tokens a second of `batch` sequences that decode together, over 32 steps.
    private static func decode(_ loaded: LoadedModel, _ device: Device, _ batch: Int) throws -> Double {
        let prompt = min(64, loaded.model.shape.context / 2), steps = min(32, prompt - 4)
        var engine = try EngineCore(
            loaded, options: .init(cachePositions: batch * (prompt + steps + 64)), on: device)
        for _ in 0..<batch { _ = try engine.add(try request(loaded, prompt: prompt, new: steps + 4)) }
        // Until all decode: a step that brings a token for every sequence.
        while try engine.step().count < batch {}
        let took = try ContinuousClock().measure { for _ in 0..<steps { _ = try engine.step() } }
        return Double(batch * steps) / (took / .seconds(1))
    }

    private static func request(_ loaded: LoadedModel, prompt: Int, new: Int) throws -> GenerationRequest {
        let ids = (0..<prompt).map { Int32(($0 * 131 + 17) % loaded.model.shape.vocabulary) }
        return try GenerationRequest(
            prompt: ids, maxTokens: new, sampling: try SamplingParameters(temperature: 0, seed: 0),
            ignoresEndOfText: true, shape: loaded.model.shape)
    }
}
