import ArgumentParser
import Benchmarks
import Console
import Foundation
import ServiceRuntime
import Tensors
import TextModels

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures this machine and the parts of the system.",
        subcommands: [Machine.self, Bus.self, Text.self])

    struct Bus: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "bus", abstract: "Calls between two processes, beside a bare libzmq loop with as many frames.",
            discussion: "64-byte payloads over ipc and tcp: round trip with one call outstanding, rate with 64.")

        @Flag(help: "Print JSON.")
        var json = false

        func run() async throws {
            let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            let comparisons = try await BusBenchmark.run(executable: own)
            Terminal.line(json ? try BusBenchmark.json(comparisons) : BusBenchmark.table(comparisons))
        }
    }

    struct Machine: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "machine", abstract: "What this machine's memory and arithmetic allow.")

        @Flag(help: "Print JSON.")
        var json = false

        func run() async throws {
            let limits = try Device(threadCount: ProcessInfo.processInfo.activeProcessorCount).measureLimits()
            Terminal.line(json ? try encode(limits) : describe(limits))
        }
    }

    struct Text: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "text", abstract: "A text model's prefill and decode, beside the machine's limits.")

        @Option(help: "A model by name, or as NAME=DIRECTORY.")
        var model: ModelArgument

        @Option(help: "Threads that compute; the machine's processors by default.")
        var threads: Int = ProcessInfo.processInfo.activeProcessorCount

        @Flag(help: "Print JSON.")
        var json = false

        func run() async throws {
            let device = Device(threadCount: max(1, threads))
            let loaded = try LoadedModel(directory: model.directory(.text), on: device)
            let report = try TextBenchmark.run(loaded, on: device)
            guard !json else { return Terminal.line(try encode(report)) }
            Terminal.line("\(describe(report.limits)); weights \(report.weightBytes / 1_000_000) MB")
            var table = Table(["", "sequences", "tokens/s", "share of the limit"])
            for figure in report.figures {
                table.append([
                    figure.name, "\(figure.batch)", "\(Int(figure.tokensPerSecond.rounded()))",
                    "\(Int((figure.shareOfLimit * 100).rounded()))%",
                ])
            }
            for line in table.lines { Terminal.line(line) }
        }
    }

    private static func describe(_ limits: DeviceLimits) -> String {
        "memory reads \(Int(limits.readRate / 1e9)) GB/s, f32 \(Int(limits.operationRate / 1e9)) GFLOP/s"
    }

    private static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
