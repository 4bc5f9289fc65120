import Foundation
import Layers
import Messages
import RPC
import Tensors
import Testing
import TextGeneration
import TextModelService
import TextModels
import ZeroMQTransport

private let goldens = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("TextModelsTests/Goldens").path

/// A text-model over ipc that may load the golden adapters from a folder of copies.
private final class Instance: AdapterCalls, Sendable {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString).path
    var folder: String { directory + "/adapters" }
    let server: RPCServer
    let client: RPCClient
    let loaded: LoadedModel

    init(_ change: (inout AdapterLibrary.Options) -> Void = { _ in }) throws {
        let device = Device(threadCount: 2)
        loaded = try LoadedModel(directory: goldens + "/llama", on: device)
        var options = AdapterLibrary.Options()
        options.folder = directory + "/adapters"
        change(&options)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: goldens + "/adapters", toPath: directory + "/adapters")
        let gauge = LoadGauge(capacity: 64)
        let engine = try TextEngine(loaded, options: .init(cachePositions: 8_192), on: device, gauge: gauge)
        let library = try AdapterLibrary(for: loaded.model, modelName: "llama", options: options)
        let service = TextModelService(
            TextRevision(
                name: "llama", numericsID: "0123", tokenizerHash: loaded.tokenizer.hash, engine: engine,
                adapters: library))
        server = RPCServer(
            service.description(capacity: 64), services: [service],
            transports: [try ZeroMQTransport.shared().server("ipc://\(directory)/text-model-1.sock")], gauge: gauge)
        service.keepDescribed(by: server)
        try server.start()
        client = try RPCClient(target: "ipc://\(directory)/text-model-*.sock")
    }

    deinit {
        server.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    func stream(_ request: Wire.GenerateRequest) async throws -> ReplyStream<Wire.GenerateDelta> {
        try await client.stream(Wire.TextModel.generate, request, CallOptions(timeout: .seconds(120)))
    }

    func tokens(_ request: Wire.GenerateRequest) async throws -> [Int32] {
        try await tokens(stream(request))
    }

    func tokens(_ stream: ReplyStream<Wire.GenerateDelta>) async throws -> [Int32] {
        var tokens: [Int32] = []
        while let reply = try await stream.next() { tokens += reply.message.tokens }
        return tokens
    }

    /// What the engine gives without a service.
    func expected(_ request: Wire.GenerateRequest, _ adapter: String?) throws -> [Int32] {
        let device = Device(threadCount: 1)
        let adapter = try adapter.map {
            try LowRankAdapter(directory: goldens + "/adapters/" + $0, for: loaded.model, on: device)
        }
        var engine = try EngineCore(loaded, options: .init(cachePositions: 1_024), on: device)
        _ = try engine.add(
            GenerationRequest(
                prompt: request.prompt, maxTokens: Int(request.maxTokens),
                sampling: SamplingParameters(seed: request.seed), ignoresEndOfText: true, adapter: adapter,
                shape: loaded.model.shape))
        var tokens: [Int32] = []
        while !engine.isIdle { tokens += try engine.step().compactMap { $0.token } }
        return tokens
    }

    /// The code and the field or reason of what a call throws.
    func refusal(_ call: () async throws -> Void) async -> String? {
        do {
            try await call()
            return nil
        } catch {
            return (error as? RPCError).map { "\($0.code) \($0.reason) \($0.field)" } ?? "\(error)"
        }
    }
}

@Suite(.timeLimit(.minutes(5)), .serialized) struct AdapterServiceTests {
    @Test func `adapters come and go by request, and each request is answered with its own`() async throws {
        let instance = try Instance()
        let epoch = instance.server.description.epoch
        let reply = try await instance.load("list", "llama-list")
        #expect(reply.model == "llama" && reply.contentID.count == 64 && reply.size > 0 && !reply.wasLoaded)
        #expect(try await instance.load("list", "llama-list").wasLoaded)
        // The model that an adapter's own configuration names, whatever directory it lay in.
        #expect(try await instance.load("all", instance.folder + "/llama-all/", model: "").model == "llama")
        let models = instance.server.description.models
        #expect(models.map(\.name) == ["llama", "all", "list"] && models.map(\.parent) == [nil, "llama", "llama"])
        #expect(Set(models.map(\.numericsID)).count == 3 && instance.server.description.epoch == epoch + 2)
        // Clients hear of it by the next heartbeat.
        try await instance.client.waitUntil { $0.first?.description.models.count == 3 }
        let adapters = ["list": "llama-list", "all": "llama-all", "": nil]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<24 {
                let name = ["list", "", "all"][index % 3], request = instance.request(name, seed: UInt64(index))
                let expected = try instance.expected(request, adapters[name] ?? nil)
                group.addTask {
                    let tokens = try await instance.tokens(request)
                    #expect(tokens == expected)
                }
            }
            try await group.waitForAll()
        }
        try await instance.unload("list")
        #expect(instance.server.description.models.map(\.name) == ["llama", "all"])
        #expect(
            await instance.refusal { _ = try await instance.tokens(instance.request("list")) }
                == "notFound adapter_not_found adapter")
        #expect(await instance.refusal { try await instance.unload("list") } == "notFound adapter_not_found name")
    }

    @Test func `a request keeps the adapter that it began with`() async throws {
        let instance = try Instance()
        try await instance.load("mine", "llama-list")
        let long = instance.request("mine", maxTokens: 480)
        let stream = try await instance.stream(long)
        var tokens = try await stream.next().map { $0.message.tokens } ?? []
        try await instance.unload("mine")
        try await instance.load("mine", "llama-all")
        let next = instance.request("mine")
        #expect(try await instance.tokens(next) == instance.expected(next, "llama-all"))
        tokens += try await instance.tokens(stream)
        #expect(try tokens == instance.expected(long, "llama-list"))
    }

    @Test func `a library ends with its service and its server`() async throws {
        weak var library: AdapterLibrary?
        do {
            let model = try TextModelLoader.load(directory: goldens + "/llama", on: Device(threadCount: 1))
            let made = try AdapterLibrary(for: model, modelName: "llama")
            library = made
            let loaded = try LoadedModel(directory: goldens + "/llama", on: Device(threadCount: 1))
            let engine = try TextEngine(
                loaded, options: .init(cachePositions: 64), on: Device(threadCount: 1), gauge: LoadGauge(capacity: 1))
            let service = TextModelService(
                TextRevision(name: "llama", numericsID: "0123", tokenizerHash: "", engine: engine, adapters: made))
            let server = RPCServer(
                service.description(capacity: 1), services: [service], transports: [])
            service.keepDescribed(by: server)
            try made.load("list", directory: goldens + "/adapters/llama-list")
            #expect(server.description.models.map(\.name) == ["llama", "list"])
        }
        #expect(library == nil)
    }

    @Test func `nothing outside of the folder is read, and what is outside cannot be told from what is not there`()
        async throws
    {
        let instance = try Instance(), files = FileManager.default, folder = instance.folder
        try files.copyItem(atPath: goldens + "/adapters/llama-list", toPath: instance.directory + "/outside")
        try files.createSymbolicLink(atPath: folder + "/link", withDestinationPath: instance.directory + "/outside")
        try files.createSymbolicLink(atPath: folder + "/up", withDestinationPath: instance.directory)
        try files.createDirectory(atPath: folder + "/linked", withIntermediateDirectories: true)
        try files.createDirectory(atPath: instance.directory + "/adapters2", withIntermediateDirectories: true)
        for name in ["adapter_config.json", "adapter_model.safetensors"] {
            try files.createSymbolicLink(
                atPath: folder + "/linked/" + name, withDestinationPath: instance.directory + "/outside/" + name)
            try files.copyItem(
                atPath: instance.directory + "/outside/" + name, toPath: instance.directory + "/adapters2/" + name)
        }
        for path in [
            "", ".", "..", "../outside", instance.directory + "/outside", "llama-list/../../outside", "link", "linked",
            "up/outside", "up/../outside", "nothing", "/", "/etc/passwd", "a\u{0}b", "../adapters2",
            instance.directory + "/adapters2", "llama-list/adapter_config.json", String(repeating: "x/", count: 9_000),
        ] {
            #expect(
                await instance.refusal { try await instance.load("x", path) } == "notFound path_not_found path",
                "\(path.prefix(80))")
        }
        // A link that stays inside is as good as what it leads to.
        try files.createSymbolicLink(atPath: folder + "/alias", withDestinationPath: folder + "/llama-list")
        try await instance.load("alias", "alias")
        try await instance.load("dotted", "./llama-all/../llama-list")
        #expect(instance.server.description.models.map(\.name) == ["llama", "alias", "dotted"])
    }

    @Test func `what cannot be loaded is refused under its name, and changes nothing`() async throws {
        let instance = try Instance { $0.countLimit = 2 }
        try await instance.load("first", "llama-list")
        func refused(_ name: String, _ path: String, model: String = "llama") async -> String? {
            await instance.refusal { try await instance.load(name, path, model: model) }
        }
        #expect(await refused("first", "llama-all") == "alreadyExists adapter_exists name")
        #expect(await refused("llama", "llama-all") == "invalidArgument invalid_request name")
        #expect(await refused("", "llama-all") == "invalidArgument invalid_request name")
        #expect(await refused("a\nb", "llama-all") == "invalidArgument invalid_request name")
        #expect(await refused("x", "llama-all", model: "other") == "notFound model_not_found model")
        #expect(await refused("x", "gpt2-joint", model: "") == "failedPrecondition other_base_model model")
        #expect(await refused("x", "gpt2-joint") == "invalidArgument invalid_adapter path")
        try Data("{".utf8).write(to: URL(fileURLWithPath: instance.folder + "/phi3-joint/adapter_config.json"))
        #expect(await refused("x", "phi3-joint", model: "") == "invalidArgument invalid_adapter path")
        try await instance.load("second", "llama-all")
        #expect(await refused("third", "llama-regex") == "resourceExhausted adapter_limit ")
        #expect(instance.server.description.models.map(\.name) == ["llama", "first", "second"])
        try await instance.unload("first")
        try await instance.load("third", "llama-regex")

        let small = try Instance { $0.byteLimit = 20_000 }
        try await small.load("list", "llama-list")
        #expect(
            await small.refusal { try await small.load("all", "llama-all") } == "resourceExhausted adapter_limit ")
        let closed = try Instance { $0.folder = nil }
        #expect(
            await closed.refusal { try await closed.load("x", "llama-list") }
                == "failedPrecondition adapters_disabled ")
    }
}
