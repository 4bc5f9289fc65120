import Foundation
import GatewayClient
import Logging
import ServiceRuntime
import Supervision
import UnixSignals

/// All services on this machine over ipc, and where their gateway listens.
struct LocalSystem {
    /// The programs of the services.
    enum Program: String {
        case gateway = "nephele-gateway"
        case tokenizer = "nephele-tokenizer"
        case textModel = "nephele-text-model"
        case diffusion = "nephele-diffusion"
        case trainer = "nephele-trainer"
    }

    struct Options {
        var textModels: [ModelCatalogue.Entry] = []
        var imageModels: [ModelCatalogue.Entry] = []
        /// The layers of each shard of the text models; given for all of them, or by the name of each.
        var cuts: [String: [Range<Int>]] = [:]
        /// Processes of each service: `tokenizer`, `text-model`, `text-shard-1`, …, `diffusion`, `trainer`.
        var replicas: [String: Int] = [:]
        /// LoRA adapters by the name of their text model.
        var adapters: [String: [AdapterArgument]] = [:]
        /// What a text model scores pairs as, by its name.
        var rerankers: [String: String] = [:]
        /// Whether models are loaded one after the other, each let go before the next: they do not fit together.
        var takesTurns = false
        /// Where text-models find adapters that clients ask for; nil: nowhere, or, where adapters are trained, in a folder
        /// that lasts as long as the system runs.
        var adapterFolder: String?
        /// Whether adapters of the text models are trained.
        var trains = false
        /// Whether the gateway keeps what clients have it keep only as long as the system runs.
        var keepsStateHere = true
        /// Further arguments of each program.
        var arguments: [Program: [String]] = [:]
        /// A small model that proposes tokens, of the same tokenizer.
        var draftModel: ModelCatalogue.Entry?
        var host = "127.0.0.1"
        /// 0 for any that is free.
        var port = 8080
    }

    /// What a model's loading may take.
    private static let startTimeout: Duration = .seconds(300)

    let supervisor: Supervisor
    private let directory: RunDirectory
    private let options: Options

    init(_ options: Options, output: Supervisor.Output? = nil) throws {
        self.options = options
        directory = try RunDirectory()
        var options = options
        if options.trains, options.adapterFolder == nil {
            let folder = directory.path + "/adapters"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            options.adapterFolder = folder
        }
        let services = try Self.services(options, directory: directory.path)
        supervisor = Supervisor(services, output: output ?? .standardError, logger: Logger(label: "nephele"))
    }

    /// How a run came to its end.
    enum Outcome: Sendable {
        case finished
        /// SIGINT or SIGTERM.
        case interrupted
    }

    /// Starts everything, calls `whenReady` with the gateway's client once all services answer, and drains everything
    /// when that returns or throws, or when the process is asked to stop.
    ///
    /// - Throws: `SupervisionError` when a service dies before all were ready, or they take too long.
    func run(_ whenReady: @escaping @Sendable (GatewayClient) async throws -> Void) async throws -> Outcome {
        defer { directory.remove() }
        let supervisor = supervisor
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return try await withThrowingTaskGroup(of: Outcome.self) { group in
            group.addTask {
                try await supervisor.run()
                return .finished
            }
            group.addTask {
                let client = try await waitUntilReady()
                await supervisor.becameReady()
                try await whenReady(client)
                return .finished
            }
            group.addTask {
                for await _ in signals { return .interrupted }
                return .finished
            }
            // The first to end is the work, a signal, or a supervisor that could not go on.
            let first = await group.nextResult()
            await supervisor.stop(grace: .seconds(30))
            group.cancelAll()
            return try first?.get() ?? .finished
        }
    }

    private func waitUntilReady() async throws -> GatewayClient {
        let deadline = ContinuousClock.now + Self.startTimeout
        while ContinuousClock.now < deadline {
            let written = try? String(contentsOfFile: directory.path + "/port", encoding: .utf8)
            if let port = written.flatMap({ Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }) {
                let host = options.host == "0.0.0.0" ? "127.0.0.1" : options.host
                let client = try GatewayClient(address: "http://\(host):\(port)")
                if await client.isReady() { return client }
                if try await isReadyWithoutFallen(client) { return client }
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw SupervisionError("the services were not ready after \(Self.startTimeout)")
    }

    /// Whether all models are served but those whose services have died: a fault of one model is none of the others'.
    ///
    /// - Throws: `SupervisionError` where no model is left.
    private func isReadyWithoutFallen(_ client: GatewayClient) async throws -> Bool {
        let fallen = await supervisor.fallen
        guard !fallen.isEmpty, let missing = await client.missingModels(), !missing.isEmpty else { return false }
        let models = Set((options.textModels + options.imageModels).map(\.name))
        let dead = models.filter { model in fallen.contains { $0.hasSuffix(" of \(model)") } }
        guard missing.isSubset(of: dead) else { return false }
        guard missing != models else { throw SupervisionError("no model can be served") }
        return true
    }

    // MARK: What is started

    static func services(_ options: Options, directory: String) throws -> [SupervisedService] {
        var services: [SupervisedService] = []
        let processors = ProcessInfo.processInfo.activeProcessorCount
        let hasOthers = options.textModels.count + options.imageModels.count > 1
        /// - Parameter processes: those among which the processors are shared; nil for a service that computes little.
        func add(
            _ service: String, _ label: String, _ group: Int, _ arguments: [String], program: Program,
            processes: Int? = nil
        ) throws {
            let share = processes.map { ["--threads", "\(max(1, processors / $0))"] } ?? []
            for replica in 1...(options.replicas[service] ?? 1) {
                let turns = options.takesTurns && processes != nil ? ["--load-turns", directory + "/loading.lock"] : []
                var supervised = SupervisedService(
                    name: "\(service) \(replica)\(label)",
                    executable: try executable(program),
                    arguments: arguments + share + turns + (options.arguments[program] ?? []),
                    socketStem: "\(directory)/\(service)-\(group)-\(replica)")
                supervised.isDispensable = !label.isEmpty && hasOthers
                services.append(supervised)
            }
        }
        // Replicas share the processors; text and pictures seldom come at the same time, so they do not.
        func count(_ names: [String]) -> Int { names.reduce(0) { $0 + (options.replicas[$1] ?? 1) } }
        if !options.textModels.isEmpty {
            let models = options.textModels.flatMap { ["--model", "\($0.name)=\($0.directory)"] }
            try add("tokenizer", "", 0, models, program: .tokenizer)
        }
        var shardCount = 1
        for (group, model) in options.textModels.enumerated() {
            // What every process of the model needs, whichever layers it has.
            var shared = ["--model", "\(model.name)=\(model.directory)"]
            for adapter in options.adapters[model.name] ?? [] {
                shared += ["--adapter", "\(adapter.name)=\(adapter.directory)"]
            }
            if let folder = options.adapterFolder { shared += ["--adapter-folder", folder] }
            var arguments = shared
            if let reranker = options.rerankers[model.name] { arguments += ["--reranker", reranker] }
            if let draft = options.draftModel { arguments += ["--draft-model", "\(draft.name)=\(draft.directory)"] }
            let cut = options.cuts[model.name] ?? []
            let shards = (1..<max(1, cut.count)).map { "text-shard-\($0)" }
            shardCount = max(shardCount, cut.count)
            let processes = count(["text-model"] + shards)
            for (index, shard) in shards.enumerated() {
                let layers = cut[index + 1]
                let own = shared + ["--layers", "\(layers.lowerBound)-\(layers.upperBound - 1)"]
                try add(shard, " of \(model.name)", group, own, program: .textModel, processes: processes)
                arguments += ["--shards", "ipc://\(directory)/\(shard)-\(group)-*.sock"]
            }
            if !shards.isEmpty { arguments += ["--layers", "\(cut[0].lowerBound)-\(cut[0].upperBound - 1)"] }
            try add("text-model", " of \(model.name)", group, arguments, program: .textModel, processes: processes)
        }
        for (group, model) in options.imageModels.enumerated() {
            try add(
                "diffusion", " of \(model.name)", group, ["--model", "\(model.name)=\(model.directory)"],
                program: .diffusion, processes: count(["diffusion"]))
        }
        if options.trains, let folder = options.adapterFolder {
            let models = options.textModels.flatMap { ["--model", "\($0.name)=\($0.directory)"] }
            try add("trainer", "", 0, models + ["--adapter-folder", folder], program: .trainer)
        }
        var gateway = ["--host", options.host, "--port", "\(options.port)", "--port-file", directory + "/port"]
        if !options.textModels.isEmpty {
            gateway += ["--tokenizer", "ipc://\(directory)/tokenizer-*.sock"]
            gateway += ["--text-model", "ipc://\(directory)/text-model-*.sock"]
            for shard in 1..<max(1, shardCount) {
                gateway += ["--text-shard", "ipc://\(directory)/text-shard-\(shard)-*.sock"]
            }
        }
        if !options.imageModels.isEmpty { gateway += ["--diffusion", "ipc://\(directory)/diffusion-*.sock"] }
        if options.trains { gateway += ["--trainer", "ipc://\(directory)/trainer-*.sock"] }
        for model in options.textModels + options.imageModels { gateway += ["--expect-model", model.name] }
        if options.keepsStateHere { gateway += ["--state", directory + "/state.sqlite"] }
        gateway += options.arguments[.gateway] ?? []
        services.append(
            SupervisedService(name: "gateway", executable: try executable(.gateway), arguments: gateway))
        return services
    }

    /// The service's executable, which stands beside this one.
    private static func executable(_ program: Program) throws -> URL {
        let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let url = own.deletingLastPathComponent().appendingPathComponent(program.rawValue)
        guard FileManager.default.isExecutableFile(atPath: url.path) else {
            throw SupervisionError("\(url.path) is missing; build all products with `swift build -c release`")
        }
        return url
    }
}
