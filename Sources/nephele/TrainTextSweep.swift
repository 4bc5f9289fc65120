import ArgumentParser
import Console
import Evaluation
import Foundation
import Tensors
import TextModels
import Training

/// Runs of several sizes on several numbers of tokens, for a scaling law.
struct SweepOptions: ParsableArguments {
    @Flag(
        help:
            "Train models of several sizes for several numbers of steps, each in a folder of --output, and fit a scaling law."
    )
    var sweep = false

    @Option(help: "Parts of the model's layers and heads, as a list (default: 0.25,0.5,1).")
    var sweepSizes: String?

    @Option(help: "Parts of --steps, as a list (default: 0.25,0.5,1).")
    var sweepSteps: String?

    @Option(help: "A self-contained HTML page with the law (default: OUTPUT/scaling.html).")
    var sweepReport: String?

    func validate() throws {
        let given = [
            ("--sweep-sizes", sweepSizes), ("--sweep-steps", sweepSteps), ("--sweep-report", sweepReport),
        ]
        if !sweep, let (name, _) = given.first(where: { $0.1 != nil }) {
            throw ValidationError("\(name) is of --sweep; give that too")
        }
        _ = try (sizes, tokens)
    }

    var sizes: [Double] { get throws { try Self.parts(sweepSizes, "--sweep-sizes") } }
    var tokens: [Double] { get throws { try Self.parts(sweepSteps, "--sweep-steps") } }

    private static func parts(_ text: String?, _ name: String) throws -> [Double] {
        guard let text else { return [0.25, 0.5, 1] }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) ?? .nan }
        guard (2...16).contains(parts.count), parts.allSatisfy({ $0 > 0 && $0 <= 1 }), Set(parts).count == parts.count
        else { throw ValidationError("\(name) '\(text)' must be 2 to 16 different numbers above 0, 1 at most") }
        return parts.sorted()
    }
}

/// The runs of a sweep, one after the other, and the law that they make.
struct TrainingSweep {
    struct Run {
        var options: TextTraining.Options
        var name: String
    }

    let runs: [Run]
    let report: String
    let seed: UInt64
    let isJSON: Bool

    /// - Parameter options: of the largest model and the most steps.
    /// - Throws: `CommandError` where two runs would be the same.
    init(
        _ options: TextTraining.Options, steps: Int, _ sweep: SweepOptions, isJSON: Bool
    ) throws {
        guard case .new(let form, let extents) = options.source else {
            throw CommandError("--sweep trains new models; give --architecture")
        }
        let sizes = try sweep.sizes.map { Self.scaled(extents, by: $0) }
        let counts = try sweep.tokens.map { max(1, Int((Double(steps) * $0).rounded())) }
        guard Set(sizes).count == sizes.count, Set(counts).count == counts.count else {
            throw CommandError(
                "two runs of the sweep would be the same: \(extents.layers) layers, \(extents.heads) heads and \(steps) steps "
                    + "are too few to be cut so; give larger ones, or --sweep-sizes and --sweep-steps")
        }
        runs = zip(sizes, try sweep.sizes).flatMap { extents, size in
            counts.map { count in
                var run = options
                run.source = .new(form, extents)
                run.steps = count
                // A warm-up is as large a part of a short run.
                run.warmUp = Int((Double(options.warmUp) * Double(count) / Double(steps)).rounded())
                let name = "size-\(size)-steps-\(count)"
                run.output = options.output + "/" + name
                return Run(options: run, name: name)
            }
        }
        report = sweep.sweepReport ?? options.output + "/scaling.html"
        (seed, self.isJSON) = (options.seed, isJSON)
    }

    /// Fewer layers and fewer heads of the same width.
    static func scaled(_ extents: DecoderBlueprint.Extents, by part: Double) -> DecoderBlueprint.Extents {
        func cut(_ count: Int) -> Int { max(1, Int((Double(count) * part).rounded())) }
        var smaller = extents
        smaller.layers = cut(extents.layers)
        smaller.heads = cut(extents.heads)
        smaller.width = extents.width / extents.heads * smaller.heads
        smaller.kvHeads = extents.kvHeads.map { count in
            (1...cut(count)).last { smaller.heads % $0 == 0 } ?? 1
        }
        smaller.feedForward = extents.feedForward.map {
            max(1, Int((Double($0) * Double(smaller.width) / Double(extents.width)).rounded()))
        }
        return smaller
    }

    /// What is told at the end.
    private struct Found: Encodable {
        var runs: [ScalingLaw.Run]
        var fit: ScalingLaw.Fit
    }

    /// Makes the runs that are left, and fits the law to the losses of what none of them learned.
    func run(on device: Device) throws {
        var found: [ScalingLaw.Run] = []
        for (index, run) in runs.enumerated() {
            if !isJSON { Terminal.line("run \(index + 1) of \(runs.count), \(run.name)") }
            found.append(try make(run, on: device))
        }
        let fit = try ScalingLaw.fit(found, seed: seed)
        var page = EvaluationReport(models: [], seed: seed, sections: [fit.section(found)])
        page.sections[0].text += " Parameters are counted without embeddings and head; losses are of held-out text."
        let html = ReportPage.html(
            page, title: "Scaling law", footer: "nephele \(CommandLine.arguments.dropFirst().joined(separator: " "))")
        do {
            try Data(html.utf8).write(to: URL(fileURLWithPath: report), options: .atomic)
        } catch { throw CommandError("cannot write \(report): \(error.localizedDescription)") }
        try tell(found, fit)
    }

    private func make(_ run: Run, on device: Device) throws -> ScalingLaw.Run {
        let training = try TextTraining(run.options, on: device)
        let plan = training.plan
        var display = TrainingDisplay(steps: plan.steps, isJSON: isJSON)
        try display.begin(plan)
        if plan.firstStep < plan.steps {
            try training.run { step in try display.show(step) }
            display.end(run.options.output)
        }
        guard let loss = try training.heldOutLoss() else {
            throw CommandError("\(run.options.output) has no held-out loss")
        }
        return ScalingLaw.Run(
            parameters: Double(plan.innerParameters), tokens: Double(plan.steps * plan.batch * plan.context), loss: loss
        )
    }

    private func tell(_ found: [ScalingLaw.Run], _ fit: ScalingLaw.Fit) throws {
        guard !isJSON else {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            encoder.nonConformingFloatEncodingStrategy = .convertToString(
                positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
            return Terminal.line(String(decoding: try encoder.encode(Found(runs: found, fit: fit)), as: UTF8.self))
        }
        Terminal.line("\n  parameters      tokens   held-out loss   the law's")
        for run in found {
            let law = fit.law.loss(parameters: run.parameters, tokens: run.tokens)
            Terminal.line(String(format: "%12.0f%12.0f%16.4f%12.4f", run.parameters, run.tokens, run.loss, law))
        }
        Terminal.line(
            "\nL(N, D) = ((N_c/N)^(α_N/α_D) + D_c/D)^α_D, 95 of 100 fits to residuals drawn again in brackets:")
        for (name, estimate) in [
            ("α_N", fit.parametersExponent), ("α_D", fit.tokensExponent), ("N_c", fit.parametersScale),
            ("D_c", fit.tokensScale),
        ] {
            let numbers = [estimate.value, estimate.low ?? .nan, estimate.high ?? .nan]
            let texts = numbers.map { String(format: "%.3g", $0) }
            Terminal.line("  \(name) \(texts[0]) (\(texts[1]) to \(texts[2]))")
        }
        Terminal.line("the plot is in \(report)")
    }
}
