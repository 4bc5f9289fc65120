import ArgumentParser
import Benchmarks
import Console
import Foundation
import Layers
import ServiceRuntime
import Tensors
import TextGeneration
import TextModelOptions

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures this machine and the parts of the system.",
        subcommands: [
            Machine.self, Bus.self, Text.self, Service.self, BenchGatewayCommand.self, BenchFilterCommand.self,
            BenchTokenizerCommand.self, BenchWatermarkCommand.self,
            PerplexityCommand.self,
        ])

    struct Bus: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "bus", abstract: "Calls between two processes, beside a bare libzmq loop with as many frames.",
            discussion: "64-byte payloads over ipc and tcp: round trip with one call outstanding, rate with 64.")

        @Flag(help: "Also tcp with keys, encrypted.")
        var keys = false

        @Flag(help: "Print JSON.")
        var json = false

        func run() async throws {
            let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            let comparisons = try await BusBenchmark.run(executable: own, withKeys: keys)
            Terminal.line(json ? try BusBenchmark.json(comparisons) : BusBenchmark.table(comparisons))
        }
    }

    struct Machine: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "machine", abstract: "What this machine's memory and arithmetic allow.")

        @Option(help: "The instructions that compute: \(instructionSets); the best by default.")
        var instructionSet: Device.InstructionSet = .detected

        @Flag(help: "Print JSON.")
        var json = false

        func run() async throws {
            let limits = try Device(
                threadCount: ProcessInfo.processInfo.activeProcessorCount, instructionSet: instructionSet
            ).measureLimits()
            Terminal.line(json ? try encode(limits) : describe(limits))
        }
    }

    struct Text: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "text", abstract: "A text model's prefill and decode, beside the machine's limits.")

        @Option(help: "A model by name, or as NAME=DIRECTORY.")
        var model: ModelArgument

        @Option(help: "How weights are held: auto (the checkpoint's own), f32, bf16, f16, int8 or int4.")
        var precision: Precision = .auto

        @Option(help: "What whole-number weights multiply: auto, int8 or int16.")
        var activations: ActivationPrecision = .auto

        @Option(help: "How keys and values are held: f32, bf16 or int8.")
        var cachePrecision: CachePrecision = .bf16

        @Option(help: "Tokens of the prompt before decoding.")
        var prompt: Int = TextBenchmark.Options().prompt

        @Option(help: "Tokens of the prompt whose prefill is measured.")
        var prefill: Int = TextBenchmark.Options().longPrompt

        @Option(help: "Tokens that each sequence generates.")
        var generate: Int = TextBenchmark.Options().generate

        @Option(help: "Sequences that decode together, as a list.")
        var batch: String = "1,8,16,32"

        @Option(help: "How often each figure is measured; the median counts.")
        var rounds: Int = TextBenchmark.Options().rounds

        @Option(help: "Threads that compute; the machine's processors by default.")
        var threads: Int = ProcessInfo.processInfo.activeProcessorCount

        @Option(help: "The instructions that compute: \(instructionSets); the best by default.")
        var instructionSet: Device.InstructionSet = .detected

        @Option(help: "Where packed weights are kept, as the service keeps them; nowhere by default.")
        var cacheDir: String?

        @Option(help: "Tokens of a prompt that comes in while four streams run: shows how far it holds them up.")
        var intrudingPrompt: Int = 0

        @Option(help: "What proposes tokens: none, or lookup (in prompt and answer).")
        var speculate: Speculation = .none

        @Flag(help: "Print JSON.")
        var json = false

        func validate() throws {
            for (name, value) in [
                ("prompt", prompt), ("prefill", prefill), ("generate", generate), ("threads", threads),
                ("rounds", rounds),
            ]
            where value < 1 { throw ValidationError("--\(name) is \(value); it must be at least 1") }
            _ = try batches()
        }

        private func batches() throws -> [Int] {
            try batch.split(separator: ",", omittingEmptySubsequences: false).map { text in
                guard let count = Int(text), (1...1024).contains(count) else {
                    throw ValidationError("--batch takes numbers from 1 to 1024, as in 1,8,16; got '\(batch)'")
                }
                return count
            }
        }

        func run() async throws {
            let device = Device(threadCount: threads, instructionSet: instructionSet)
            let loaded = try LoadedModel(
                directory: model.directory(.text), precision: precision, activations: activations,
                cache: cacheDir.map { CacheDirectory(path: $0) },
                on: device)
            loaded.packedCache?.write()
            var options = TextBenchmark.Options()
            (options.prompt, options.longPrompt) = (prompt, prefill)
            options.cachePrecision = cachePrecision
            (options.generate, options.batches, options.rounds) = (generate, try batches(), rounds)
            options.intrudingPrompt = max(0, intrudingPrompt)
            options.looksUpDrafts = speculate == .lookup
            let report = try TextBenchmark.run(model.name, loaded, on: device, options: options)
            guard !json else { return Terminal.line(try encode(report)) }
            Terminal.line(
                "\(describe(report.limits)); \(report.precision) weights, \(report.weightBytes / 1_000_000) MB, "
                    + "peak memory \(report.peakMemoryBytes / 1_000_000) MB")
            var table = Table(["", "sequences", "tokens/s", "share of the limit"])
            func percent(_ share: Double) -> String { "\(Int((share * 100).rounded()))%" }
            table.append([
                "prefill \(report.prefillTokens)", "1", "\(Int(report.prefillTokensPerSecond.rounded()))",
                percent(report.flopsShare),
            ])
            for decode in report.decode {
                table.append([
                    "decode", "\(decode.batch)", "\(Int(decode.tokensPerSecond.rounded()))", percent(decode.limitShare),
                ])
            }
            for line in table.lines { Terminal.line(line) }
            func milliseconds(_ value: Double) -> String { "\((value * 10).rounded() / 10) ms" }
            Terminal.line(
                "First token after \(milliseconds(report.timeToFirstToken)); from token to token "
                    + "p50 \(milliseconds(report.interToken.p50)), p99 \(milliseconds(report.interToken.p99)).")
            guard let intruded = report.intruded, let first = report.intruderFirstToken else { return }
            Terminal.line(
                "While a prompt of \(intrudingPrompt) tokens came in: p50 \(milliseconds(intruded.p50)), "
                    + "p99 \(milliseconds(intruded.p99)); its first token after \(milliseconds(first)).")
        }
    }

    private static func describe(_ limits: DeviceLimits) -> String {
        "memory reads \(Int(limits.readRate / 1e9)) GB/s, f32 \(Int(limits.operationRate / 1e9)) GFLOP/s, "
            + "8 bits \(Int(limits.byteRate / 1e9)) billion multiply-adds/s"
    }

    static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

/// Those that this processor has.
private let instructionSets = Device.InstructionSet.available.map(\.rawValue).joined(separator: ", ")

extension Device.InstructionSet: ExpressibleByArgument {
    /// Nil also for one that this processor lacks.
    public init?(argument: String) {
        guard let named = Self(rawValue: argument), Self.available.contains(named) else { return nil }
        self = named
    }
}
