import ArgumentParser
import DiffusionService
import Foundation
import Logging
import ModelServing
import RPC
import ServiceRuntime
import Tensors
import ZeroMQTransport

@main
struct DiffusionMain: ConfigurableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nephele-diffusion", abstract: "Serves one diffusion model on the bus.")

    @Option(name: .long, help: "The model by name (in NEPHELE_MODELS, or embedded), or as NAME=DIRECTORY.")
    var model: ModelArgument

    @Option(name: .long, help: "Where to serve: ipc:///path/diffusion-1.sock or tcp://127.0.0.1:7003.")
    var bind: String

    @Option(name: .long, help: "Threads that compute; the machine's processors by default.")
    var threads: Int = ProcessInfo.processInfo.activeProcessorCount

    @Option(name: .long, help: "Drawings that take turns, at most; others wait.")
    var drawings: Int = 4

    @Option(
        help: ArgumentHelp(
            "A model that nobody asks for this long gives its memory back, and is loaded again for the next request, which "
                + "waits: 30s, 10m, 2h. Never by default.", valueName: "time"))
    var idleUnload: IdleTime?

    @Option(
        help: ArgumentHelp(
            "A file that processes with models have in common: they load them one after the other, and let each go again "
                + "before the next; for --idle-unload.", valueName: "file"))
    var loadTurns: String?

    @OptionGroup var drawing: DiffusionOptions
    @OptionGroup var process: ProcessOptions

    static let sections = [ConfigurationSection("diffusion", Self.self)]

    func validate() throws {
        guard (1...1_024).contains(threads) else { throw ValidationError("--threads is \(threads); give 1 to 1024") }
        guard loadTurns == nil || idleUnload != nil else {
            throw ValidationError("--load-turns is for models that are unloaded: give --idle-unload too")
        }
        guard (1...256).contains(drawings) else { throw ValidationError("--drawings is \(drawings); give 1 to 256") }
    }

    func run() async throws {
        ServiceLog.bootstrap()
        try ZeroMQTransport.share(keysIn: process.busKeys)
        let turns = LoadTurns(file: loadTurns)
        let turn = try turns.take()
        var unload = idleUnload.map { DiffusionRevisionLoader.Unload(after: $0.duration) }
        unload?.startsAway = loadTurns != nil
        unload?.turns = turns
        unload?.told = { [name = model.name] isUnloaded in
            if isUnloaded { turn.end() }
            let log = Logger(label: "nephele-diffusion")
            log.info(isUnloaded ? "\(name) is unloaded: nobody asks for it" : "\(name) is loaded again")
        }
        let loader = DiffusionRevisionLoader(
            name: model.name, on: Device(threadCount: threads), room: MemoryRoom { AvailableMemory.bytes() },
            largestSide: drawing.largestSide, unload: unload
        ) { [model] in try model.directory(.image) }
        let gauge = LoadGauge(capacity: drawings)
        var options = DiffusionEngine.Options()
        options.runningLimit = drawings
        let service = DiffusionService(
            try loader.first(), engine: try DiffusionEngine(options: options, gauge: gauge)
        ) { try loader.next(after: $0) }
        let server = RPCServer(
            service.description(capacity: drawings), services: [service],
            transports: [try ZeroMQTransport.shared().server(bind)], gauge: gauge,
            interceptors: [CallLog(label: "nephele-diffusion")])
        service.keepDescribed(by: server)
        try await ServerLifetime.serve(server, label: "nephele-diffusion")
    }
}

extension IdleTime: ExpressibleByArgument {}
