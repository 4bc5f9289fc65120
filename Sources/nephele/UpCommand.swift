import ArgumentParser
import Console
import EmbeddedModels
import GatewayClient
import ServiceRuntime
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

    @Option(help: "How text models hold their weights: auto (the checkpoint's own), f32, bf16, f16, int8 or int4.")
    var precision: Precision = .auto

    @Option(
        help: ArgumentHelp(
            "A LoRA adapter of a text model, as PEFT saves it; may be repeated.",
            discussion: "With several text models it belongs to the one that its adapter_config.json names.",
            valueName: "name=directory"))
    var adapter: [AdapterArgument] = []

    @Flag(help: "Lets clients load and unload adapters that lie in the models directory.")
    var allowAdapterUpdates = false

    @Option(
        help: "What proposes tokens for text models to check, several a step: none, or lookup (in prompt and answer).")
    var speculate: Speculation = .none

    @Option(help: "A small text model by name that proposes tokens; it needs the tokenizer of the one it is for.")
    var draftModel: String?

    @Option(help: "The address that the gateway listens at.")
    var host: String = "127.0.0.1"

    @Option(help: "The port that the gateway listens at; 0 for any that is free.")
    var port: Int = 8080

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is \(port); give 0 to 65535") }
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
        options.adapters = try Dictionary(
            grouping: adapter, by: { try self.model(of: $0, among: options.textModels.map(\.name)) })
        (options.adapterFolder, options.allowsAdapterUpdates) = (catalogue.directory, allowAdapterUpdates)
        options.speculation = speculate.rawValue
        options.draftModel = try draftModel.map { try catalogue.entry($0, .text) }
        let system = try LocalSystem(options)
        let names = (options.textModels + options.imageModels).map { $0.name }.joined(separator: ", ")
        _ = try await system.run { client in
            Terminal.line("nephele serves \(names) at \(client.address)  (Ctrl-C drains and stops)")
            while true { try await Task.sleep(for: .seconds(3_600)) }
        }
        Terminal.line("stopped")
    }

    /// The text model that an adapter is for: the only one, or the one that its configuration names.
    private func model(of adapter: AdapterArgument, among models: [String]) throws -> String {
        if models.count == 1 { return models[0] }
        let base = try Adapter.baseModel(directory: adapter.directory)
        guard let model = models.first(where: { $0 == base || $0 == base?.split(separator: "/").last.map(String.init) })
        else {
            throw CommandError(
                "--adapter \(adapter.name): its adapter_config.json is for '\(base ?? "no model")'; served are: "
                    + models.joined(separator: ", "))
        }
        return model
    }
}

/// What proposes tokens where there is no draft model.
enum Speculation: String, CaseIterable, ExpressibleByArgument {
    case none, lookup
}

/// `SERVICE=COUNT`.
struct ReplicaCount: ExpressibleByArgument {
    static let services = ["tokenizer", "text-model", "diffusion"]

    let service: String
    let count: Int

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, Self.services.contains(String(parts[0])), let count = Int(parts[1]),
            (1...64).contains(count)
        else { return nil }
        (service, self.count) = (String(parts[0]), count)
    }
}
