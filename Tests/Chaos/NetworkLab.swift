import Foundation
import Glibc
import Supervision

/// Network namespaces on a switch of their own: one a process, each with an address, as machines have them.
final class NetworkLab: Sendable {
    /// What the kernel lets us do to packets.
    enum Weather: Sendable {
        case calm
        /// netem, which not every kernel has.
        case latency(String)
        /// Percent of what comes in.
        case loss(Int)
        /// Bits a second, with a queue of 100 ms.
        case rate(String)
    }

    private let prefix: String
    private let subnet: String
    private let nodes: [String]

    /// Whether this process may make namespaces, and the tools are there.
    static let isAvailable: Bool = {
        guard geteuid() == 0 else { return false }
        let name = "nph-try-\(UInt16.random(in: 0 ... .max))"
        let made = (try? run(["ip", "netns", "add", name])) != nil
        defer { if made { _ = try? run(["ip", "netns", "del", name]) } }
        return made && (try? run(["ip", "netns", "exec", name, "iptables", "-w", "-L"])) != nil
            && (try? run(["tc", "-V"])) != nil
    }()

    /// Whether the kernel can delay packets.
    static let hasNetem: Bool = {
        guard isAvailable else { return false }
        let name = "nph-try-\(UInt16.random(in: 0 ... .max))"
        defer { _ = try? run(["ip", "netns", "del", name]) }
        return (try? run(["ip", "netns", "add", name])) != nil
            && (try? run(["ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", "lo", "root", "netem"])) != nil
    }()

    /// - Parameter names: those by which each node is called, by the node; nodes of one name share it.
    init(_ names: KeyValuePairs<String, String>) throws {
        prefix = "nph\(String(UInt16.random(in: 0x1000 ... .max), radix: 16))"
        subnet = "10.213.\(UInt8.random(in: 1...250))"
        nodes = names.map { $0.key }
        do {
            try build(names)
        } catch {
            remove()
            throw error
        }
    }

    deinit { remove() }

    private func build(_ names: KeyValuePairs<String, String>) throws {
        let hub = namespace("switch")
        try Self.run(["ip", "netns", "add", hub])
        try Self.run(["ip", "-n", hub, "link", "add", "hub", "type", "bridge"])
        try Self.run(["ip", "-n", hub, "link", "set", "hub", "up"])
        // This machine's own port, for the client.
        try Self.run(["ip", "link", "add", prefix, "type", "veth", "peer", "name", "client", "netns", hub])
        try Self.run(["ip", "-n", hub, "link", "set", "client", "master", "hub", "up"])
        try Self.run(["ip", "addr", "add", "\(subnet).254/24", "dev", prefix])
        try Self.run(["ip", "link", "set", prefix, "up"])
        var hosts = "127.0.0.1 localhost\n"
        for (node, name) in names { hosts += "\(address(of: node)) \(name)\n" }
        for (index, node) in nodes.enumerated() {
            let space = namespace(node)
            try Self.run(["ip", "netns", "add", space])
            try Self.run([
                "ip", "-n", hub, "link", "add", "p\(index)", "type", "veth", "peer", "name", "eth0", "netns", space,
            ])
            try Self.run(["ip", "-n", hub, "link", "set", "p\(index)", "master", "hub", "up"])
            try Self.run(["ip", "-n", space, "addr", "add", "\(address(of: node))/24", "dev", "eth0"])
            for device in ["lo", "eth0"] { try Self.run(["ip", "-n", space, "link", "set", device, "up"]) }
            // `ip netns exec` puts it in the place of /etc/hosts.
            let folder = "/etc/netns/\(space)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(hosts.utf8).write(to: URL(fileURLWithPath: folder + "/hosts"))
        }
    }

    private func remove() {
        for node in nodes + ["switch"] {
            _ = try? Self.run(["ip", "netns", "del", namespace(node)])
            try? FileManager.default.removeItem(atPath: "/etc/netns/\(namespace(node))")
        }
        _ = try? Self.run(["ip", "link", "del", prefix])
    }

    private func namespace(_ node: String) -> String { "\(prefix)-\(node)" }

    func address(of node: String) -> String { "\(subnet).\((nodes.firstIndex(of: node) ?? 250) + 1)" }

    /// What runs a program on a node.
    func command(on node: String) -> [String] { ["netns", "exec", namespace(node)] }

    // MARK: Faults

    /// Neither hears the other.
    func part(_ one: String, _ other: String) throws {
        for (here, there) in [(one, other), (other, one)] {
            try on(here, ["iptables", "-w", "-A", "INPUT", "-s", address(of: there), "-j", "DROP"])
        }
    }

    /// Nothing leaves or reaches the node: a pulled cable.
    func isolate(_ node: String) throws {
        try on(node, ["iptables", "-w", "-A", "INPUT", "-i", "eth0", "-j", "DROP"])
        try on(node, ["iptables", "-w", "-A", "OUTPUT", "-o", "eth0", "-j", "DROP"])
    }

    /// The same for every node, in both directions.
    func set(_ weather: Weather) throws {
        for node in nodes {
            switch weather {
            case .calm: break
            case .latency(let delay):
                try on(
                    node,
                    ["tc", "qdisc", "replace", "dev", "eth0", "root", "netem", "delay"]
                        + delay.split(separator: " ").map { String($0) })
            case .loss(let percent):
                try on(
                    node,
                    [
                        "iptables", "-w", "-A", "INPUT", "-i", "eth0", "-m", "statistic", "--mode", "random",
                        "--probability", "\(Double(percent) / 100)", "-j", "DROP",
                    ])
            case .rate(let rate):
                try on(
                    node,
                    [
                        "tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "16kb",
                        "latency",
                        "100ms",
                    ])
            }
        }
    }

    /// Everything passes again, at once.
    func heal() throws {
        for node in nodes {
            try on(node, ["iptables", "-w", "-F"])
            // None is there to be deleted, most of the time.
            _ = try? on(node, ["tc", "qdisc", "del", "dev", "eth0", "root"])
        }
    }

    private func on(_ node: String, _ command: [String]) throws {
        try Self.run(["ip", "netns", "exec", namespace(node)] + command)
    }

    /// - Throws: `SupervisionError` with what the tool said.
    @discardableResult
    private static func run(_ command: [String]) throws -> String {
        let process = Process(), output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw SupervisionError("\(command.joined(separator: " ")): \(text)")
        }
        return text
    }
}
