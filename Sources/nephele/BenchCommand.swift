import ArgumentParser
import Benchmarks
import Console
import Foundation

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures this machine and the parts of the system.",
        subcommands: [Bus.self])

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
}
