import ArgumentParser
import Foundation
import Layers
import RPC
import ServiceRuntime
import TextModelOptions
import TrainerService
import ZeroMQTransport

@main
struct TrainerMain: ConfigurableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nephele-trainer", abstract: "Trains adapters of text models, one job at a time.",
        discussion: """
            Jobs come through the gateway (/v1/fine_tuning/jobs). What a trainer that dies has begun, another one goes on \
            with from the last checkpoint, to the bit: all of them have the same adapter folder.
            """)

    @Option(name: .long, help: "A model by name, or as NAME=DIRECTORY, as text-models have it; may be repeated.")
    var model: [ModelArgument]

    @Option(name: .long, help: "Where to serve: ipc:///path/trainer-1.sock or tcp://127.0.0.1:7004.")
    var bind: String

    @Option(help: "Threads that compute, behind those of all other services; the machine's processors by default.")
    var threads: Int = ProcessInfo.processInfo.activeProcessorCount

    @Option(
        help: """
            The folder in which text-models find adapters; NEPHELE_MODELS by default. Jobs, their checkpoints and results lie \
            there, in fine-tuning: all trainers and text-models need the same one.
            """)
    var adapterFolder: String?

    @Option(help: "How the models' own weights are held: auto, f32, bf16, f16, int8 or int4.")
    var precision: Precision = .auto

    @Option(help: "Steps from one checkpoint to the next.")
    var checkpointEvery: Int = 50

    @OptionGroup var process: ProcessOptions

    static let sections = [ConfigurationSection("trainer", Self.self)]

    func validate() throws {
        guard (1...1_024).contains(threads) else { throw ValidationError("--threads is \(threads); give 1 to 1024") }
        guard checkpointEvery >= 1 else {
            throw ValidationError("--checkpoint-every is \(checkpointEvery); give 1 or more")
        }
    }

    func run() async throws {
        ServiceLog.bootstrap()
        try ZeroMQTransport.share(keysIn: process.busKeys)
        guard let folder = try adapterFolder ?? ModelCatalogue(models: nil).directory else {
            throw ValidationError(
                "--adapter-folder is missing: the folder that text-models have, where they find what is trained")
        }
        guard FileManager.default.isWritableFile(atPath: folder) else {
            throw ValidationError(
                "--adapter-folder \(folder) cannot be written to; trainers keep checkpoints and results there")
        }
        var options = TrainerService.Options(folder: folder, threads: threads)
        (options.precision, options.checkpointEvery) = (precision, checkpointEvery)
        let models = try Dictionary(model.map { ($0.name, try $0.directory(.text)) }) { $1 }
        let gauge = LoadGauge(capacity: 1)
        let service = TrainerService(models: models, options, gauge: gauge)
        let server = RPCServer(
            service.description, services: [service], transports: [try ZeroMQTransport.shared().server(bind)],
            gauge: gauge, interceptors: [CallLog(label: "nephele-trainer")])
        try await ServerLifetime.serve(server, label: "nephele-trainer")
    }
}
