import ArgumentParser
import Benchmarks
import Console
import Foundation
import ServiceRuntime
import Tensors
import TextGeneration

struct BenchWatermarkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watermark",
        abstract: "How well a watermark is found, how often where there is none, and what it costs.")

    @Option(help: "A model by name, or as NAME=DIRECTORY.")
    var model: ModelArgument

    @Option(help: "A file of UTF-8 text that people wrote; prompts are taken from it too.")
    var corpus: String

    @Option(help: "Answers with a watermark, and as many without.")
    var texts: Int = WatermarkBenchmark.Options().texts

    @Option(help: "Tokens of each answer.")
    var tokens: Int = WatermarkBenchmark.Options().tokens

    @Option(help: "The temperature; 0 for the likeliest token.")
    var temperature: Float = WatermarkBenchmark.Options().temperature

    @Option(help: "The share of green tokens.")
    var gamma: Double = WatermarkBenchmark.Options().gamma

    @Option(help: "What is added to green tokens' logits.")
    var delta: Float = WatermarkBenchmark.Options().delta

    @Option(help: "How many tokens before a token decide about it.")
    var context: Int = WatermarkBenchmark.Options().contextWidth

    @Option(help: "Standard deviations from which on a text counts as marked.")
    var threshold: Double = WatermarkBenchmark.Options().threshold

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (1...10_000).contains(texts), (25...4_096).contains(tokens) else {
            throw ValidationError("--texts takes 1 to 10000 and --tokens 25 to 4096")
        }
        guard (0.01...0.99).contains(gamma) else { throw ValidationError("--gamma takes 0.01 to 0.99") }
    }

    func run() throws {
        guard let data = FileManager.default.contents(atPath: corpus) else {
            throw CommandError("cannot read \(corpus)")
        }
        guard let text = String(validating: data, as: UTF8.self) else { throw CommandError("\(corpus) is not UTF-8") }
        var options = WatermarkBenchmark.Options()
        (options.texts, options.tokens, options.temperature) = (texts, tokens, temperature)
        (options.gamma, options.delta, options.contextWidth) = (gamma, delta, context)
        options.threshold = threshold
        let device = Device(threadCount: ProcessInfo.processInfo.activeProcessorCount)
        let loaded = try LoadedModel(directory: model.directory(.text), on: device)
        let report = try WatermarkBenchmark.measure(model.name, loaded, corpus: text, options, on: device)
        guard !json else { return Terminal.line(try BenchCommand.encode(report)) }
        var table = Table([
            "tokens", "marked: found", "mean z", "unmarked: found", "mean z", "people's: found", "mean z",
        ])
        for row in report.rows {
            table.append(
                ["\(row.length)"]
                    + [row.marked, row.unmarked, row.human].flatMap {
                        ["\($0.detected) of \($0.texts)", Self.rounded($0.zScore)]
                    })
        }
        for line in table.lines { Terminal.line(line) }
        Terminal.line(
            "perplexity \(Self.rounded(report.perplexityMarked)) with the watermark, "
                + "\(Self.rounded(report.perplexityUnmarked)) without; "
                + "\(Self.rounded(report.keptTokens * 100))% of the marked tokens are there again when the text is encoded"
        )
        Terminal.line(
            "marking takes \(Self.rounded(report.markingMicroseconds)) µs a token, "
                + "\(Self.rounded(report.largeMarkingMicroseconds)) µs with 151,936 ids")
    }

    private static func rounded(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
}
