import ArgumentParser
import Benchmarks
import Console
import Foundation
import Layers
import ServiceRuntime
import Tensors
import TextGeneration
import TextModelOptions

struct PerplexityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity", abstract: "How surprised a text model is by a text: what quantization costs.")

    @Option(help: "A model by name, or as NAME=DIRECTORY.")
    var model: ModelArgument

    @Option(help: "A file of UTF-8 text.")
    var text: String

    @Option(help: "How weights are held, as a list: auto, f32, bf16, f16, int8, int4.")
    var precision: String = "auto,int8,int4"

    @Option(help: "What whole-number weights multiply: auto, int8 or int16.")
    var activations: ActivationPrecision = .auto

    @Option(help: "How keys and values are held: f32, bf16 or int8.")
    var cachePrecision: CachePrecision = .f32

    @Option(help: "Tokens that are judged together; the model's context at most.")
    var window: Int = 512

    @Option(help: "Windows, at most.")
    var windows: Int = 100

    @Option(
        help: ArgumentHelp(
            "Write the logits of every position to this file instead, f32 [tokens, vocabulary] in NumPy's format.",
            valueName: "file.npy"))
    var logits: String?

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard window >= 2, windows >= 1 else {
            throw ValidationError("--window \(window) --windows \(windows): at least 2 and 1")
        }
        let count = try precisions().count
        guard logits == nil || count == 1 else {
            throw ValidationError("--logits is of one --precision, not of \(count); give auto, or another one")
        }
    }

    private func precisions() throws -> [Precision] {
        try precision.split(separator: ",", omittingEmptySubsequences: false).map { name in
            guard let precision = Precision(rawValue: String(name)) else {
                throw ValidationError(
                    "--precision takes a list of \(Precision.allCases.map(\.rawValue)); got '\(precision)'")
            }
            return precision
        }
    }

    func run() throws {
        guard let data = FileManager.default.contents(atPath: text) else { throw CommandError("cannot read \(text)") }
        guard let content = String(validating: data, as: UTF8.self) else { throw CommandError("\(text) is not UTF-8") }
        let device = Device(threadCount: ProcessInfo.processInfo.activeProcessorCount)
        func load(_ precision: Precision) throws -> LoadedModel {
            try LoadedModel(
                directory: model.directory(.text), precision: precision, activations: activations, on: device)
        }
        if let logits {
            let tokens = try LogitsFile.write(
                try load(try precisions()[0]), text: content, window: window, limit: windows,
                cachePrecision: cachePrecision, to: logits, on: device)
            guard !json else { return Terminal.line(try BenchCommand.encode(tokens)) }
            return Terminal.line("the logits after each of \(tokens.count) tokens: \(logits)")
        }
        let reports = try precisions().map { precision in
            let loaded = try load(precision)
            return try Perplexity.measure(
                model.name, loaded, text: content, window: window, limit: windows, cachePrecision: cachePrecision,
                on: device)
        }
        guard !json else { return Terminal.line(try BenchCommand.encode(reports)) }
        var table = Table(["weights", "perplexity", "against the first", "tokens"])
        for report in reports {
            let change = (report.perplexity / reports[0].perplexity - 1) * 100
            table.append([
                report.precision, "\((report.perplexity * 1_000).rounded() / 1_000)",
                "\(change >= 0 ? "+" : "")\((change * 100).rounded() / 100)%", "\(report.tokens)",
            ])
        }
        for line in table.lines { Terminal.line(line) }
    }
}
