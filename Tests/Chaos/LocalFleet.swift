import Foundation
import GatewayClient
import Logging
import Supervision
import Testing

/// Two of each worker and a gateway, as processes that start again when they die.
struct LocalFleet: Sendable {
    private let directory: RunDirectory
    private let supervisor: Supervisor
    private let revisions: TwoRevisions

    /// Workers of each kind and instances in all.
    private let instanceCount: Int

    /// - Parameter poison: a token that ends each text-model that computes it; then there are neither adapters nor
    ///   pictures.
    init(poison: Int32? = nil) throws {
        directory = try RunDirectory()
        let path = directory.path
        try RandomAdapter.write(to: path + "/lora")
        revisions = try TwoRevisions(in: path)
        let verse = "nephele-verse=" + revisions.link
        var services: [SupervisedService] = []
        var kinds = [("tokenizer", "nephele-tokenizer", ["--model", verse])]
        if let poison {
            kinds.append(("text-model", "poisonable-text-model", ["--model", verse, "--poison", "\(poison)"]))
        } else {
            let adapter = "nephele-verse-lora=\(path)/lora"
            kinds += [
                ("text-model", "nephele-text-model", ["--model", verse, "--threads", "1", "--adapter", adapter]),
                ("diffusion", "nephele-diffusion", ["--model", "nephele-pixel", "--threads", "1"]),
            ]
        }
        instanceCount = 2 * kinds.count
        for (name, program, arguments) in kinds {
            for replica in 1...2 {
                services.append(
                    SupervisedService(
                        name: "\(name) \(replica)", executable: try Self.executable(program),
                        arguments: arguments, socketStem: "\(path)/\(name)-\(replica)"))
            }
        }
        services.append(
            SupervisedService(
                name: "gateway", executable: try Self.executable("nephele-gateway"),
                arguments: [
                    "--port", "0", "--port-file", path + "/port", "--tokenizer", "ipc://\(path)/tokenizer-*.sock",
                    "--text-model", "ipc://\(path)/text-model-*.sock", "--diffusion",
                    "ipc://\(path)/diffusion-*.sock", "--allow-reload",
                ]))
        var logger = Logger(label: "chaos")
        logger.logLevel = .error
        supervisor = Supervisor(services, output: .file(FileHandle.nullDevice), logger: logger)
    }

    /// The workers that run now.
    var workers: [String: Int32] {
        get async { await supervisor.processIdentifiers.filter { $0.key != "gateway" } }
    }

    /// Memory that each process holds.
    var residentBytes: [String: Int] {
        get async {
            await supervisor.processIdentifiers.mapValues { process in
                let text = (try? String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8)) ?? ""
                let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
                return pages * 4096
            }
        }
    }

    /// Starts everything, calls `body` once all answer, and stops everything.
    func run(_ body: @escaping @Sendable (GatewayClient) async throws -> Void) async throws {
        defer { directory.remove() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await supervisor.run() }
            group.addTask {
                let client = try await ready()
                await supervisor.becameReady()
                try await body(client)
            }
            let first = await group.nextResult()
            await supervisor.stop(grace: .seconds(10))
            group.cancelAll()
            try first?.get()
        }
    }

    private func ready() async throws -> GatewayClient {
        let deadline = ContinuousClock.now + .seconds(60)
        while .now < deadline {
            if let client = try client {
                try await waitUntilAllAnswer()
                return client
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw SupervisionError("the gateway was not ready within a minute")
    }

    private var client: GatewayClient? {
        get throws {
            let written = try? String(contentsOfFile: directory.path + "/port", encoding: .utf8)
            let port = written.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            return try port.map { try GatewayClient(address: "http://127.0.0.1:\($0)") }
        }
    }

    /// Two of each worker, ready for calls.
    func waitUntilAllAnswer() async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while .now < deadline {
            let status = try await client?.get(FleetStatus.self, "admin/status")
            if status?.instances.count(where: { $0.state == "ready" }) == instanceCount { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw SupervisionError("the workers were not ready within a minute")
    }

    /// Puts the text model's other revision in place and has the gateway load it.
    func changeRevision(_ client: GatewayClient) async throws {
        struct Answer: Decodable {
            struct Instance: Decodable {
                var service: String
                var unchanged: Bool
            }
            var instances: [Instance]
        }
        try revisions.turn()
        let answer = try await client.post(Answer.self, "admin/models/nephele-verse/reload")
        let models = answer.instances.filter { $0.service == "text-model" }
        guard models.count == 2, !models.contains(where: \.unchanged) else {
            throw SupervisionError("reloading changed \(models)")
        }
    }

    /// An executable that stands beside the tests', or in `NEPHELE_CHAOS_PROGRAMS`.
    static func executable(_ name: String) throws -> URL {
        if let folder = ProcessInfo.processInfo.environment["NEPHELE_CHAOS_PROGRAMS"] {
            return URL(fileURLWithPath: folder).appendingPathComponent(name)
        }
        let bundle = try #require(CommandLine.arguments.first { $0.contains(".xctest") }, "no test bundle in arguments")
        var folder = URL(fileURLWithPath: bundle)
        while folder.pathComponents.count > 1 {
            folder.deleteLastPathComponent()
            let candidate = folder.appendingPathComponent(name)
            if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
        }
        throw CocoaError(.fileNoSuchFile)
    }
}
