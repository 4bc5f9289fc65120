import Foundation
import Messages
import ModelServing
import RPC
import Synchronization
import Tensors
import Testing
import TextGeneration
import TextModelService
import TextModels

private let goldens = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("TextModelsTests/Goldens").path

/// A text-model in this process that lets its model go when nobody asks.
private final class Instance: Sendable {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString).path
    let server: RPCServer
    let client: RPCClient
    private let network: InProcessNetwork
    /// What a slow disk waits for.
    let disk = DispatchSemaphore(value: 0)
    /// How often the model has gone, and come back.
    let counts = Mutex<(unloaded: Int, loaded: Int)>((0, 0))
    let available = Mutex<Int?>(nil)

    /// - Parameter model: a folder of the tests' checkpoints.
    init(_ model: String = "llama", idle: Duration = .milliseconds(50), isSlow: Bool = false) throws {
        let place = directory + "/model", device = Device(threadCount: 2)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: goldens + "/" + model, toPath: place)
        let gauge = LoadGauge(capacity: 64)
        network = try InProcessNetwork()
        var options = TextRevisionLoader.Options(engine: .init(cachePositions: 4_096))
        options.idleUnload = idle
        var adapters = AdapterLibrary.Options()
        adapters.folder = goldens + "/adapters"
        options.adapters = adapters
        let box = Box()
        options.room = MemoryRoom { box.instance.withLock { $0?.available.withLock { $0 } } }
        options.unloadedOrLoaded = { isUnloaded in
            box.instance.withLock { $0 }?.counts.withLock { if isUnloaded { $0.unloaded += 1 } else { $0.loaded += 1 } }
        }
        let isLoaded = Mutex(false)
        let disk = disk
        let loader = TextRevisionLoader(
            name: "llama", options: options, on: device, gauge: gauge,
            directory: {
                // A disk that is slow, when the model comes back.
                if isSlow, isLoaded.withLock({ $0 }) {
                    disk.wait()
                    disk.signal()
                }
                return place
            })
        let service = try Self.service(loader, device)
        isLoaded.withLock { $0 = true }
        server = RPCServer(
            service.description(capacity: 64), services: [service], transports: [network.server("text")], gauge: gauge)
        service.keepDescribed(by: server)
        try server.start()
        client = try RPCClient(
            target: "text", resolver: StaticResolver(addresses: ["text"]), transport: network.client)
        box.instance.withLock { $0 = self }
    }

    /// The callbacks' way to the instance.
    private final class Box: Sendable {
        let instance = Mutex<Instance?>(nil)
    }

    private static func service(_ loader: TextRevisionLoader, _ device: Device) throws -> TextModelService {
        let first = try loader.revision(loader.checkpoint(packing: device))
        return TextModelService(first, linger: .milliseconds(50)) { try loader.next(after: $0) }
    }

    func close() {
        server.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Until the model is away.
    func untilAway() async throws {
        while counts.withLock({ $0.unloaded == $0.loaded }) { try await Task.sleep(for: .milliseconds(2)) }
    }

    func tokens(_ maxTokens: UInt32 = 12, seed: UInt64 = 3, timeout: Duration = .seconds(60)) async throws -> [Int32] {
        var request = Wire.GenerateRequest(
            model: "llama", prompt: (0..<25).map { $0 * 31 % 256 }, maxTokens: maxTokens, seed: seed)
        request.temperature = 1
        request.ignoresEndOfText = true
        let stream = try await client.stream(Wire.TextModel.generate, request, CallOptions(timeout: timeout))
        var tokens: [Int32] = []
        while let reply = try await stream.next() { tokens += reply.message.tokens }
        return tokens
    }

    /// The same, asked for again while one before it would miss its deadline for it.
    func tokensOnceAdmitted() async throws -> [Int32] {
        while true {
            do {
                return try await tokens()
            } catch let error as RPCError where error.reason == "too_late" {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    func embedding() async throws -> [Float] {
        let request = Wire.EmbedRequest(model: "llama", inputs: [[1, 2, 3]])
        let reply = try await client.call(Wire.TextModel.embed, request, CallOptions(timeout: .seconds(60)))
        return try reply.message.embeddings(reply.attachments, inputs: 1).flatMap { $0 }
    }
}

@Suite(.timeLimit(.minutes(5))) struct IdleUnloadTests {
    @Test(arguments: ["llama", "qwen3.5", "gpt2"])
    func `a model that nobody asks for goes, stays described, and answers the next request with the same tokens`(
        model: String
    ) async throws {
        let instance = try Instance(model)
        defer { instance.close() }
        let described = instance.server.description.models
        let first = try await instance.tokens()
        for time in 1...3 {
            try await instance.untilAway()
            #expect(instance.server.description.models == described)
            #expect(try await instance.tokens() == first)
            #expect(instance.counts.withLock { $0.loaded } >= time)
        }
    }

    @Test func `an encoder goes and comes back too`() async throws {
        let instance = try Instance("sentences/dense")
        defer { instance.close() }
        let first = try await instance.embedding()
        try await instance.untilAway()
        #expect(try await instance.embedding() == first && !first.isEmpty)
    }

    @Test func `requests wait together while the model is loaded, and their deadlines count`() async throws {
        let instance = try Instance(isSlow: true)
        defer { instance.close() }
        let expected = try await instance.tokens()
        try await instance.untilAway()
        let before = instance.counts.withLock { $0.loaded }
        try await withThrowingTaskGroup(of: [Int32].self) { group in
            for _ in 0..<8 { group.addTask { try await instance.tokensOnceAdmitted() } }
            let hurried = await #expect(throws: RPCError.self) {
                try await instance.tokens(timeout: .milliseconds(60))
            }
            // Refused beforehand, or too late: never an answer after its time.
            #expect([.deadlineExceeded, .resourceExhausted].contains(hurried?.code))
            instance.disk.signal()
            for try await tokens in group { #expect(tokens == expected) }
        }
        #expect(instance.counts.withLock { $0.loaded } == before + 1, "one load for all of them")
    }

    @Test func `a model that is asked for again and again stays`() async throws {
        let instance = try Instance(idle: .seconds(20))
        defer { instance.close() }
        for _ in 0..<5 { _ = try await instance.tokens(4) }
        #expect(instance.counts.withLock { $0.unloaded } == 0)
    }

    @Test func `adapters stay, and one can be loaded while the model is away`() async throws {
        let instance = try Instance()
        defer { instance.close() }
        try await instance.untilAway()
        let reply = try await instance.client.call(
            Wire.TextModel.loadAdapter,
            Wire.LoadAdapterRequest(model: "llama", name: "verses", path: "llama-list"),
            CallOptions(timeout: .seconds(60))
        ).message
        #expect(!reply.wasLoaded && instance.server.description.models.map(\.name) == ["llama", "verses"])
        func adapted() async throws -> [Int32] {
            var request = Wire.GenerateRequest(model: "llama", prompt: [1, 2, 3], maxTokens: 12, seed: 3)
            request.adapter = "verses"
            request.ignoresEndOfText = true
            let stream = try await instance.client.stream(
                Wire.TextModel.generate, request, CallOptions(timeout: .seconds(60)))
            var tokens: [Int32] = []
            while let reply = try await stream.next() { tokens += reply.message.tokens }
            return tokens
        }
        let first = try await adapted()
        try await instance.untilAway()
        #expect(try await adapted() == first && first.count == 12)
    }

    @Test func `files that changed meanwhile become a new revision, and nothing is answered by the wrong one`()
        async throws
    {
        let instance = try Instance()
        defer { instance.close() }
        let old = try await instance.tokens()
        let before = instance.server.description.models[0].numericsID
        try await instance.untilAway()
        let place = instance.directory + "/model/model.safetensors"
        let file = try SafetensorsFile(path: place)
        var tensors: [String: Tensor] = [:]
        for name in file.entries.keys { tensors[name] = try file.tensor(name) }
        let norm = try #require(tensors["model.norm.weight"]).widened()
        tensors["model.norm.weight"] = try Tensor(norm.floats.reversed(), shape: norm.shape)
        try SafetensorsWriter.encode(tensors).write(to: URL(fileURLWithPath: place), options: .atomic)
        let error = await #expect(throws: RPCError.self) { try await instance.tokens() }
        #expect(error?.code == .unavailable && error?.notStarted == true)
        while instance.server.description.models[0].numericsID == before {
            try await Task.sleep(for: .milliseconds(2))
        }
        let new = try await instance.tokens()
        #expect(new != old && instance.server.description.models[0].numericsID != before)
        try await instance.untilAway()
        #expect(try await instance.tokens() == new)
    }

    @Test func `a model that there is no room for any more refuses with numbers, and comes back when there is`()
        async throws
    {
        let instance = try Instance()
        defer { instance.close() }
        let expected = try await instance.tokens()
        try await instance.untilAway()
        instance.available.withLock { $0 = 1 << 10 }
        let error = await #expect(throws: RPCError.self) { try await instance.tokens() }
        #expect(error?.code == .resourceExhausted && error?.reason == "insufficient_memory")
        instance.available.withLock { $0 = nil }
        #expect(try await instance.tokens() == expected)
    }
}
