import ArgumentParser
import Benchmarks
import Console
import Foundation

struct BenchFilterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "filter", abstract: "The content filter: how fast it is.",
        discussion:
            "Lists alone in MB/s; through everything, prompts of 2,000 and 200 characters, an answer of 160 in 16 "
            + "tokens as it streams, and a streamed token of four.")

    @Option(help: "Megabytes of text for the lists.")
    var megabytes: Int = 32

    @Option(
        help: ArgumentHelp(
            "Instead: the scores of every text of a file in JSON Lines, one object a line.", valueName: "file"))
    var scores: String?

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (1...4_096).contains(megabytes) else { throw ValidationError("--megabytes takes 1 to 4096") }
    }

    func run() throws {
        if let scores {
            return try FilterBenchmark.scores(of: Data(contentsOf: URL(fileURLWithPath: scores))) { Terminal.line($0) }
        }
        let speeds = try FilterBenchmark.speed(megabytes: megabytes)
        guard !json else { return Terminal.line(try BenchCommand.encode(speeds)) }
        var table = Table(["", "lists MB/s", "2,000 characters", "200 characters", "an answer", "a streamed token"])
        for speed in speeds {
            table.append([
                speed.text, "\(Int(speed.listsRate.rounded()))",
                "\((speed.promptMilliseconds * 1_000).rounded() / 1_000) ms",
                "\((speed.shortPromptMicroseconds * 10).rounded() / 10) µs",
                "\((speed.answerMicroseconds * 10).rounded() / 10) µs",
                "\((speed.streamedMicroseconds * 10).rounded() / 10) µs",
            ])
        }
        for line in table.lines { Terminal.line(line) }
    }
}
