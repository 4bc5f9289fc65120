import Console
import Foundation
import Tensors
import TextGeneration
import TextModels
import Tokenizers
import Training

/// A run on the terminal: a line a step and a curve of the loss, or JSON Lines.
struct TrainingDisplay {
    private let steps: Int
    private let isJSON: Bool
    private var curve = Curve()
    /// Lines of the curve that stand below the last step's.
    private var drawn = 0

    private static let rows = 8

    init(steps: Int, isJSON: Bool) { (self.steps, self.isJSON) = (steps, isJSON) }

    func begin(_ plan: TextTraining.Plan) throws {
        guard !isJSON else { return try line(plan) }
        Terminal.line(
            "\(plan.documents) texts, \(plan.tokens) tokens: \(plan.sequences) sequences of \(plan.context) tokens, and "
                + "\(plan.heldOutSequences) that are not learned; \(plan.unusedTokens) tokens are left over")
        Terminal.line(
            "\(plan.architecture), \(plan.parameters) parameters; \(plan.steps) steps of \(plan.batch) sequences"
                + (plan.firstStep > 0 ? ", of which \(plan.firstStep) are done" : ""))
    }

    mutating func show(_ step: TextTraining.Step) throws {
        guard !isJSON else { return try line(step) }
        curve.append(step.loss)
        eraseCurve()
        Terminal.line(text(of: step))
        if Terminal.isInteractive { drawCurve() }
    }

    mutating func show(sample: String, step: Int) throws {
        guard !isJSON else { return try line(Sample(step: step, sample: sample)) }
        eraseCurve()
        Terminal.line("a sample after step \(step):")
        Terminal.line(Terminal.printable(sample))
        if Terminal.isInteractive { drawCurve() }
    }

    mutating func end(_ output: String) {
        guard !isJSON else { return }
        if drawn == 0 { drawCurve() }
        Terminal.line("the model is in \(output)")
    }

    private struct Sample: Encodable {
        var step: Int
        var sample: String
    }

    private mutating func drawCurve() {
        let columns = Terminal.size?.columns ?? 80
        let lines = curve.lines(columns: min(columns, 100), rows: Self.rows)
        for line in lines { Terminal.line(line) }
        drawn = lines.count
    }

    private mutating func eraseCurve() {
        // Up as many lines, and clear what is below (ECMA-48, CUU and ED).
        if drawn > 0 { Terminal.write("\u{1B}[\(drawn)A\u{1B}[J") }
        drawn = 0
    }

    private func line(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        Terminal.line(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    private func text(of step: TextTraining.Step) -> String {
        let left = Int(step.secondsLeft.rounded(.up))
        var parts = [
            "step \(step.step)/\(steps)", "loss " + String(format: "%.4f", step.loss),
            String(format: "%.0f tokens/s", step.tokensPerSecond),
            left >= 3_600
                ? "\(left / 3_600) h \(left % 3_600 / 60) min left"
                : left >= 60 ? "\(left / 60) min \(left % 60) s left" : "\(left) s left",
        ]
        if let loss = step.heldOutLoss { parts.append("held-out loss " + String(format: "%.4f", loss)) }
        return parts.joined(separator: "  ")
    }
}

/// Lets a model that is being trained write, by the engine that serves.
struct TrainingSampler {
    let tokenizer: Tokenizer
    /// Of the run.
    let directory: String
    let prompt: String
    let tokens: Int
    let seed: UInt64

    /// The prompt and what the model writes behind it.
    ///
    /// - Throws: `TextModelError` or `TensorError`: where the prompt is longer than the context, for one.
    func sample(_ model: any TextModel, on device: Device) throws -> String {
        var ids = tokenizer.encode(prompt, addSpecialTokens: true)
        if ids.isEmpty { ids = [tokenizer.endOfText ?? tokenizer.endOfTurnTokens.min() ?? 0] }
        let loaded = LoadedModel(model, tokenizer, directory: directory, on: device)
        var options = EngineCore.Options(cachePositions: model.shape.context + 64)
        options.sequenceLimit = 1
        var engine = try EngineCore(loaded, options: options, on: device)
        _ = try engine.add(
            try GenerationRequest(
                prompt: ids, maxTokens: max(0, min(tokens, model.shape.context - ids.count)),
                sampling: try SamplingParameters(temperature: 0.8, seed: seed), shape: model.shape))
        var text = prompt
        while !engine.isIdle { for delta in try engine.step() { text += delta.text } }
        return text
    }
}
