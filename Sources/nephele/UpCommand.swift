import ArgumentParser
import Console
import ContentFilter
import ContentLabels
import EmbeddedModels
import GatewayClient
import Layers
import PromptRouting
import ServiceRuntime
import Tensors
import TextGeneration
import TextModelOptions
import TextModels

struct UpCommand: ConfigurableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Starts the whole system on this machine and keeps it running; Ctrl-C drains it.",
        discussion: """
            Without --text-model and --image-model the embedded models are served. A model is found by name in \
            --models (or NEPHELE_MODELS), one checkpoint directory or GGUF file each, then among the embedded ones. \
            hf:ORG/NAME and hf:ORG/NAME-GGUF:Q4_K_M are models of the Hugging Face hub, fetched when they are not there; \
            ollama:NAME:TAG and lmstudio:ORG/NAME are read where those programs have them; a path with a slash is read where \
            it lies. NAME=… before any of these gives it a name.

            The services read the same configuration file, each its own section, and the same environment.
            """)

    @Option(help: "The directory of your models, one checkpoint directory or GGUF file each.")
    var models: String?

    @Option(help: "A text model by name; may be repeated.")
    var textModel: [String] = []

    @Option(help: "An image model by name; may be repeated.")
    var imageModel: [String] = []

    @Option(help: "Processes of a service for each of its models, e.g. text-model=2; may be repeated.")
    var replicas: [ReplicaCount] = []

    @Option(help: "Cuts each text model by layers into so many shards of about equal weight, processes of their own.")
    var shards: Int?

    @Option(
        help: ArgumentHelp(
            "Where text models are cut, e.g. 0-5,6-11; instead of --shards.", valueName: "layers,layers,…"))
    var cut: CutArgument?

    @Option(
        help: ArgumentHelp(
            "A LoRA adapter of a text model, as PEFT saves it; may be repeated.",
            discussion: "With several text models it belongs to the one that its adapter_config.json names.",
            valueName: "name=directory"))
    var adapter: [AdapterArgument] = []

    @Option(
        help: ArgumentHelp(
            "A text model that scores pairs of texts as Qwen 3 Reranker although its files do not say so; may be repeated.",
            valueName: "name=qwen3"))
    var reranker: [RerankerArgument] = []

    @Option(help: "A small text model by name that proposes tokens; it needs the tokenizer of the one it is for.")
    var draftModel: String?

    @Flag(
        help: ArgumentHelp(
            "Trains LoRA adapters of the text models too, for /v1/fine_tuning/jobs, behind all other work.",
            discussion: "They lie in --models, and without it only as long as the system runs."))
    var trainer = false

    @Flag(help: "Starts although the models may take more memory than is available.")
    var overcommit = false

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup(title: "Text models") var text: TextModelOptions
    @OptionGroup(title: "Image models") var drawing: DiffusionOptions
    @OptionGroup var file: ConfigurationOption

    private static let gatewaySection = ConfigurationSection("gateway", GatewayOptions.self, isWhole: false)
    private static let textSection = ConfigurationSection("text-model", TextModelOptions.self, isWhole: false)
    private static let drawingSection = ConfigurationSection("diffusion", DiffusionOptions.self, isWhole: false)

    /// Options that a service has too are read where the service reads them.
    static let sections: [ConfigurationSection] = {
        let shared = [gatewaySection, textSection, drawingSection]
        // The variables of the same names are the services': --shards counts here, and names targets there.
        let own = ConfigurationSection("up", Self.self, except: shared.flatMap(\.options), readsEnvironment: false)
        return [own] + shared
    }()

    func validate() throws {
        let parts = cut?.layers.count ?? shards ?? 1
        guard cut == nil || shards == nil, (1...ReplicaCount.shardLimit).contains(parts) else {
            throw ValidationError("give --shards (1 to \(ReplicaCount.shardLimit)) or --cut, not both")
        }
        guard trainer || !replicas.contains(where: { $0.service == "trainer" }) else {
            throw ValidationError("--replicas names trainer; there are trainers with --trainer")
        }
        if let other = replicas.first(where: { ($0.shard ?? 0) >= parts }) {
            throw ValidationError(
                "--replicas names \(other.service); there are \(parts) shards, the first of them text-model")
        }
    }

    func run() async throws {
        let catalogue = try ModelCatalogue(models: models)
        var options = LocalSystem.Options()
        let isOpen = textModel.isEmpty && imageModel.isEmpty
        let source = ModelSource(catalogue)
        for name in isOpen ? [EmbeddedModels.text] : textModel {
            options.textModels.append(try await source.entry(name, .text))
        }
        for name in isOpen ? [EmbeddedModels.picture] : imageModel {
            options.imageModels.append(try await source.entry(name, .image))
        }
        let names = (options.textModels + options.imageModels).map(\.name)
        if let twice = Dictionary(grouping: names, by: { $0 }).first(where: { $0.value.count > 1 }) {
            throw CommandError("two models would be served as '\(twice.key)'; give one a name of its own: NAME=…")
        }
        options.replicas = Dictionary(replicas.map { ($0.service, $0.count) }) { $1 }
        (options.host, options.port) = (gateway.host, gateway.port)
        options.keepsStateHere = gateway.state == nil && gateway.accounts == nil
        options.arguments = arguments(CommandLineFlags(Array(CommandLine.arguments.dropFirst(2))))
        for model in options.textModels {
            if let cut {
                options.cuts[model.name] = cut.layers
            } else if let shards, shards > 1 {
                options.cuts[model.name] = try LayerCut.balanced(
                    directory: model.directory, precision: text.precision, shards: shards)
            }
        }
        options.adapters = try Dictionary(
            grouping: adapter, by: { try self.model(of: $0, among: options.textModels.map(\.name)) })
        (options.adapterFolder, options.trains) = (catalogue.directory, trainer)
        guard !trainer || !options.textModels.isEmpty else {
            throw CommandError("--trainer trains adapters of text models; there is none: give --text-model")
        }
        for argument in reranker {
            guard options.textModels.contains(where: { $0.name == argument.model }) else {
                throw CommandError(
                    "--reranker \(argument.model)=\(argument.kind.rawValue): served are "
                        + options.textModels.map(\.name).joined(separator: ", "))
            }
            options.rerankers[argument.model] = argument.kind.rawValue
        }
        // An error in a file is reported here, before a gateway would be started again and again.
        if let routes = gateway.routes { _ = try RoutingTable(file: routes) }
        if !["off", "default"].contains(gateway.filter) { _ = try FilterPolicy(file: gateway.filter) }
        _ = try LabelSet(gateway.labels)
        if let draftModel { options.draftModel = try await source.entry(draftModel, .text) }
        let memory = try memoryPlan(options)
        for line in memory.lines { Terminal.line(line) }
        if !overcommit, try memory.check(unloads: text.idleUnload != nil) {
            options.takesTurns = true
            Terminal.line(memory.turnsLine)
        }
        let system = try LocalSystem(options)
        _ = try await system.run { client in
            let missing = await client.missingModels() ?? []
            let names = names.filter { !missing.contains($0) }.joined(separator: ", ")
            Terminal.line("nephele serves \(names) at \(client.address)  (Ctrl-C drains and stops)")
            while true { try await Task.sleep(for: .seconds(3_600)) }
        }
        Terminal.line("stopped")
    }

    /// What the models will take. One whose files are at fault is left out: its service says so when it loads them.
    private func memoryPlan(_ options: LocalSystem.Options) throws -> MemoryPlan {
        var plan = MemoryPlan(available: AvailableMemory.bytes())
        for model in options.textModels {
            let parts = max(1, options.cuts[model.name]?.count ?? 1)
            do {
                try plan.add(model, draft: options.draftModel, text, parts: parts) { part in
                    options.replicas[part == 0 ? "text-model" : "text-shard-\(part)"] ?? 1
                }
            } catch {
                Terminal.line("\(model.name): what it takes is not known: \(error)")
            }
        }
        if options.trains {
            do {
                try plan.add(trainers: options.replicas["trainer"] ?? 1, of: options.textModels)
            } catch {
                Terminal.line("training: what it takes is not known: \(error)")
            }
        }
        for model in options.imageModels {
            plan.add(image: model, replicas: options.replicas["diffusion"] ?? 1)
        }
        return plan
    }

    /// What the command line gives of the services' options, for each of them; environment and file they read themselves.
    func arguments(_ flags: CommandLineFlags) -> [LocalSystem.Program: [String]] {
        let configuration = file.configuration.map { ["--configuration", $0] } ?? []
        // Where the gateway listens is said by `LocalSystem`.
        let gateway = Self.gatewaySection.options.filter { $0.name != "host" && $0.name != "port" }
        return [
            .gateway: flags.arguments(of: gateway) + configuration,
            .tokenizer: configuration, .trainer: configuration,
            .textModel: flags.arguments(of: Self.textSection.options) + configuration,
            .diffusion: flags.arguments(of: Self.drawingSection.options)
                + flags.arguments(of: Self.textSection.options.filter { $0.name == "idle-unload" }) + configuration,
        ]
    }

    /// The text model that an adapter is for: the only one, or the one that its configuration names.
    private func model(of adapter: AdapterArgument, among models: [String]) throws -> String {
        if models.count == 1 { return models[0] }
        let base = try LowRankAdapter.baseModel(directory: adapter.directory)
        guard let model = models.first(where: { $0 == base || $0 == base?.split(separator: "/").last.map(String.init) })
        else {
            throw CommandError(
                "--adapter \(adapter.name): its adapter_config.json is for '\(base ?? "no model")'; served are: "
                    + models.joined(separator: ", "))
        }
        return model
    }
}

/// `SERVICE=COUNT`.
struct ReplicaCount: ExpressibleByArgument {
    static let services = ["tokenizer", "text-model", "diffusion", "trainer"]
    static let shardLimit = 64

    let service: String
    let count: Int
    /// The number of a later shard, `text-shard-N`; nil for any other service.
    var shard: Int? {
        service.hasPrefix("text-shard-") ? Int(service.dropFirst("text-shard-".count)) : nil
    }

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let count = Int(parts[1]), (1...64).contains(count) else { return nil }
        (service, self.count) = (String(parts[0]), count)
        let isShard = shard.map { $0 > 0 && service == "text-shard-\($0)" } ?? false
        guard isShard || Self.services.contains(service) else { return nil }
    }
}

/// `NAME=KIND`.
struct RerankerArgument: ExpressibleByArgument {
    let model: String
    let kind: Reranker

    init?(argument: String) {
        guard let sign = argument.lastIndex(of: "="), sign > argument.startIndex,
            let kind = Reranker(rawValue: String(argument[argument.index(after: sign)...]))
        else { return nil }
        (model, self.kind) = (String(argument[..<sign]), kind)
    }
}

/// `FIRST-LAST,FIRST-LAST,…`: layers that follow one another from 0 on.
struct CutArgument: ExpressibleByArgument {
    let layers: [Range<Int>]

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map {
            LayerArgument(argument: String($0))?.layers
        }
        layers = parts.compactMap { $0 }
        var next = 0
        for part in parts {
            guard let part, part.lowerBound == next else { return nil }
            next = part.upperBound
        }
    }
}
