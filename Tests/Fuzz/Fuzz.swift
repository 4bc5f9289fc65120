import ArgumentParser
import Foundation

/// A seeded mutation fuzzer for everything that reads bytes from outside.
@main struct Fuzz: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuzz", abstract: "Feeds nearly valid bytes to whatever reads bytes from outside.",
        discussion:
            "Each case can be had again: --target NAME --seed SEED --first NUMBER --cases 1, or --show its bytes.")

    @Option(help: "One of: \(Targets.names.joined(separator: ", ")). Several by commas; all by default.")
    var target: String?
    @Option(help: "Cases of each target.") var cases = 10_000
    @Option(help: "Time for each target: runs of --cases with one seed after the other.") var seconds: Int?
    @Option(help: "Seconds without progress that are a hang.") var patience = 10
    @Option(help: "Every case depends on it.") var seed: UInt64 = 1
    @Option(help: "The first case.") var first = 0
    @Flag(help: "Writes the bytes of the first case to standard output.") var show = false
    @Option(help: .hidden) var child: String?

    func run() async throws {
        let names = target?.split(separator: ",").map(String.init) ?? Targets.names
        if let child, let name = names.first {
            try await FuzzChild(target: name, seed: seed, first: first, count: cases, progress: child).run()
        }
        if show, let name = names.first {
            try await FuzzChild(target: name, seed: seed, first: first, count: 1, progress: "").show()
        }
        print("target             cases   seconds  cases/s  MiB early → late  findings")
        var total = 0
        var findings: [(finding: FuzzDriver.Finding, seed: UInt64)] = []
        for name in names {
            var outcome = FuzzDriver.Outcome()
            let end = Date().addingTimeInterval(Double(seconds ?? 0))
            var seed = seed
            repeat {
                var driver = FuzzDriver(target: name, seed: seed, first: first, count: cases)
                driver.patience = patience
                let part = try driver.run()
                outcome.cases += part.cases
                outcome.seconds += part.seconds
                outcome.memory = part.memory
                outcome.findings += part.findings
                findings += part.findings.map { ($0, seed) }
                seed += 1
            } while Date() < end && outcome.findings.isEmpty
            total += outcome.cases
            func padded(_ text: String, _ width: Int) -> String {
                String(repeating: " ", count: max(0, width - text.count)) + text
            }
            print(
                name.padding(toLength: 16, withPad: " ", startingAt: 0) + padded("\(outcome.cases)", 8)
                    + padded("\(Int(outcome.seconds))", 10)
                    + padded("\(Int(Double(outcome.cases) / max(outcome.seconds, 0.001)))", 9)
                    + padded("\(outcome.memory.early) → \(outcome.memory.late)", 18)
                    + padded("\(outcome.findings.count)", 10))
        }
        print("\(total) cases, \(findings.count) findings")
        for (finding, seed) in findings {
            print("--target \(finding.target) --seed \(seed) --first \(finding.number) --cases 1: \(finding.what)")
        }
        if !findings.isEmpty { throw ExitCode.failure }
    }
}
