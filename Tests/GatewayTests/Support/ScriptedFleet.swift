import Foundation
import Gateway
import Messages
import RPC
import Synchronization
import Tensors
import TextGeneration
import TextModelService
import TextModels
import TokenizerService

private let llama = testsFolder.appendingPathComponent("TextModelsTests/Goldens/llama").path

/// Text-model instances in this process, each of which does with a call what a script says.
final class ScriptedFleet: Sendable {
    /// What an instance does with one call.
    enum Turn: Sendable {
        /// Computes it.
        case serve
        /// Says that it starts, where the call is a suspect; passes so many deltas on; is gone.
        case die(after: Int)
        /// Passes so many deltas on, is asked to stop, and has no time left for the rest.
        case leave(after: Int)
        /// Is gone without a word.
        case vanish
        /// Refuses.
        case refuse(RPCError)
        /// Sends these deltas, and no more.
        case say([Wire.GenerateDelta])
        /// Does nothing until the caller goes.
        case hang
    }

    private struct State {
        var servers: [String: RPCServer] = [:]
        var turns: [Turn] = []
        var calls: [Wire.GenerateRequest] = []
        var instances: [String] = []
        var metadata: [Metadata] = []
        /// A call with this seed kills the instance that computes it.
        var poison: UInt64?
    }

    let loaded: LoadedModel
    let client: RPCClient
    private let network: InProcessNetwork
    private let real: RPCServer
    private let engine: RPCClient
    private let state = Mutex(State())
    private let addresses = AddressBook()

    private struct Addresses: Resolver {
        let read: @Sendable () -> [String]
        func resolve() -> [String] { read() }
    }

    private static var timing: BusTiming {
        var timing = BusTiming()
        timing.resolve = .milliseconds(10)
        timing.redial = .milliseconds(10)
        return timing
    }

    /// - Parameter turns: of the calls as they come, to whatever instance; those after them are served.
    init(_ turns: [Turn] = []) throws {
        let device = Device(threadCount: 1)
        loaded = try LoadedModel(directory: llama, on: device)
        network = try InProcessNetwork()
        let gauge = LoadGauge(capacity: 64)
        let textEngine = try TextEngine(loaded, options: .init(cachePositions: 2_048), on: device, gauge: gauge)
        let service = TextModelService(
            TextRevision(
                name: "llama", numericsID: "same", tokenizerHash: loaded.tokenizer.hash, engine: textEngine))
        real = RPCServer(
            service.description(capacity: 64), services: [service],
            transports: [network.server("inproc://engine")], gauge: gauge)
        try real.start()
        engine = try RPCClient(
            target: "engine", resolver: Addresses { ["inproc://engine"] }, transport: network.client)
        let addresses = addresses
        client = try RPCClient(
            target: "text-model", resolver: Addresses { addresses.all }, transport: network.client,
            interceptors: [RequestTrace.Propagation()], timing: Self.timing)
        state.withLock { $0.turns = turns }
    }

    /// Where instances are now.
    private final class AddressBook: Sendable {
        private let list = Mutex<[String]>([])
        var all: [String] { list.withLock { $0 } }
        func add(_ address: String) { list.withLock { $0.append(address) } }
        func remove(_ address: String) { list.withLock { $0.removeAll { $0 == address } } }
    }

    /// Starts an instance.
    func start(_ name: String, numericsID: String = "same") async throws {
        var description = ServiceDescription(service: "text-model")
        var model = ModelDescription(name: "llama")
        (model.numericsID, model.modality, model.contextLength) = (numericsID, "text", 512)
        description.models = [model]
        description.capacity = 64
        let address = "inproc://" + name
        let server = RPCServer(
            description, services: [Script { [weak self] in try await self?.answer($0, $1, $2, at: address) }],
            transports: [network.server(address)])
        try server.start()
        state.withLock { $0.servers[address] = server }
        addresses.add(address)
        let id = server.description.instanceID
        try await client.waitUntil { $0.contains { $0.id == id } }
    }

    private struct Script: RPCService {
        let answer:
            @Sendable (Wire.GenerateRequest, ReplyWriter<Wire.GenerateDelta>, ServerContext) async throws -> Void

        func register(with router: inout RPCRouter) {
            router.serverStreaming(Wire.TextModel.generate) { try await answer($0.message, $1, $2) }
        }
    }

    /// From now on a call with this seed kills the instance that computes it, and all calls there with it; another
    /// instance follows each that dies.
    func poison(_ seed: UInt64) { state.withLock { $0.poison = seed } }

    /// Calls so far, and which instances they came to.
    var calls: [Wire.GenerateRequest] { state.withLock { $0.calls } }
    var instances: [String] { state.withLock { $0.instances } }
    /// What went with each call.
    var metadata: [Metadata] { state.withLock { $0.metadata } }

    private func answer(
        _ call: Wire.GenerateRequest, _ writer: ReplyWriter<Wire.GenerateDelta>, _ context: ServerContext,
        at address: String
    ) async throws {
        let turn = state.withLock { state in
            state.calls.append(call)
            state.metadata.append(context.metadata)
            state.instances.append(String(address.dropFirst(9)))
            return state.turns.isEmpty ? Turn.serve : state.turns.removeFirst()
        }
        switch turn {
        case .serve where call.seed == state.withLock({ $0.poison }):
            // A suspect waits for its turn in the engine, which says so; it dies then, before anybody else's turn.
            if call.crashesWithoutProgress > 0 {
                try await passStart(of: call, to: writer) { kill(address) }
            } else {
                kill(address)
            }
            try await start(String(address.dropFirst(9)) + "'")
        case .serve: try await pass(call, to: writer, limit: .max)
        case .die(let count):
            try await pass(call, to: writer, limit: count)
            kill(address)
        case .leave(let count):
            try await pass(call, to: writer, limit: count)
            addresses.remove(address)
            let server = state.withLock { $0.servers.removeValue(forKey: address) }
            await server?.drain(grace: .milliseconds(50))
        case .vanish: kill(address)
        case .refuse(let error): throw error
        case .say(let deltas): for delta in deltas { try await writer.write(delta) }
        case .hang:
            let (forever, gone) = AsyncStream<Void>.makeStream()
            context.onCancel { gone.finish() }
            for await _ in forever {}
        }
    }

    private func pass(_ call: Wire.GenerateRequest, to writer: ReplyWriter<Wire.GenerateDelta>, limit: Int) async throws
    {
        let stream = try await engine.stream(Wire.TextModel.generate, call)
        var count = 0
        while let delta = try await stream.next()?.message {
            if !delta.isStart {
                if count == limit { return }
                count += 1
            }
            try await writer.write(delta)
        }
    }

    /// The engine has the call until `end` is over.
    private func passStart(
        of call: Wire.GenerateRequest, to writer: ReplyWriter<Wire.GenerateDelta>, then end: () -> Void
    ) async throws {
        let stream = try await engine.stream(Wire.TextModel.generate, call)
        while let delta = try await stream.next()?.message {
            guard delta.isStart else { continue }
            try await writer.write(delta)
            // As in the engine, what was sent to others before has time to go out.
            try await Task.sleep(for: .milliseconds(15))
            end()
            return withExtendedLifetime(stream) {}
        }
    }

    private func kill(_ address: String) {
        addresses.remove(address)
        state.withLock { $0.servers.removeValue(forKey: address) }?.stop()
    }

    func stop() {
        client.close()
        engine.close()
        for server in state.withLock({ Array($0.servers.values) }) { server.stop() }
        real.stop()
    }
}

extension ScriptedFleet {
    /// The scripted text-models and a real tokenizer beside them, for the time of `body`.
    func withTokenizer<Result: Sendable>(_ body: (Fleet) async throws -> Result) async throws -> Result {
        let network = try InProcessNetwork()
        let tokenizers = TokenizerService(tokenizers: ["llama": loaded.tokenizer])
        let server = RPCServer(
            tokenizers.description(capacity: 4), services: [tokenizers],
            transports: [network.server("inproc://tokenizer")])
        try server.start()
        defer { server.stop() }
        let tokenizer = try RPCClient(
            target: "tokenizer", resolver: StaticResolver(addresses: ["inproc://tokenizer"]), transport: network.client)
        try await tokenizer.waitUntil { !$0.isEmpty }
        return try await body(Fleet(tokenizer: tokenizer, textModel: client))
    }
}
