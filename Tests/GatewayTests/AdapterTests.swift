import Foundation
import FoundationNetworking
import Gateway
import Hummingbird
import Layers
import RPC
import Tensors
import Testing
import TextGeneration
import TextModelService
import TextModels
import TokenizerService
import ZeroMQTransport

private let goldens = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("TextModelsTests/Goldens").path
private let device = Device(threadCount: 1)
private let checkpoints = ["llama", "gpt2"].reduce(into: [:]) { checkpoints, name in
    checkpoints[name] = Result { try LoadedModel(directory: goldens + "/" + name, on: device) }
}

/// One text-model process, as it were.
private struct Replica {
    /// The golden checkpoint and its name.
    var model = "llama"
    /// Golden adapters by the directory in which the replica's folder has them.
    var folder: [String: String] = [:]
    /// Golden adapters that it starts with, by name.
    var adapters: [String: String] = [:]
}

private struct Client: Sendable {
    var port: Int
    /// The replicas' servers, in order.
    var servers: [RPCServer]
    /// Where the replicas' folders are.
    var directory: String

    func send(_ path: String, _ body: [String: Any]? = nil) async throws -> (status: Int, body: String) {
        var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
        if let body {
            request.httpMethod = "POST"
            request.httpBody = try JSONSerialization.data(withJSONObject: body)
        }
        let (data, response) = try await URLSession.shared.data(for: request)
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, String(decoding: data, as: UTF8.self))
    }

    func json(_ path: String, _ body: [String: Any]? = nil) async throws -> [String: Any] {
        let data = Data(try await send(path, body).body.utf8)
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    /// Status, code and parameter of an error.
    func refusal(_ path: String, _ body: [String: Any]) async throws -> String {
        let (status, text) = try await send(path, body)
        let json = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        let error = json?["error"] as? [String: Any]
        return "\(status) \(error?["code"] as? String ?? "-") \(error?["param"] as? String ?? "-")"
    }

    func load(_ name: String, _ path: String, base: String? = nil) async throws -> String {
        var body = ["lora_name": name, "lora_path": path]
        body["base_model"] = base
        let (status, text) = try await send("/v1/load_lora_adapter", body)
        return status == 200 ? text : try await refusal("/v1/load_lora_adapter", body)
    }

    /// The text of a completion, or the error.
    func complete(_ model: String) async throws -> String {
        let body = Client.completion(model)
        let reply = try await json("/v1/completions", body)
        guard let choice = (reply["choices"] as? [[String: Any]])?.first else {
            return try await refusal("/v1/completions", body)
        }
        #expect(reply["model"] as? String == model)
        return try #require(choice["text"] as? String)
    }

    static let prompt: [Int32] = [72, 101, 108, 108, 111]

    private static func completion(_ model: String) -> [String: Any] {
        ["model": model, "prompt": prompt.map { Int($0) }, "max_tokens": 24, "seed": 5, "ignore_eos": true]
    }

    /// What the engine writes without services.
    static func expected(_ model: String, _ adapter: String?) throws -> String {
        let loaded = try #require(try checkpoints[model]?.get())
        let adapter = try adapter.map {
            try LowRankAdapter(directory: goldens + "/adapters/" + $0, for: loaded.model, on: device)
        }
        var engine = try EngineCore(loaded, options: .init(cachePositions: 64), on: device)
        _ = try engine.add(
            GenerationRequest(
                prompt: prompt, maxTokens: 24, sampling: SamplingParameters(seed: 5), ignoresEndOfText: true,
                adapter: adapter, shape: loaded.model.shape))
        var text = ""
        while !engine.isIdle { text += try engine.step().map(\.text).joined() }
        return text
    }
}

/// The replicas over ipc, a tokenizer of all models, and a gateway before them.
private func withGateway(
    _ replicas: [Replica], allowsUpdates: Bool = true, _ body: @Sendable @escaping (Client) async throws -> Void
) async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString).path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let transport = try ZeroMQTransport.shared()
    var servers: [RPCServer] = []
    for (index, replica) in replicas.enumerated() {
        let folder = "\(directory)/folder-\(index)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, golden) in replica.folder {
            try FileManager.default.copyItem(atPath: goldens + "/adapters/" + golden, toPath: folder + "/" + name)
        }
        let loaded = try #require(try checkpoints[replica.model]?.get())
        let gauge = LoadGauge(capacity: 64)
        let engine = try TextEngine(loaded, options: .init(cachePositions: 1_024), on: device, gauge: gauge)
        var options = AdapterLibrary.Options()
        options.folder = folder
        let library = try AdapterLibrary(for: loaded.model, modelName: replica.model, options: options)
        for (name, golden) in replica.adapters { try library.load(name, directory: goldens + "/adapters/" + golden) }
        let service = TextModelService(
            TextRevision(
                name: replica.model, numericsID: replica.model, tokenizerHash: loaded.tokenizer.hash, engine: engine,
                adapters: library))
        let server = RPCServer(
            service.description(capacity: 64), services: [service],
            transports: [transport.server("ipc://\(directory)/text-model-\(index).sock")], gauge: gauge)
        service.keepDescribed(by: server)
        servers.append(server)
    }
    let tokenizers = TokenizerService(tokenizers: try checkpoints.mapValues { try $0.get().tokenizer })
    servers.append(
        RPCServer(
            tokenizers.description(capacity: 64), services: [tokenizers],
            transports: [transport.server("ipc://\(directory)/tokenizer-1.sock")]))
    for server in servers { try server.start() }
    defer { for server in servers { server.stop() } }
    let text = try RPCClient(target: "ipc://\(directory)/text-model-*.sock")
    let tokenizer = try RPCClient(target: "ipc://\(directory)/tokenizer-*.sock")
    try await text.waitUntil { $0.count == replicas.count }
    try await tokenizer.waitUntil { !$0.isEmpty }
    let gateway = Gateway(
        fleet: Fleet(tokenizer: tokenizer, textModel: text), routing: try RoutingSource(file: nil),
        filters: try FilterSet(standard: "off"),
        allowsAdapterUpdates: allowsUpdates)
    let (ports, running) = AsyncStream<Int>.makeStream()
    let application = try gateway.application(at: GatewayAddress()) { running.yield($0.localAddress?.port ?? 0) }
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await application.run() }
        for await port in ports {
            try await body(Client(port: port, servers: Array(servers.dropLast()), directory: directory))
            break
        }
        group.cancelAll()
    }
}

@Suite(.timeLimit(.minutes(5)), .serialized) struct GatewayAdapterTests {
    @Test func `an adapter is loaded into every replica, chosen as a model, and unloaded`() async throws {
        let folder = ["mine": "llama-list", "other": "llama-all"]
        try await withGateway([Replica(folder: folder), Replica(folder: folder)]) { client async throws in
            #expect(try await client.load("verses", "mine") == "Success: LoRA adapter 'verses' added successfully.")
            #expect(try await client.load("prose", "other", base: "llama").hasPrefix("Success"))
            // At once, not at the next heartbeat.
            let models = try #require(try await client.json("/v1/models")["data"] as? [[String: Any]])
            #expect(models.map { $0["id"] as? String } == ["llama", "prose", "verses"])
            #expect(models.map { $0["parent"] as? String } == [nil, "llama", "llama"])
            #expect(client.servers.allSatisfy { $0.description.models.count == 3 })
            for _ in 0..<6 {
                #expect(try await client.complete("llama") == Client.expected("llama", nil))
                #expect(try await client.complete("verses") == Client.expected("llama", "llama-list"))
                #expect(try await client.complete("prose") == Client.expected("llama", "llama-all"))
            }
            let messages = [["role": "user", "content": "你好"]]
            func chat(_ model: String) async throws -> (text: String?, fingerprint: String?) {
                let reply = try await client.json(
                    "/v1/chat/completions", ["model": model, "messages": messages, "max_tokens": 20, "seed": 1])
                let message = (reply["choices"] as? [[String: Any]])?.first?["message"] as? [String: Any]
                return (message?["content"] as? String, reply["system_fingerprint"] as? String)
            }
            let (own, plain) = (try await chat("verses"), try await chat("llama"))
            #expect(own.text != nil && own.text != plain.text && own.fingerprint != plain.fingerprint)
            #expect(try await client.send("/tokenize", ["model": "verses", "prompt": "abc"]).status == 200)

            let removed = try await client.send("/v1/unload_lora_adapter", ["lora_name": "verses"])
            #expect(removed == (200, "Success: LoRA adapter 'verses' removed successfully."))
            #expect(try await client.complete("verses") == "404 model_not_found model")
            #expect(try await client.complete("prose") == Client.expected("llama", "llama-all"))
            #expect(
                try await client.refusal("/v1/unload_lora_adapter", ["lora_name": "verses"])
                    == "404 adapter_not_found lora_name")
        }
    }

    @Test func `requests go only to the instances that have the adapter`() async throws {
        try await withGateway([Replica(), Replica(adapters: ["verses": "llama-list"]), Replica()]) {
            client async throws in
            for _ in 0..<12 {
                #expect(try await client.complete("verses") == Client.expected("llama", "llama-list"))
            }
        }
    }

    @Test func `an adapter that one replica refuses is loaded in none`() async throws {
        let replicas = [
            Replica(folder: ["a": "llama-list", "b": "llama-list", "c": "llama-list"]),
            Replica(folder: ["b": "llama-all", "c": "gpt2-joint"]),
        ]
        try await withGateway(replicas) { client async throws in
            #expect(try await client.load("x", "a") == "404 path_not_found lora_path")
            #expect(try await client.load("x", "b") == "409 adapters_differ lora_path")
            #expect(try await client.load("x", "c") == "400 invalid_adapter lora_path")
            #expect(client.servers.allSatisfy { $0.description.models.map(\.name) == ["llama"] })
        }
    }

    @Test func `of several models the adapter's configuration names its own`() async throws {
        let folder = ["a": "llama-list", "b": "gpt2-joint", "c": "phi3-joint"]
        try await withGateway([Replica(folder: folder), Replica(model: "gpt2", folder: folder)]) {
            client async throws in
            #expect(try await client.load("x", "a").hasPrefix("Success"))
            #expect(try await client.load("y", "b").hasPrefix("Success"))
            #expect(client.servers.map { $0.description.models.map(\.name) } == [["llama", "x"], ["gpt2", "y"]])
            #expect(try await client.complete("y") == Client.expected("gpt2", "gpt2-joint"))
            #expect(try await client.load("z", "c") == "400 other_base_model base_model")
            #expect(try await client.load("z", "b", base: "llama") == "400 invalid_adapter lora_path")
            #expect(try await client.load("z", "b", base: "bert") == "404 model_not_found base_model")
            #expect(try await client.load("x", "b", base: "gpt2") == "400 - lora_name")
            #expect(try await client.load("gpt2", "a", base: "llama") == "400 - lora_name")
        }
    }

    @Test func `what is wrong with an update is said, and without the option there are none`() async throws {
        try await withGateway([Replica(folder: ["a": "llama-list", "b": "llama-all"])]) { client async throws in
            let path = "/v1/load_lora_adapter"
            #expect(try await client.refusal(path, ["lora_name": "x"]) == "400 - lora_path")
            #expect(try await client.refusal(path, ["lora_path": "a"]) == "400 - lora_name")
            #expect(try await client.refusal(path, ["lora_name": 5, "lora_path": "a"]) == "400 - lora_name")
            #expect(
                try await client.refusal(path, ["lora_name": "x", "lora_path": "a", "load_inplace": true])
                    == "400 - load_inplace")
            #expect(try await client.load("", "a") == "400 invalid_request lora_name")
            #expect(try await client.load("x", "../folder-0/a/../../outside") == "404 path_not_found lora_path")
            #expect(try await client.load("x", client.directory) == "404 path_not_found lora_path")
            #expect(try await client.load("x", "a").hasPrefix("Success"))
            #expect(try await client.load("x", "a").hasPrefix("Success"))
            #expect(try await client.load("x", "b") == "400 adapter_exists lora_name")
            #expect(
                try await client.refusal("/v1/unload_lora_adapter", ["lora_name": "llama"])
                    == "404 adapter_not_found lora_name")
        }
        try await withGateway([Replica(folder: ["a": "llama-list"])], allowsUpdates: false) { client async throws in
            let (status, text) = try await client.send(
                "/v1/load_lora_adapter", ["lora_name": "x", "lora_path": "a"])
            #expect(status == 403 && text.contains("--allow-adapter-updates"))
            #expect(try await client.send("/v1/unload_lora_adapter", ["lora_name": "x"]).status == 403)
            #expect(client.servers[0].description.models.count == 1)
        }
    }
}
