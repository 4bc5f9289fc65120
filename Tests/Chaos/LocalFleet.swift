import EmbeddedModels
import Foundation
import GatewayClient
import Logging
import Supervision
import Testing

/// What a case could not do.
struct ChaosError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// Two of each worker and a gateway, as processes that start again when they die. Their models lie in a directory of
/// their own.
struct LocalFleet: ChaosSystem {
    struct Options: Sendable {
        /// The program that serves text.
        var textModel = "nephele-text-model"
        var textArguments: [String] = []
        /// Whether the model has GPT-2's shape and random weights.
        var isLarge = false
        var hasAdapter = true
        var hasPictures = true
        var gatewayArguments: [String] = []
    }

    let directory: String
    private let supervisor: Supervisor
    private let instances: Int

    /// Starts everything, calls `body` once all answer, and stops everything.
    static func run<Result: Sendable>(
        _ options: Options, _ body: @escaping @Sendable (LocalFleet) async throws -> Result
    ) async throws -> Result {
        let directory = try RunDirectory()
        defer { directory.remove() }
        let system = try LocalFleet(options, directory.path)
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                try await system.supervisor.run()
                return nil
            }
            group.addTask {
                try await system.waitUntilReady()
                await system.supervisor.becameReady()
                return try await body(system)
            }
            let first = await group.nextResult()
            await system.supervisor.stop(grace: .seconds(10))
            group.cancelAll()
            guard let result = try first?.get() else { throw ChaosError("the services ended by themselves") }
            return result
        }
    }

    private init(_ options: Options, _ path: String) throws {
        directory = path
        try FileManager.default.createDirectory(atPath: path + "/models", withIntermediateDirectories: true)
        for model in [EmbeddedModels.text, EmbeddedModels.picture] {
            let source = try #require(EmbeddedModels.directory(of: model))
            try FileManager.default.copyItem(atPath: source, toPath: path + "/models/" + model)
        }
        let verse = ["--model", "nephele-verse=\(path)/models/nephele-verse"]
        var workers = [(name: "tokenizer", program: "nephele-tokenizer", arguments: verse)]
        var text = verse + ["--threads", "1"] + options.textArguments
        if options.isLarge {
            try RandomModel.write(over: path + "/models/" + EmbeddedModels.text)
            // It is not to stay among the user's.
            text += ["--cache-dir", path + "/cache"]
        }
        if options.hasAdapter {
            try RandomAdapter.write(to: path + "/lora")
            text += ["--adapter", "nephele-verse-lora=\(path)/lora"]
        }
        workers.append(("text-model", options.textModel, text))
        if options.hasPictures {
            let pixel = ["--model", "nephele-pixel=\(path)/models/nephele-pixel", "--threads", "1"]
            workers.append(("diffusion", "nephele-diffusion", pixel))
        }
        var services: [SupervisedService] = []
        var gateway = ["--port", "0", "--port-file", path + "/port", "--allow-reload"] + options.gatewayArguments
        for (name, program, arguments) in workers {
            for replica in 1...2 {
                services.append(
                    SupervisedService(
                        name: "\(name) \(replica)", executable: try Self.executable(program), arguments: arguments,
                        socketStem: "\(path)/\(name)-\(replica)"))
            }
            gateway += ["--" + name, "ipc://\(path)/\(name)-*.sock"]
        }
        instances = services.count
        services.append(
            SupervisedService(
                name: "gateway", executable: try Self.executable("nephele-gateway"), arguments: gateway))
        var logger = Logger(label: "chaos")
        logger.logLevel = .error
        supervisor = Supervisor(services, output: .file(FileHandle.nullDevice), logger: logger)
    }

    /// The workers that run now.
    var workers: [String: Int32] {
        get async { await supervisor.processIdentifiers.filter { $0.key != "gateway" } }
    }

    /// All processes that run now, by name.
    var processes: [String: Int32] { get async { await supervisor.processIdentifiers } }

    /// Where the gateway listens; it may be another one than before.
    func port() throws -> Int {
        let written = try? String(contentsOfFile: directory + "/port", encoding: .utf8)
        guard let port = written.flatMap({ Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }) else {
            throw ChaosError("the gateway listens nowhere")
        }
        return port
    }

    func address() throws -> String { "http://127.0.0.1:\(try port())" }

    /// Asks a process to stop, and waits until another one serves in its place.
    func restart(_ name: String) async throws {
        let process = await processes[name]
        guard let process else { throw ChaosError("there is no \(name)") }
        let old = try port()
        let before = Set(try await status().map(\.instance_id))
        kill(process, SIGTERM)
        while await processes[name] == process { try await Task.sleep(for: .milliseconds(10)) }
        while true {
            try await Task.sleep(for: .milliseconds(20))
            guard let now = try? await status() else { continue }
            let isNew = name == "gateway" ? try port() != old : !Set(now.map(\.instance_id)).isSubset(of: before)
            if isNew, now.count == instances, now.allSatisfy({ $0.state == "ready" }) { return }
        }
    }

    /// Turns signs in a model's checkpoint.
    func turnSigns(_ model: String, _ file: String) throws {
        try Self.turnSigns(directory + "/models/" + model + "/" + file)
    }

    /// Turns the sign of every 28th of a checkpoint's bytes; twice is never. The file is put in place whole.
    static func turnSigns(_ path: String) throws {
        var data = try #require(FileManager.default.contents(atPath: path))
        let header = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        for index in stride(from: 8 + header + 3, to: data.count, by: 28) { data[index] ^= 0x80 }
        try data.write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    private func status() async throws -> [FleetStatus.Instance] {
        try await client().get(FleetStatus.self, "admin/status").instances
    }

    private func waitUntilReady() async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while .now < deadline {
            if let now = try? await status(), now.count == instances { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw ChaosError("the services were not ready within two minutes")
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
