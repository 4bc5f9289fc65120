import Foundation
import GatewayClient
import Logging
import Supervision
import Testing

/// A system whose processes are on machines of their own, as far as the network can tell: two tokenizers, two of each
/// shard of the text model, two diffusion services, and a gateway; with keys.
struct NetworkFleet: Sendable {
    private static let workers: KeyValuePairs = [
        "tokenizer1": "tokenizer", "tokenizer2": "tokenizer", "first1": "text-shard-0", "first2": "text-shard-0",
        "later1": "text-shard-1", "later2": "text-shard-1", "diffusion1": "diffusion", "diffusion2": "diffusion",
        "gateway": "gateway",
    ]

    let lab: NetworkLab
    private let directory: RunDirectory
    private let supervisor: Supervisor

    init() throws {
        lab = try NetworkLab(Self.workers)
        directory = try RunDirectory()
        let folder = directory.path
        let keys = Process()
        keys.executableURL = try LocalFleet.executable("nephele")
        keys.arguments = ["keys", folder + "/keys"] + Set(Self.workers.map { $0.value })
        keys.standardOutput = FileHandle.nullDevice
        try keys.run()
        keys.waitUntilExit()
        var services: [SupervisedService] = []
        for (node, name) in Self.workers {
            try Self.write(Self.arguments(name, folder), node, name, folder)
            services.append(
                SupervisedService(
                    name: node, executable: URL(fileURLWithPath: "/usr/sbin/ip"),
                    arguments: lab.command(on: node) + ["sh", "\(folder)/\(node)"]))
        }
        var logger = Logger(label: "network")
        logger.logLevel = .error
        let output: Supervisor.Output
        if let path = ProcessInfo.processInfo.environment["NEPHELE_CHAOS_LOG"] {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
            output = .file(try FileHandle(forWritingTo: URL(fileURLWithPath: path)))
        } else {
            output = .file(FileHandle.nullDevice)
        }
        supervisor = Supervisor(services, output: output, logger: logger)
    }

    private static func arguments(_ name: String, _ folder: String) -> [String] {
        switch name {
        case "tokenizer": ["nephele-tokenizer", "--model", "nephele-verse", "--bind", "tcp://0.0.0.0:7001"]
        case "text-shard-0":
            [
                "nephele-text-model", "--model", "nephele-verse", "--threads", "1", "--layers", "0-1", "--shards",
                "dns://text-shard-1:7002", "--bind", "tcp://0.0.0.0:7002",
            ]
        case "text-shard-1":
            [
                "nephele-text-model", "--model", "nephele-verse", "--threads", "1", "--layers", "2-5", "--bind",
                "tcp://0.0.0.0:7002",
            ]
        case "diffusion":
            ["nephele-diffusion", "--model", "nephele-pixel", "--threads", "1", "--bind", "tcp://0.0.0.0:7003"]
        default:
            [
                "nephele-gateway", "--host", "0.0.0.0", "--port", "0", "--port-file", folder + "/port", "--tokenizer",
                "dns://tokenizer:7001", "--text-model", "dns://text-shard-0:7002", "--text-shard",
                "dns://text-shard-1:7002", "--diffusion", "dns://diffusion:7003",
            ]
        }
    }

    /// What the node's next process is.
    private static func write(_ arguments: [String], _ node: String, _ name: String, _ folder: String) throws {
        let program = try LocalFleet.executable(arguments[0]).path
        let line = ([program] + arguments.dropFirst()).map { "'\($0)'" }.joined(separator: " ")
        try Data("export NEPHELE_BUS_KEYS='\(folder)/keys/\(name)'\nexec \(line)\n".utf8)
            .write(to: URL(fileURLWithPath: "\(folder)/\(node)"), options: .atomic)
    }

    /// Waits for it: what dies soon after its start is started again after a while.
    func process(on node: String) async throws -> Int32 {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if let process = await supervisor.processIdentifiers[node] { return process }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw SupervisionError("nothing runs on \(node)")
    }

    /// The gateway sees an instance that serves it.
    func waitUntilServed(_ model: String) async throws {
        let deadline = ContinuousClock.now + .seconds(90)
        while ContinuousClock.now < deadline {
            let status = try? await client?.get(FleetStatus.self, "admin/status")
            if status?.instances.contains(where: { $0.state == "ready" && $0.models == [model] }) == true { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw SupervisionError("nobody served \(model) within 90 s")
    }

    private var client: GatewayClient? {
        get throws {
            let written = try? String(contentsOfFile: directory.path + "/port", encoding: .utf8)
            let port = written.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            return try port.map { try GatewayClient(address: "http://\(lab.address(of: "gateway")):\($0)") }
        }
    }

    /// From its next start on the node serves a model of another name and other weights, whole, at the same address.
    func replaceModel(on node: String) throws {
        let folder = directory.path
        if !FileManager.default.fileExists(atPath: folder + "/other") {
            let revisions = try TwoRevisions(in: folder)
            try revisions.turn()
            try FileManager.default.moveItem(atPath: revisions.link, toPath: folder + "/other")
        }
        try Self.write(
            [
                "nephele-text-model", "--model", "other=\(folder)/other", "--threads", "1", "--bind",
                "tcp://0.0.0.0:7002",
            ], node, "text-shard-0", folder)
    }

    func restoreModel(on node: String) throws {
        try Self.write(Self.arguments("text-shard-0", directory.path), node, "text-shard-0", directory.path)
    }

    /// Starts everything, calls `body` once all answer, and stops everything.
    func run(_ body: @escaping @Sendable (GatewayClient) async throws -> Void) async throws {
        defer { directory.remove() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await supervisor.run() }
            group.addTask {
                let client = try await waitUntilAllAnswer()
                await supervisor.becameReady()
                try await body(client)
            }
            let first = await group.nextResult()
            try? lab.heal()
            await supervisor.stop(grace: .seconds(10))
            group.cancelAll()
            try first?.get()
        }
    }

    @discardableResult
    func waitUntilAllAnswer() async throws -> GatewayClient {
        let deadline = ContinuousClock.now + .seconds(90)
        var last = "the gateway does not listen"
        while .now < deadline {
            if let client = try client {
                let status = try? await client.get(FleetStatus.self, "admin/status")
                let ready = status?.instances.filter { $0.state == "ready" }.map(\.service) ?? []
                if ready.count == Self.workers.count - 1 { return client }
                last = "ready are \(ready.sorted())"
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw SupervisionError("the workers were not ready within 90 s: \(last)")
    }
}
