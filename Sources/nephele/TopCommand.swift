import ArgumentParser
import Console
import Foundation
import GatewayClient
import UnixSignals

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
        let view = FleetView(client: try gateway.client(), interval: interval, count: count)
        guard Terminal.isInteractive, count == nil else { return try await view.watch(isLive: false) }
        // A screen of its own, so that what was there before is there again afterwards.
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        Terminal.write("\u{1B}[?1049h\u{1B}[?25l")
        defer { Terminal.write("\u{1B}[?25h\u{1B}[?1049l") }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await view.watch(isLive: true) }
            group.addTask { for await _ in signals { return } }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}

/// Shows a gateway's instances, again and again.
private struct FleetView: Sendable {
    let client: GatewayClient
    /// In seconds.
    let interval: Double
    let count: Int?

    func watch(isLive: Bool) async throws {
        var before: [String: UInt64] = [:]
        var seen: FleetStatus?
        var shown = 0
        while count.map({ shown < $0 }) ?? true {
            var problem: String?
            do {
                let status = try await client.get(FleetStatus.self, "admin/status")
                before = seen.map { Dictionary($0.instances.map { ($0.instance_id, $0.steps) }) { $1 } } ?? [:]
                seen = status
            } catch  where seen != nil {
                // It may be restarting; what was seen stays.
                problem = "\(error)"
            }
            if let seen {
                show(seen, since: before, problem, isLive: isLive)
                shown += 1
            }
            if count.map({ shown < $0 }) ?? true { try await Task.sleep(for: .seconds(interval)) }
        }
    }

    private func show(_ status: FleetStatus, since before: [String: UInt64], _ problem: String?, isLive: Bool) {
        guard isLive else {
            for line in lines(status, since: before, width: nil) { Terminal.line(Terminal.printable(line)) }
            if let problem { Terminal.line(problem) }
            return
        }
        let size = Terminal.size ?? (80, 24)
        var lines = lines(status, since: before, width: size.columns)
        let room = max(1, size.rows - (problem == nil ? 0 : 1))
        if lines.count > room { lines.removeAll(where: \.isEmpty) }
        if lines.count > room {
            let rest = lines.count - room + 1
            lines = lines.prefix(room - 1) + ["… and \(rest) more"]
        }
        if let problem { lines.append(Terminal.cut(problem, to: size.columns)) }
        // Home, then each line cleared to its end, then what is below: no flicker.
        let text = lines.map { Terminal.printable($0) + "\u{1B}[K" }.joined(separator: "\r\n")
        Terminal.write("\u{1B}[H" + text + "\u{1B}[J")
    }

    /// - Parameter width: of the screen; nil where nothing is left out.
    private func lines(_ status: FleetStatus, since before: [String: UInt64], width: Int?) -> [String] {
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
        let now = "\(requests.running) running, \(requests.cancelled) cancelled, \(requests.refused) refused"
        let calls = "calls: \(requests.migrated_calls) moved, \(requests.given_up_calls) given up"
        let whole = "requests: \(now); \(calls)"
        guard let width else { return [whole, ""] + table.lines }
        let head = Terminal.width(of: whole) <= width ? [whole] : [now, calls].map { Terminal.cut($0, to: width) }
        return head + [""]
            + table.lines(
                within: width,
                expendable: ["outstanding", "layers", "load", "address", "cache", "waiting", "models", "steps/s"])
    }

    private func bar(_ share: Double) -> String {
        let full = min(10, max(0, Int((share * 10).rounded(.up))))
        return String(repeating: "█", count: full) + String(repeating: "░", count: 10 - full)
    }
}
