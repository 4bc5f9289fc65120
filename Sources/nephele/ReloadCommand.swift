import ArgumentParser
import Console
import GatewayClient

struct ReloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Puts a new revision of a model in the place of the one that is served, without a pause.",
        discussion: """
            Replace the model's files first (best by renaming a whole directory into place). Each replica in turn loads \
            them beside what it serves; requests that run end on the old revision. The gateway has to be started with \
            --allow-reload.
            """)

    @Argument(help: "The model's name.")
    var model: String

    @OptionGroup var gateway: GatewayOption

    func run() async throws {
        let outcome = try await gateway.client().reload(model)
        var table = Table(["service", "outcome", "revision", "before", "seconds", "address"])
        for replica in outcome.replicas {
            table.append([
                replica.service, replica.outcome, replica.revision ?? "-", replica.previous_revision ?? "-",
                replica.seconds.map { "\($0)" } ?? "-", replica.address,
            ])
        }
        for line in table.lines { Terminal.line(Terminal.printable(line)) }
        if let message = outcome.replicas.compactMap(\.message).first { throw CommandError(message) }
    }
}
