import ArgumentParser
import Console
import Foundation
import GatewayClient

struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Shows live what every instance does; Ctrl-C ends it.")

    @Option(help: "Seconds from one look to the next.")
    var interval: Double = 1

    @Option(help: "So many looks, then end; without it, for ever.")
    var count: Int?

    @OptionGroup var gateway: GatewayOption

    func validate() throws {
        guard (0.1...3_600).contains(interval) else { throw ValidationError("--interval is 0.1 to 3600 seconds") }
    }

    func run() async throws {
        let client = try gateway.client()
        var before: [String: UInt64] = [:]
        var shown = 0
        while count.map({ shown < $0 }) ?? true {
            let status: FleetStatus
            do {
                status = try await client.get(FleetStatus.self, "admin/status")
            } catch  where shown > 0 {
                // It may be restarting; what was seen stays.
                Terminal.line("\(error)")
                try await Task.sleep(for: .seconds(interval))
                continue
            }
            let isLive = Terminal.isInteractive && count != 1
            // Home, then each line cleared to its end, then what is below: no flicker.
            var screen = isLive ? "\u{1B}[H" : ""
            let end = isLive ? "\u{1B}[K\n" : "\n"
            for line in lines(status, since: before) { screen += Terminal.printable(line) + end }
            Terminal.write(screen + (isLive ? "\u{1B}[J" : ""))
            before = Dictionary(status.instances.map { ($0.instance_id, $0.steps) }) { $1 }
            shown += 1
            if count.map({ shown < $0 }) ?? true { try await Task.sleep(for: .seconds(interval)) }
        }
    }

    private func lines(_ status: FleetStatus, since before: [String: UInt64]) -> [String] {
        let requests = status.requests
        var table = Table([
            "service", "models", "layers", "state", "calls", "load", "waiting", "cache", "outstanding", "steps/s",
            "address",
        ])
        for instance in status.instances {
            let steps = before[instance.instance_id].map { Double(instance.steps &- $0) / interval }
            let share = Double(instance.running_calls) / Double(max(1, instance.capacity))
            table.append([
                instance.service, instance.models.joined(separator: ","), instance.layers ?? "", instance.state,
                "\(instance.running_calls)/\(instance.capacity)", bar(share),
                instance.waiting.map { "\($0)" } ?? "",
                instance.cache_use.map { "\(Int(($0 * 100).rounded()))%" } ?? "",
                "\(instance.outstanding)", steps.map { "\(Int($0.rounded()))" } ?? "",
                (instance.address as NSString).lastPathComponent,
            ])
        }
        let first =
            "\(requests.running) requests running, \(requests.cancelled) cancelled, \(requests.refused) refused; calls: "
            + "\(requests.migrated_calls) moved, \(requests.given_up_calls) given up"
        return [first, ""] + table.lines
    }

    private func bar(_ share: Double) -> String {
        let full = min(10, max(0, Int((share * 10).rounded(.up))))
        return String(repeating: "█", count: full) + String(repeating: "░", count: 10 - full)
    }
}
