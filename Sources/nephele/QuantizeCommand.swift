import ArgumentParser
import Console
import Foundation
import Layers
import ServiceRuntime
import Tensors
import TextModelOptions
import TextModels

struct QuantizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize", abstract: "Writes a text model's weights in 8 or 4 bits, as a checkpoint of its own.")

    @Argument(help: "A model by name, or as NAME=DIRECTORY, or a directory with a slash.")
    var model: ModelArgument

    @Argument(help: "The directory to write; it must not exist.")
    var output: String

    @Option(help: "int8 or int4 (embedding and head keep 8 bits).")
    var precision: Precision = .int8

    func validate() throws {
        guard precision == .int8 || precision == .int4 else {
            throw ValidationError("--precision is \(precision.rawValue); quantize to int8 or int4")
        }
    }

    func run() throws {
        let device = Device(threadCount: ProcessInfo.processInfo.activeProcessorCount)
        let result = try CheckpointQuantizer.quantize(
            directory: model.directory(.text), to: precision, output: output, on: device)
        func megabytes(_ bytes: Int) -> String { "\((Double(bytes) / 100_000).rounded() / 10) MB" }
        Terminal.line(
            "\(result.matrices) matrices in \(precision.rawValue): \(megabytes(result.bytesBefore)) → "
                + "\(megabytes(result.bytesAfter)), in \(output)")
    }
}
