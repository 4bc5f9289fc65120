import ArgumentParser
import Console
import GatewayClient

struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "Lists the models that a gateway serves.")

    @OptionGroup var gateway: GatewayOption

    func run() async throws {
        let models = try await gateway.client().get(ModelEntries.self, "v1/models")
        var table = Table(["model", "makes", "context", "revision", "adapter of"])
        for model in models.data {
            let context = model.context_length > 0 ? "\(model.context_length)" : "-"
            table.append([model.id, model.modality, context, model.revision, model.parent ?? "-"])
        }
        for line in table.lines { Terminal.line(Terminal.printable(line)) }
    }
}
