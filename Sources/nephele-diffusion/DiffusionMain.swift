import ArgumentParser
import DiffusionService
import Foundation
import ModelServing
import RPC
import ServiceRuntime
import Tensors
import ZeroMQTransport

@main
struct DiffusionMain: AsyncParsableCommand {
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
        name: .long,
        help: "Pixels of a side of a picture, at most (or NEPHELE_LARGEST_SIDE); twice the model's own by default.")
    var largestSide: Int?

    @OptionGroup var bus: BusOptionGroup

    func validate() throws {
        guard (1...1_024).contains(threads) else { throw ValidationError("--threads is \(threads); give 1 to 1024") }
        if let side = try side(), !(1...4_096).contains(side) {
            throw ValidationError("--largest-side is \(side); give 1 to 4096")
        }
        guard (1...256).contains(drawings) else { throw ValidationError("--drawings is \(drawings); give 1 to 256") }
    }

    private func side() throws -> Int? {
        if let largestSide { return largestSide }
        guard let given = ProcessInfo.processInfo.environment["NEPHELE_LARGEST_SIDE"], !given.isEmpty else {
            return nil
        }
        guard let side = Int(given) else {
            throw ValidationError("NEPHELE_LARGEST_SIDE is '\(given)'; it is a number of pixels")
        }
        return side
    }

    func run() async throws {
        ServiceLog.bootstrap()
        try ZeroMQTransport.share(keysIn: bus.busKeys)
        let loader = DiffusionRevisionLoader(
            name: model.name, on: Device(threadCount: threads), room: MemoryRoom { AvailableMemory.bytes() },
            largestSide: try side()
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
