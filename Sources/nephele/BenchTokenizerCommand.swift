import ArgumentParser
import Benchmarks
import Console
import Foundation
import ServiceRuntime

struct BenchTokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer", abstract: "A model's tokenizer: how fast it encodes and decodes a file.")

    @Option(help: "A model by name, or as NAME=DIRECTORY.")
    var model: ModelArgument

    @Option(help: ArgumentHelp("A file of text.", valueName: "file"))
    var input: String

    @Option(help: "How often it is measured; the median counts.")
    var rounds: Int = 5

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (1...1_000).contains(rounds) else { throw ValidationError("--rounds takes 1 to 1000") }
    }

    func run() throws {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: input)) } catch {
            throw ValidationError("cannot read \(input): \(error.localizedDescription)")
        }
        let speed = try TokenizerBenchmark.run(
            model: model.name, directory: model.directory(.text), input: data, rounds: rounds)
        guard !json else { return Terminal.line(try BenchCommand.encode(speed)) }
        func megabytes(_ rate: Double) -> String { "\((rate / 1e5).rounded() / 10) MB/s" }
        Terminal.line(
            "\(speed.inputBytes) bytes are \(speed.tokens) tokens; encoded at \(megabytes(speed.encodeBytesPerSecond)), decoded "
                + "at \(megabytes(speed.decodeBytesPerSecond)); loaded in \(Int(speed.loadMilliseconds.rounded())) ms")
    }
}
