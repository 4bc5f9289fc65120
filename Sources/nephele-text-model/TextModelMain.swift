import ArgumentParser
import Concurrency
import Foundation
import Layers
import Logging
import ModelServing
import RPC
import ServiceRuntime
import Tensors
import TextGeneration
import TextModelOptions
import TextModelService
import TextModels
import ZeroMQTransport

@main
struct TextModelMain: ConfigurableCommand {
    private static let label = "nephele-text-model"

    static let configuration = CommandConfiguration(
        commandName: "nephele-text-model", abstract: "Serves one text model's checkpoint on the bus.")

    @Option(name: .long, help: "The model by name (in NEPHELE_MODELS, or embedded), or as NAME=DIRECTORY.")
    var model: ModelArgument

    @Option(name: .long, help: "Where to serve: ipc:///path/text-model-1.sock or tcp://127.0.0.1:7002.")
    var bind: String

    @Option(name: .long, help: "Threads that compute; the machine's processors by default.")
    var threads: Int = ProcessInfo.processInfo.activeProcessorCount

    @OptionGroup var text: TextModelOptions

    @Option(
        help: ArgumentHelp(
            "A LoRA adapter of the model, as PEFT saves it; may be repeated.", valueName: "name=directory"))
    var adapter: [AdapterArgument] = []

    @Option(
        help: """
            The folder in which adapters may be loaded later, by request; NEPHELE_MODELS by default. Nothing outside \
            of it is read for a request.
            """)
    var adapterFolder: String?

    @Option(
        help: """
            What a plain decoder scores pairs of texts as, where its files do not say that it is a reranker: qwen3 (Qwen 3 \
            Reranker: its prompt, and the words yes and no).
            """)
    var reranker: Reranker?

    @Option(help: "A small model with the same tokenizer that proposes tokens; by name, or as NAME=DIRECTORY.")
    var draftModel: ModelArgument?

    @Option(
        help: ArgumentHelp(
            "The layers of the model that this process has, counted from 0; all of them by default.",
            discussion: "A process with later layers serves those that have the first: they name it with --shards.",
            valueName: "first-last"))
    var layers: LayerArgument?

    @Option(
        help: ArgumentHelp(
            "Where the next layers are: ipc:///path/text-shard-1-*.sock, tcp://host:port or dns://name:port; again "
                + "for each further shard, in the order of the layers.", valueName: "target"))
    var shards: [String] = []

    @Option(
        help: ArgumentHelp(
            "A file that processes with models have in common: they load them one after the other, and let each go again "
                + "before the next; for --idle-unload.", valueName: "file"))
    var loadTurns: String?

    @OptionGroup var process: ProcessOptions

    static let sections = [ConfigurationSection("text-model", Self.self)]

    func validate() throws {
        guard shards.isEmpty || layers?.layers.lowerBound == 0 else {
            throw ValidationError("--shards belongs to the process with the first layers; give it --layers 0-LAST")
        }
        guard loadTurns == nil || text.idleUnload != nil else {
            throw ValidationError("--load-turns is for models that are unloaded: give --idle-unload too")
        }
        guard (1...1_024).contains(threads) else { throw ValidationError("--threads is \(threads); give 1 to 1024") }
    }

    func run() async throws {
        ServiceLog.bootstrap()
        try ZeroMQTransport.share(keysIn: process.busKeys)
        let device = Device(threadCount: threads)
        let gauge = LoadGauge(capacity: text.sequences)
        let capacity = text.sequences, server: RPCServer
        let transports = [try ZeroMQTransport.shared().server(bind)], log = [CallLog(label: Self.label)]
        switch try await service(on: device, gauge: gauge) {
        case .first(let service):
            server = RPCServer(
                service.description(capacity: capacity), services: [service], transports: transports, gauge: gauge,
                interceptors: log)
            service.keepDescribed(by: server)
        case .later(let service, let numericsID):
            server = RPCServer(
                service.description(numericsID: numericsID, capacity: capacity), services: [service],
                transports: transports, gauge: gauge, interceptors: log)
            service.keepDescribed(by: server, numericsID: numericsID)
        }
        try await ServerLifetime.serve(server, label: Self.label)
    }

    /// What a process serves: the first layers and all that is above them, or later ones.
    private enum Service {
        case first(TextModelService)
        case later(TextShardService, numericsID: String)
    }

    /// Loads the model. Its weights belong to the service alone afterwards, which may let them go.
    private func service(on device: Device, gauge: LoadGauge) async throws -> Service {
        let turn = try LoadTurns(file: loadTurns).take()
        let loader = try revisionLoader(on: device, gauge: gauge) { if $0 { turn.end() } }
        let first = try loader.checkpoint(packing: device)
        // The parts of a model that is cut are there together, and wait for each other.
        if layers != nil { turn.end() }
        let log = Logger(label: Self.label)
        let abilities = first.loaded.abilities
        // That a model which scores does not embed is no fault of it.
        if let fault = abilities.embeddingFault, abilities.scoringFault != nil { log.warning("\(fault.message)") }
        var shards: LaterShardClients?
        if case .decoder(let loaded) = first.loaded {
            if let fault = loaded.generationFault { log.warning("\(fault.message)") }
            if loaded.model.layers.lowerBound > 0 {
                let service = try shard(loaded, loader.shardUnload(first), on: device, gauge: gauge)
                return .later(service, numericsID: first.numericsID)
            }
            shards = try await laterShards(of: loaded, first.numericsID)
        } else if !self.shards.isEmpty {
            throw ValidationError("\(model.name) is an encoder; --shards has nothing to add")
        }
        let given = Dictionary(adapter.map { ($0.name, $0.directory) }) { $1 }
        let next: RevisionKeeper<TextRevision>.Loader = { try loader.next(after: $0) }
        return .first(
            TextModelService(
                try loader.revision(first, shards: shards, adapters: given), load: shards == nil ? next : nil))
    }

    private func revisionLoader(
        on device: Device, gauge: LoadGauge, unloadedOrLoaded: @escaping @Sendable (_ isUnloaded: Bool) -> Void
    ) throws -> TextRevisionLoader {
        var environment = ProcessInfo.processInfo.environment
        if let cacheDir = text.cacheDir { environment["NEPHELE_CACHE"] = cacheDir }
        var options = TextRevisionLoader.Options(engine: text.engine)
        (options.precision, options.activations) = (text.precision, text.activations)
        (options.layers, options.reranker) = (layers?.layers, reranker)
        options.cache = CacheDirectory.standard(environment)
        options.room = MemoryRoom { AvailableMemory.bytes() }
        options.adapters = try adapterOptions()
        options.idleUnload = text.idleUnload?.duration
        (options.startsUnloaded, options.turns) = (loadTurns != nil, LoadTurns(file: loadTurns))
        options.unloadedOrLoaded = { [name = model.name] isUnloaded in
            unloadedOrLoaded(isUnloaded)
            let log = Logger(label: Self.label)
            log.info(isUnloaded ? "\(name) is unloaded: nobody asks for it" : "\(name) is loaded again")
        }
        let (model, draft) = (model, draftModel)
        var draftDirectory: (@Sendable () throws -> String)?
        if let draft { draftDirectory = { try draft.directory(.text) } }
        return TextRevisionLoader(
            name: model.name, options: options, on: device, gauge: gauge,
            directory: { try model.directory(.text) }, draftDirectory: draftDirectory)
    }

    /// Later layers of a model that is cut.
    private func shard(
        _ loaded: LoadedModel, _ unload: ShardUnload?, on device: Device, gauge: LoadGauge
    ) throws -> TextShardService {
        let resident = ResidentModel(loaded.model)
        let adapters = try AdapterLibrary(for: resident, modelName: model.name, options: adapterOptions())
        for own in adapter { try adapters.load(own.name, directory: own.directory) }
        let service = try TextShardService(
            name: model.name, model: loaded.model, cachePositions: text.cachePositions,
            cachePrecision: text.cachePrecision, states: text.engine.states, adapters: adapters, unload: unload,
            resident: resident, on: device, gauge: gauge)
        // Requests need not wait for the disk.
        if let packed = loaded.packedCache {
            _ = try DedicatedThread(name: "packed-cache", rank: .computing) { packed.write() }
        }
        return service
    }

    /// - Returns: nil when all layers are here.
    private func laterShards(of loaded: LoadedModel, _ numericsID: String) async throws -> LaterShardClients? {
        let model = loaded.model
        guard model.layers.count < model.shape.layers else {
            guard shards.isEmpty else {
                throw ValidationError("--layers are all that the model has; --shards has nothing to add")
            }
            return nil
        }
        guard !shards.isEmpty else {
            throw ValidationError("layers from \(model.layers.upperBound) on are elsewhere: name them with --shards")
        }
        return try await LaterShardClients(
            try shards.map { try RPCClient(target: $0) }, after: model, numericsID: numericsID)
    }

    private func adapterOptions() throws -> AdapterLibrary.Options {
        var options = AdapterLibrary.Options()
        options.folder = try adapterFolder ?? ModelCatalogue(models: nil).directory
        options.countLimit = text.adapterLimit
        options.byteLimit = text.adapterMemory << 20
        return options
    }
}
