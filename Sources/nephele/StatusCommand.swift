import ArgumentParser
import Console
import GatewayClient

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows every instance behind a gateway, its models and its load.")

    @OptionGroup var gateway: GatewayOption

    func run() async throws {
        let status = try await gateway.client().get(FleetStatus.self, "admin/status")
        var table = Table(["service", "models", "layers", "state", "calls", "outstanding", "steps", "address"])
        for instance in status.instances {
            table.append([
                instance.service, instance.models.joined(separator: ","), instance.layers ?? "", instance.state,
                "\(instance.running_calls)", "\(instance.outstanding)", "\(instance.steps)", instance.address,
            ])
        }
        for line in table.lines { Terminal.line(Terminal.printable(line)) }
        let requests = status.requests
        Terminal.line(
            "requests: \(requests.running) running, \(requests.cancelled) cancelled, \(requests.refused) refused; "
                + "calls: \(requests.migrated_calls) moved, \(requests.given_up_calls) given up")
    }
}
