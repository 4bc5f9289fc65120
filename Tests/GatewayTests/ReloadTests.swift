import DiffusionModels
import DiffusionService
import Foundation
import FoundationNetworking
import Hummingbird
import ModelServing
import RPC
import Synchronization
import Tensors
import Testing
import TextGeneration
import TextModelService
import TextModels
import TokenizerService
import Tokenizers
import ZeroMQTransport

@testable import Gateway

private let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
private let device = Device(threadCount: 1)

/// Two text-models, a tokenizer and a diffusion service on models that lie in a directory, and a gateway before them.
private final class System: Sendable {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString).path
    let servers: [RPCServer]
    let fleet: Fleet
    let memory = Memory()

    /// Bytes that loading finds.
    final class Memory: Sendable {
        private let state = Mutex(Int.max)
        var available: Int { state.withLock { $0 } }
        func set(_ bytes: Int) { state.withLock { $0 = bytes } }
    }

    init() throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: tests + "/TextModelsTests/Goldens/llama", toPath: directory + "/llama")
        try FileManager.default.copyItem(
            atPath: tests + "/TextModelsTests/Goldens/adapters/llama-list", toPath: directory + "/adapter")
        try FileManager.default.copyItem(
            atPath: tests + "/DiffusionModelsTests/Goldens/tiny", toPath: directory + "/tiny")
        let transport = try ZeroMQTransport.shared()
        var servers: [RPCServer] = []
        for replica in 1...2 { servers.append(try Self.textModel(replica, directory, memory)) }
        let directory = directory
        let tokenizers = TokenizerService(
            tokenizers: ["llama": try Tokenizer(directory: directory + "/llama")],
            load: { try Tokenizer(directory: directory + "/" + $0) })
        let tokenizer = RPCServer(
            tokenizers.description(capacity: 64), services: [tokenizers],
            transports: [transport.server("ipc://\(directory)/tokenizer-1.sock")])
        tokenizers.keepDescribed(by: tokenizer)
        let painter = DiffusionRevisionLoader(name: "tiny", on: device, directory: { directory + "/tiny" })
        let gauge = LoadGauge(capacity: 4)
        let studio = DiffusionService(
            try painter.first(), engine: try DiffusionEngine(gauge: gauge), linger: .milliseconds(200)
        ) { try painter.next(after: $0) }
        let diffusion = RPCServer(
            studio.description(capacity: 4), services: [studio],
            transports: [transport.server("ipc://\(directory)/diffusion-1.sock")], gauge: gauge)
        studio.keepDescribed(by: diffusion)
        servers += [tokenizer, diffusion]
        for server in servers { try server.start() }
        self.servers = servers
        fleet = Fleet(
            tokenizer: try RPCClient(target: "ipc://\(directory)/tokenizer-*.sock"),
            textModel: try RPCClient(target: "ipc://\(directory)/text-model-*.sock"),
            diffusion: try RPCClient(target: "ipc://\(directory)/diffusion-*.sock"))
    }

    /// A text-model that is still to be started.
    static func textModel(_ replica: Int, _ directory: String, _ memory: Memory) throws -> RPCServer {
        let gauge = LoadGauge(capacity: 64)
        var options = TextRevisionLoader.Options(engine: .init(cachePositions: 2_048))
        options.room = MemoryRoom { memory.available }
        options.adapters?.folder = directory
        let loader = TextRevisionLoader(
            name: "llama", options: options, on: Device(threadCount: 1), gauge: gauge,
            directory: { directory + "/llama" })
        let first = try loader.revision(
            loader.checkpoint(packing: device), adapters: ["lists": directory + "/adapter"])
        let service = TextModelService(first, linger: .milliseconds(200)) { try loader.next(after: $0) }
        let server = RPCServer(
            service.description(capacity: 64), services: [service],
            transports: [try ZeroMQTransport.shared().server("ipc://\(directory)/text-model-\(replica).sock")],
            gauge: gauge)
        service.keepDescribed(by: server)
        return server
    }

    deinit {
        for server in servers { server.stop() }
        try? FileManager.default.removeItem(atPath: directory)
    }
    /// The gateway's answers to what `body` sends to its port.
    func run(allowsReload: Bool = true, _ body: @escaping @Sendable (Client) async throws -> Void) async throws {
        while fleet.instances.count < 4 { try await Task.sleep(for: .milliseconds(5)) }
        let (ports, running) = AsyncStream<Int>.makeStream()
        let application = try Gateway(
            fleet: fleet, routing: try RoutingSource(file: nil), filters: try FilterSet(standard: "off"),
            allowsReload: allowsReload
        )
        .application(at: GatewayAddress()) { running.yield($0.localAddress?.port ?? 0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            for await port in ports {
                try await body(Client(port: port))
                break
            }
            group.cancelAll()
        }
    }

    /// Turns the sign of every seventh weight.
    func changeWeights(_ model: String, _ file: String = "model.safetensors") throws {
        let path = directory + "/" + model + "/" + file
        var data = try #require(FileManager.default.contents(atPath: path))
        let header = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        for index in stride(from: 8 + header + 3, to: data.count, by: 28) { data[index] ^= 0x80 }
        try data.write(to: URL(fileURLWithPath: path), options: .atomic)
    }
}

private struct Client: Sendable {
    var port: Int

    func send(_ path: String, _ body: [String: any Sendable]? = nil, method: String = "POST") async throws -> (
        status: Int, json: [String: Any]
    ) {
        var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
        request.httpMethod = method
        if let body { request.httpBody = try JSONSerialization.data(withJSONObject: body) }
        let (data, response) = try await URLSession.shared.data(for: request)
        let json = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, json ?? [:])
    }

    /// `service outcome` of each replica, and the status.
    func reload(_ model: String) async throws -> [String] {
        let (status, json) = try await send("/admin/models/\(model)/reload")
        let replicas = json["replicas"] as? [[String: Any]] ?? []
        let code = (json["error"] as? [String: Any])?["code"] as? String
        return ["\(status) \(code ?? json["outcome"] as? String ?? "-")"]
            + replicas.map { "\($0["service"] as? String ?? "") \($0["outcome"] as? String ?? "")" }
    }

    /// The text, or the status of a refusal.
    func complete(_ model: String = "llama") async throws -> String {
        let (status, json) = try await send(
            "/v1/completions",
            ["model": model, "prompt": "Hello", "max_tokens": 48, "seed": 5, "ignore_eos": true])
        let text = (json["choices"] as? [[String: Any]])?.first?["text"] as? String
        return text ?? "\(status) \(json)"
    }

    func draw() async throws -> String {
        let (status, json) = try await send(
            "/v1/images/generations", ["model": "tiny", "prompt": "", "seed": 3, "steps": 4])
        return (json["data"] as? [[String: Any]])?.first?["b64_json"] as? String ?? "\(status) \(json)"
    }

    func tokens(_ messages: [[String: String]]) async throws -> [Int] {
        try await send("/tokenize", ["model": "llama", "messages": messages]).json["tokens"] as? [Int] ?? []
    }

    func revision(_ model: String) async throws -> String {
        let models = try await send("/v1/models", method: "GET").json["data"] as? [[String: Any]] ?? []
        return models.first { $0["id"] as? String == model }?["revision"] as? String ?? "-"
    }
}

/// What several clients were told, until they stop.
private final class Answers: Sendable {
    private let state = Mutex((texts: Set<String>(), isOver: false))

    var all: Set<String> { state.withLock { $0.texts } }

    func stop() { state.withLock { $0.isOver = true } }

    /// - Returns: whether to go on.
    func add(_ text: String) -> Bool {
        state.withLock { state in
            state.texts.insert(text)
            return !state.isOver
        }
    }
}

@Suite(.timeLimit(.minutes(5)), .serialized) struct ReloadTests {
    @Test func `a changed checkpoint is put in place under load, in every replica, with its adapters`() async throws {
        let system = try System()
        try await system.run { client async throws in
            let (old, oldAdapted) = (try await client.complete(), try await client.complete("lists"))
            let revision = try await client.revision("llama")
            #expect(try await client.reload("ll%61ma").first == "200 unchanged")
            #expect(
                try await client.reload("llama") == [
                    "200 unchanged", "tokenizer unchanged", "text-model unchanged", "text-model unchanged",
                ])
            try system.changeWeights("llama")
            let answers = Answers()
            let outcome = try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask { while try await answers.add(client.complete()) {} }
                }
                let outcome = try await client.reload("llama")
                answers.stop()
                try await group.waitForAll()
                return outcome
            }
            #expect(
                outcome == [
                    "200 reloaded", "tokenizer unchanged", "text-model reloaded", "text-model reloaded",
                ])
            let (new, newAdapted) = (try await client.complete(), try await client.complete("lists"))
            #expect(new != old && newAdapted != oldAdapted && newAdapted != new)
            #expect(answers.all.isSubset(of: [old, new]))
            #expect(try await client.revision("llama") != revision)
            // As a process that starts with the new files would answer.
            let loaded = try LoadedModel(directory: system.directory + "/llama", on: device)
            var engine = try EngineCore(loaded, options: .init(cachePositions: 128), on: device)
            _ = try engine.add(
                GenerationRequest(
                    prompt: loaded.tokenizer.encode("Hello", addSpecialTokens: true), maxTokens: 48,
                    sampling: SamplingParameters(seed: 5), ignoresEndOfText: true, shape: loaded.model.shape))
            var text = ""
            while !engine.isIdle { text += try engine.step().map(\.text).joined() }
            #expect(new == text)
            // The old revision goes by itself.
            while system.servers.contains(where: { $0.description.models.contains(where: \.isRetiring) }) {
                try await Task.sleep(for: .milliseconds(10))
            }
        }
    }

    @Test func `the tokenizer follows the text-model, and each request is encoded for the revision that it gets`()
        async throws
    {
        let system = try System()
        try await system.run { client async throws in
            let old = try await client.tokens([["role": "user", "content": "abc"]])
            #expect(!old.isEmpty)
            let template = "{% for m in messages %}[{{ m.content }}]{% endfor %}"
            try JSONSerialization.data(withJSONObject: ["chat_template": template])
                .write(to: URL(fileURLWithPath: system.directory + "/llama/tokenizer_config.json"))
            // The text-models do not fit: the tokenizer has both vocabularies, requests go on with the old one.
            system.memory.set(1)
            let refused = try await client.reload("llama")
            #expect(
                refused == [
                    "507 insufficient_memory", "tokenizer reloaded", "text-model failed", "text-model not_tried",
                ])
            #expect(try await client.tokens([["role": "user", "content": "abc"]]) == old)
            #expect(try await client.send("/v1/chat/completions", Self.chat).status == 200)
            system.memory.set(.max)
            #expect(
                try await client.reload("llama") == [
                    "200 reloaded", "tokenizer unchanged", "text-model reloaded", "text-model reloaded",
                ])
            #expect(try await client.tokens([["role": "user", "content": "abc"]]) != old)
            for _ in 0..<4 { #expect(try await client.send("/v1/chat/completions", Self.chat).status == 200) }
        }
    }

    private static let chat: [String: any Sendable] = [
        "model": "llama", "messages": [["role": "user", "content": "abc"]], "max_tokens": 4,
    ]

    @Test func `a diffusion model is reloaded too`() async throws {
        let system = try System()
        try await system.run { client async throws in
            let old = try await client.draw()
            #expect(old.count > 100)
            let file = FileManager.default.fileExists(atPath: system.directory + "/tiny/unet") ? "unet/" : ""
            try system.changeWeights("tiny", file + "diffusion_pytorch_model.safetensors")
            #expect(try await client.reload("tiny") == ["200 reloaded", "diffusion reloaded"])
            #expect(try await client.draw() != old)
            #expect(try await client.complete().count > 10)
        }
    }

    @Test func `a replica that starts later gets the adapters that were loaded by request`() async throws {
        let system = try System()
        try await system.run { client async throws in
            let keeping = Task { await system.fleet.keepAdapters() }
            defer { keeping.cancel() }
            try await system.fleet.loadAdapter("more", path: "adapter", base: nil)
            let text = try await client.complete("more")
            let later = try System.textModel(3, system.directory, system.memory)
            try later.start()
            defer { later.stop() }
            while !later.description.models.contains(where: { $0.name == "more" }) {
                try await Task.sleep(for: .milliseconds(5))
            }
            // Even where no other is left.
            for server in system.servers.prefix(2) { server.stop() }
            #expect(try await client.complete("more") == text)
            try await system.fleet.unloadAdapter("more")
            #expect(later.description.models.map(\.name) == ["llama", "lists"])
        }
    }

    @Test func `what is broken is refused, and what is served goes on`() async throws {
        let system = try System()
        try await system.run { client async throws in
            let (text, picture) = (try await client.complete(), try await client.draw())
            try Data("{".utf8).write(to: URL(fileURLWithPath: system.directory + "/llama/config.json"))
            try Data().write(to: URL(fileURLWithPath: system.directory + "/tiny/config.json"))
            try? Data().write(to: URL(fileURLWithPath: system.directory + "/tiny/unet/config.json"))
            #expect(
                try await client.reload("llama") == [
                    "422 invalid_checkpoint", "tokenizer unchanged", "text-model failed", "text-model not_tried",
                ])
            #expect(try await client.reload("tiny") == ["422 invalid_checkpoint", "diffusion failed"])
            #expect(try await client.complete() == text)
            #expect(try await client.draw() == picture)
            try FileManager.default.removeItem(atPath: system.directory + "/llama")
            #expect(try await client.reload("llama").first == "422 invalid_checkpoint")
            #expect(try await client.complete() == text)
            #expect(try await client.reload("none") == ["404 model_not_found"])
            #expect(try await client.reload("lists") == ["400 -"])
        }
        try await system.run(allowsReload: false) { client async throws in
            #expect(try await client.reload("llama") == ["403 reload_disabled"])
        }
    }
}
