import ArgumentParser
import Console
import GatewayClient

struct ReloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Loads a text model's files again, without disturbing anyone.",
        discussion: """
            Put the new files where the old ones are (or turn the link to them), then reload. Each instance loads them \
            beside the old revision, which ends what it runs; one instance after the other. The gateway must allow it \
            (--allow-reload), and both revisions must fit in memory.
            """)

    @Argument(help: "The model's name.")
    var model: String

    @OptionGroup var gateway: GatewayOption

    /// What the gateway answers.
    private struct Answer: Decodable {
        struct Instance: Decodable {
            var service: String
            var address: String
            var revision: String
            var unchanged: Bool
        }

        var instances: [Instance]
    }

    func run() async throws {
        let answer = try await gateway.client().post(Answer.self, "admin/models/\(model)/reload")
        var table = Table(["service", "revision", "", "address"])
        for instance in answer.instances {
            table.append([
                instance.service, instance.revision, instance.unchanged ? "unchanged" : "loaded", instance.address,
            ])
        }
        for line in table.lines { Terminal.line(Terminal.printable(line)) }
    }
}
