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
import TextModels

struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Starts the whole system on this machine and keeps it running; Ctrl-C drains it.",
        discussion: """
            Without --text-model and --image-model the embedded models are served. A model is found by name in \
            --models (or NEPHELE_MODELS), one checkpoint directory or GGUF file each, then among the embedded ones.
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

    @Option(help: "How text models hold their weights: auto (the checkpoint's own), f32, bf16, f16, int8 or int4.")
    var precision: Precision = .auto

    @Option(help: "How text models hold keys and values: f32, bf16 or int8.")
    var cachePrecision: CachePrecision = .bf16

    @Option(
        help: ArgumentHelp(
            "A LoRA adapter of a text model, as PEFT saves it; may be repeated.",
            discussion: "With several text models it belongs to the one that its adapter_config.json names.",
            valueName: "name=directory"))
    var adapter: [AdapterArgument] = []

    @Flag(help: "Lets clients load and unload adapters that lie in the models directory.")
    var allowAdapterUpdates = false

    @Flag(help: "Lets clients have models reloaded, as `nephele reload` does.")
    var allowReload = false

    @Option(
        help: ArgumentHelp(
            "A YAML file with aliases, presets and routes; read again when it changes.", valueName: "file"))
    var routes: String?

    @Option(
        help: ArgumentHelp(
            "The content filter: off, default (blocks sexual text about minors, flags the rest), or a policy in YAML.",
            valueName: "policy"))
    var filter: String?

    @Option(
        help: ArgumentHelp(
            "Labels on generated content: off, default (metadata in pictures), or a YAML file.", valueName: "labels"))
    var labels: String?

    @Option(help: ArgumentHelp("A file of accounts: clients need a key of it then.", valueName: "file"))
    var accounts: String?

    @Flag(help: "Keeps requests and answers in the accounts file, for feedback and `nephele export`.")
    var record = false

    @Option(
        help: "What proposes tokens for text models to check, several a step: none, or lookup (in prompt and answer).")
    var speculate: Speculation = .none

    @Option(help: "A small text model by name that proposes tokens; it needs the tokenizer of the one it is for.")
    var draftModel: String?

    @Option(help: "Pixels of a side of a picture, at most (or NEPHELE_LARGEST_SIDE); twice the model's own by default.")
    var largestSide: Int?

    @Option(help: "The address that the gateway listens at.")
    var host: String = "127.0.0.1"

    @Option(help: "The port that the gateway listens at; 0 for any that is free.")
    var port: Int = 8080

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is \(port); give 0 to 65535") }
        if let largestSide, !(1...4_096).contains(largestSide) {
            throw ValidationError("--largest-side is \(largestSide); give 1 to 4096")
        }
        let parts = cut?.layers.count ?? shards ?? 1
        guard cut == nil || shards == nil, (1...ReplicaCount.shardLimit).contains(parts) else {
            throw ValidationError("give --shards (1 to \(ReplicaCount.shardLimit)) or --cut, not both")
        }
        if let other = replicas.first(where: { ($0.shard ?? 0) >= parts }) {
            throw ValidationError(
                "--replicas names \(other.service); there are \(parts) shards, the first of them text-model")
        }
        guard parts == 1 || (adapter.isEmpty && !allowAdapterUpdates) else {
            throw ValidationError("a text model that is cut has no adapters: leave --adapter out, or --shards")
        }
    }

    func run() async throws {
        let catalogue = try ModelCatalogue(models: models)
        var options = LocalSystem.Options()
        let isOpen = textModel.isEmpty && imageModel.isEmpty
        options.textModels = try (isOpen ? [EmbeddedModels.text] : textModel).map { try catalogue.entry($0, .text) }
        options.imageModels = try (isOpen ? [EmbeddedModels.picture] : imageModel).map {
            try catalogue.entry($0, .image)
        }
        options.replicas = Dictionary(replicas.map { ($0.service, $0.count) }) { $1 }
        (options.host, options.port, options.precision) = (host, port, precision)
        options.largestSide = largestSide
        options.cachePrecision = cachePrecision
        for model in options.textModels {
            if let cut {
                options.cuts[model.name] = cut.layers
            } else if let shards, shards > 1 {
                options.cuts[model.name] = try LayerCut.balanced(
                    directory: model.directory, precision: precision, shards: shards)
            }
        }
        options.adapters = try Dictionary(
            grouping: adapter, by: { try self.model(of: $0, among: options.textModels.map(\.name)) })
        (options.adapterFolder, options.allowsAdapterUpdates) = (catalogue.directory, allowAdapterUpdates)
        options.allowsReload = allowReload
        if let routes {
            // An error is better told here than by a gateway that is started again and again.
            _ = try RoutingTable(file: routes)
            options.gatewayArguments += ["--routes", routes]
        }
        if let accounts { options.gatewayArguments += ["--accounts", accounts] }
        if let filter, !["off", "default"].contains(filter) { _ = try FilterPolicy(file: filter) }
        if let filter { options.gatewayArguments += ["--filter", filter] }
        if let labels {
            _ = try LabelSet(labels)
            options.gatewayArguments += ["--labels", labels]
        }
        if record { options.gatewayArguments.append("--record") }
        options.speculation = speculate
        options.draftModel = try draftModel.map { try catalogue.entry($0, .text) }
        let system = try LocalSystem(options)
        let names = (options.textModels + options.imageModels).map(\.name)
        _ = try await system.run { client in
            let missing = await client.missingModels() ?? []
            let names = names.filter { !missing.contains($0) }.joined(separator: ", ")
            Terminal.line("nephele serves \(names) at \(client.address)  (Ctrl-C drains and stops)")
            while true { try await Task.sleep(for: .seconds(3_600)) }
        }
        Terminal.line("stopped")
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
    static let services = ["tokenizer", "text-model", "diffusion"]
    static let shardLimit = 64

    let service: String
    let count: Int
    /// Of a later shard, `text-shard-N`; nil for any other service.
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
