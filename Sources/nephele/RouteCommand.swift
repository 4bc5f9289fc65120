import ArgumentParser
import Console
import GatewayClient
import PromptRouting

struct RouteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "route", abstract: "Tells which rule would take a prompt, and why.",
        discussion: """
            Asks a running gateway, or, with --routes, a file of yours: that checks the file as well, and an error names \
            its line.
            """)

    @Argument(help: "What a user would say.")
    var text: String

    @Option(help: "The model that the request names.")
    var model: String = "auto"

    @Option(help: "chat, completion, image or embedding.")
    var kind: RoutingRequest.Kind = .chat

    @Option(help: "The user that the request names; weights keep a user to one model.")
    var user: String?

    @Option(help: "The preset that the request names.")
    var preset: String?

    @Option(help: ArgumentHelp("A routing file to ask instead of a gateway.", valueName: "file"))
    var routes: String?

    @OptionGroup var gateway: GatewayOption

    func run() async throws {
        let explanation: RouteExplanation
        if let routes {
            let request = RoutingRequest(kind: kind, model: model, text: text, user: user)
            let decision = try RoutingTable(file: routes).decide(request, preset: preset)
            explanation = RouteExplanation(
                route: decision.route, targets: decision.targets.map(\.description), preset: decision.preset?.name,
                filter: decision.filter, labels: decision.labels, steps: decision.steps)
        } else {
            explanation = try await gateway.client().explainRoute(
                .init(text: text, model: model, kind: kind.rawValue, user: user, preset: preset))
        }
        for step in explanation.steps { Terminal.line(Terminal.printable(step)) }
        let preset = explanation.preset.map { " with preset '\($0)'" } ?? ""
        let filter = explanation.filter.map { ", filter '\($0)'" } ?? ""
        let labels = explanation.labels.map { ", labels '\($0)'" } ?? ""
        Terminal.line(
            Terminal.printable("→ \(explanation.targets.joined(separator: ", or else "))\(preset)\(filter)\(labels)"))
    }
}

extension RoutingRequest.Kind: ExpressibleByArgument {}
