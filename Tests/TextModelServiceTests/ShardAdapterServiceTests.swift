import Foundation
import Layers
import Messages
import RPC
import Synchronization
import Tensors
import Testing
import TextGeneration
import TextModelService
import TextModels

private let goldens = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("TextModelsTests/Goldens").path

/// The llama of two layers in two processes, or rather servers, with replicas of the second.
private final class CutInstance: AdapterCalls, Sendable {
    let network: InProcessNetwork
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString).path
    let device = Device(threadCount: 1)
    let numericsID: String
    let server: RPCServer
    let client: RPCClient
    private let later = Mutex<[RPCServer]>([])
    /// How often the first layers have gone and come back, and the later ones.
    let counts = Counts()

    final class Counts: Sendable {
        private let values = Mutex<[String: Int]>([:])
        subscript(what: String) -> Int { values.withLock { $0[what] ?? 0 } }
        func add(_ part: String) -> @Sendable (Bool) -> Void {
            { isUnloaded in self.values.withLock { $0[part + (isUnloaded ? " gone" : " back"), default: 0] += 1 } }
        }
    }

    /// Lets every twentieth call of the later layers wait until they have gone.
    private final class Pauses: ServerInterceptor {
        private let calls = Mutex(0)
        private let counts: Counts

        init(_ counts: Counts) { self.counts = counts }

        func admit(_ context: ServerContext) {
            guard context.method == Wire.TextShard.forward.path else { return }
            let call = calls.withLock { calls in
                calls += 1
                return calls
            }
            guard call % 20 == 0 else { return }
            // On a busy machine they may have gone by themselves: this call is what brings them back.
            while counts["later gone"] == counts["later back"] { Thread.sleep(forTimeInterval: 0.002) }
        }
    }

    /// - Parameters:
    ///   - given: adapters that processes are started with, by name; of the first and of the later one.
    ///   - idle: for how long nobody asks before the layers are let go; nil for ever.
    ///   - pauses: whether every twentieth call of the later layers waits until they have gone.
    init(
        given: [String: String] = [:], givenLater: [String: String]? = nil, idle: Duration? = nil, pauses: Bool = false
    ) async throws {
        let base = goldens + "/llama", device = device
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for folder in ["first", "later"] {
            try FileManager.default.copyItem(atPath: goldens + "/adapters", toPath: "\(directory)/\(folder)")
        }
        network = try InProcessNetwork()
        var options = TextRevisionLoader.Options(engine: .init(cachePositions: 4_096))
        options.layers = 0..<1
        var adapters = AdapterLibrary.Options()
        adapters.folder = directory + "/first"
        options.adapters = adapters
        (options.idleUnload, options.unloadedOrLoaded) = (idle, counts.add("first"))
        let gauge = LoadGauge(capacity: 64)
        let loader = TextRevisionLoader(name: "llama", options: options, on: device, gauge: gauge, directory: { base })
        let first = try loader.checkpoint(packing: device)
        numericsID = first.numericsID
        let shardClient = try RPCClient(
            target: "shard", resolver: StaticResolver(addresses: ["shard-0", "shard-1"]), transport: network.client)
        let replica = try Self.shard(
            network.server("shard-0"), folder: directory + "/later", given: givenLater ?? given, idle: idle,
            counts.add("later"), interceptors: pauses ? [Pauses(counts)] : [], on: device)
        later.withLock { $0.append(replica) }
        try await shardClient.waitUntil { $0.count == 1 }
        guard case .decoder(let loaded) = first.loaded else { throw CancellationError() }
        let shards = try await LaterShardClients([shardClient], after: loaded.model, numericsID: first.numericsID)
        let service = TextModelService(
            try loader.revision(first, shards: shards, adapters: given.mapValues { goldens + "/adapters/" + $0 }))
        server = RPCServer(
            service.description(capacity: 64), services: [service], transports: [network.server("text")], gauge: gauge)
        service.keepDescribed(by: server)
        try server.start()
        client = try RPCClient(
            target: "text", resolver: StaticResolver(addresses: ["text"]), transport: network.client)
    }

    private static func shard(
        _ transport: any ServerTransport, folder: String, given: [String: String] = [:], idle: Duration? = nil,
        _ told: @escaping @Sendable (Bool) -> Void = { _ in }, interceptors: [any ServerInterceptor] = [],
        on device: Device
    ) throws -> RPCServer {
        var options = TextRevisionLoader.Options(engine: .init(cachePositions: 4_096))
        options.layers = 1..<2
        (options.idleUnload, options.unloadedOrLoaded) = (idle, told)
        let gauge = LoadGauge(capacity: 64), base = goldens + "/llama"
        let loader = TextRevisionLoader(name: "llama", options: options, on: device, gauge: gauge, directory: { base })
        let checkpoint = try loader.checkpoint(packing: device)
        guard case .decoder(let loaded) = checkpoint.loaded else { throw CancellationError() }
        var own = AdapterLibrary.Options()
        own.folder = folder
        let resident = ResidentModel(loaded.model)
        let adapters = try AdapterLibrary(for: resident, modelName: "llama", options: own)
        for (name, path) in given { try adapters.load(name, directory: goldens + "/adapters/" + path) }
        let service = try TextShardService(
            name: "llama", model: loaded.model, cachePositions: 4_096, cachePrecision: .f32, states: .standard,
            adapters: adapters, unload: loader.shardUnload(checkpoint), resident: resident, on: device, gauge: gauge)
        let server = RPCServer(
            service.description(numericsID: checkpoint.numericsID, capacity: 64), services: [service],
            transports: [transport], gauge: gauge, interceptors: interceptors)
        service.keepDescribed(by: server, numericsID: checkpoint.numericsID)
        try server.start()
        return server
    }

    var shards: [RPCServer] { later.withLock { $0 } }

    /// Another replica in the place of the one that is there.
    func replaceShard() throws {
        let server = try Self.shard(network.server("shard-1"), folder: directory + "/later", on: device)
        later.withLock { $0.append(server) }
        shards[0].stop()
    }

    func close() {
        server.stop()
        for shard in shards { shard.stop() }
        try? FileManager.default.removeItem(atPath: directory)
    }

    func tokens(_ request: Wire.GenerateRequest, observe: (Int) async throws -> Void = { _ in }) async throws -> [Int32]
    {
        var tokens: [Int32] = []
        let stream = try await client.stream(Wire.TextModel.generate, request, CallOptions(timeout: .seconds(120)))
        while let reply = try await stream.next() {
            tokens += reply.message.tokens
            try await observe(tokens.count)
        }
        return tokens
    }

    /// What the whole model answers.
    func expected(_ request: Wire.GenerateRequest, _ adapter: String?) throws -> [Int32] {
        let loaded = try LoadedModel(directory: goldens + "/llama", on: device)
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

    /// The code, reason and words of what a call throws.
    func refusal(_ call: () async throws -> Void) async -> String {
        do {
            try await call()
            return ""
        } catch {
            return (error as? RPCError).map { "\($0.code) \($0.reason) \($0.message)" } ?? "\(error)"
        }
    }
}

@Suite(.timeLimit(.minutes(5)), .serialized) struct ShardAdapterServiceTests {
    @Test func `an adapter that comes by request is in every part before a request may name it`() async throws {
        let instance = try await CutInstance()
        defer { instance.close() }
        let reply = try await instance.load("list", "llama-list")
        #expect(reply.contentID.count == 64 && !reply.wasLoaded)
        #expect(instance.server.description.models.map(\.name) == ["llama", "list"])
        #expect(instance.shards[0].description.models.count == 2)
        #expect(
            instance.shards[0].description.models.last?.numericsID
                == instance.server.description.models.last?.numericsID)
        #expect(try await instance.load("list", "llama-list").wasLoaded)
        _ = try await instance.load("all", "llama-all")
        for (name, golden) in [("list", "llama-list"), ("all", "llama-all"), ("", nil)] as [(String, String?)] {
            let request = instance.request(name)
            #expect(try await instance.tokens(request) == instance.expected(request, golden), "\(name)")
        }
        try await instance.unload("list")
        try await instance.unload("all")
        // Nobody has them any more, the later layers neither.
        while instance.shards[0].description.models.count > 1 { await Task.yield() }
        let gone = await instance.refusal { _ = try await instance.tokens(instance.request("list")) }
        #expect(gone.contains("adapter_not_found"))
    }

    @Test func `a request keeps its adapter in all parts when it is unloaded`() async throws {
        let instance = try await CutInstance()
        defer { instance.close() }
        _ = try await instance.load("list", "llama-list")
        let request = instance.request("list", maxTokens: 80)
        let tokens = try await instance.tokens(request) { count in
            if count == 3 { try await instance.unload("list") }
        }
        #expect(try tokens == instance.expected(request, "llama-list"))
        while instance.shards[0].description.models.count > 1 { await Task.yield() }
    }

    @Test func `a replica that comes later is given the adapter, in mid-generation`() async throws {
        let instance = try await CutInstance()
        defer { instance.close() }
        _ = try await instance.load("list", "llama-list")
        let request = instance.request("list", maxTokens: 80)
        let tokens = try await instance.tokens(request) { count in
            if count == 3 { try instance.replaceShard() }
        }
        #expect(try tokens == instance.expected(request, "llama-list"))
        #expect(instance.shards[1].description.models.count == 2)
        let other = instance.request("")
        #expect(try await instance.tokens(other) == instance.expected(other, nil))
    }

    @Test func `what one part lacks or has otherwise is said, and nobody has the adapter then`() async throws {
        let instance = try await CutInstance()
        defer { instance.close() }
        try FileManager.default.removeItem(atPath: instance.directory + "/later/llama-list")
        let missing = await instance.refusal { _ = try await instance.load("list", "llama-list") }
        #expect(missing.contains("layers 1-1") && missing.contains("llama-list"), "\(missing)")
        // The same path, another adapter.
        try FileManager.default.copyItem(
            atPath: goldens + "/adapters/llama-all", toPath: instance.directory + "/later/llama-list")
        let differs = await instance.refusal { _ = try await instance.load("list", "llama-list") }
        #expect(differs.contains("adapters_differ"), "\(differs)")
        #expect(instance.server.description.models.count == 1)
        while instance.shards[0].description.models.count > 1 { await Task.yield() }
    }

    @Test func `processes that start with adapters need the same ones`() async throws {
        let instance = try await CutInstance(given: ["own": "llama-list"])
        defer { instance.close() }
        let request = instance.request("own")
        #expect(try await instance.tokens(request) == instance.expected(request, "llama-list"))
        for other in [[:], ["own": "llama-all"]] as [[String: String]] {
            do {
                try await CutInstance(given: ["own": "llama-list"], givenLater: other).close()
                Issue.record("a part without the adapter was taken")
            } catch {
                #expect("\(error)".contains("--adapter") && "\(error)".contains("layers 1-1"), "\(error)")
            }
        }
    }

    @Test func `a model in shards that nobody asks for goes in all its parts, and answers as it did`() async throws {
        let instance = try await CutInstance(idle: .milliseconds(60))
        defer { instance.close() }
        _ = try await instance.load("list", "llama-list")
        let requests = ["", "list"].map { instance.request($0) }
        let expected = try [nil, "llama-list"].enumerated().map { try instance.expected(requests[$0], $1) }
        for time in 1...3 {
            while instance.counts["first gone"] < time || instance.counts["later gone"] < time {
                try await Task.sleep(for: .milliseconds(2))
            }
            for (request, expected) in zip(requests, expected) {
                #expect(try await instance.tokens(request) == expected)
            }
            #expect(instance.counts["first back"] >= time && instance.counts["later back"] >= time)
        }
        // An adapter is held against layers that are away.
        while instance.counts["later gone"] == instance.counts["later back"] { await Task.yield() }
        _ = try await instance.load("all", "llama-all")
        let request = instance.request("all")
        #expect(try await instance.tokens(request) == instance.expected(request, "llama-all"))
    }

    @Test func `later layers that go in mid-generation are given what they lack`() async throws {
        // The later part goes whenever it is not called for longer than a busy machine's pauses.
        let instance = try await CutInstance(idle: .milliseconds(100), pauses: true)
        defer { instance.close() }
        let request = instance.request("", maxTokens: 60)
        let tokens = try await instance.tokens(request)
        #expect(try tokens == instance.expected(request, nil))
        #expect(instance.counts["later gone"] >= 3)
    }
}
