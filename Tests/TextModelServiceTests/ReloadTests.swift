import Foundation
import Messages
import ModelServing
import RPC
import Tensors
import Testing
import TextModelService
import TextModels

private let goldens = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("TextModelsTests/Goldens").path

/// A text-model in this process, whose files lie where a link leads.
private final class Instance: Sendable {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString).path
    let server: RPCServer
    let client: RPCClient
    private let network: InProcessNetwork

    init(adapter: String? = nil, availableMemory: Int? = nil) throws {
        let place = directory + "/llama", device = Device(threadCount: 2)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: goldens + "/llama", toPath: directory + "/a")
        try FileManager.default.createSymbolicLink(atPath: place, withDestinationPath: directory + "/a")
        let gauge = LoadGauge(capacity: 64)
        var options = TextRevisionLoader.Options(engine: .init(cachePositions: 4_096))
        options.room = MemoryRoom { availableMemory }
        let loader = TextRevisionLoader(
            name: "llama", options: options, on: device, gauge: gauge, directory: { place })
        let adapters = adapter.map { [$0: goldens + "/adapters/llama-list"] } ?? [:]
        let first = try loader.revision(loader.checkpoint(packing: device), adapters: adapters)
        let service = TextModelService(first, linger: .seconds(10)) { try loader.next(after: $0) }
        network = try InProcessNetwork()
        server = RPCServer(
            service.description(capacity: 64), services: [service], transports: [network.server("text")], gauge: gauge)
        service.keepDescribed(by: server)
        try server.start()
        client = try RPCClient(
            target: "text", resolver: StaticResolver(addresses: ["text"]), transport: network.client)
    }

    deinit {
        server.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// The link leads to a copy with other weights from now on, and with what else `change` does to its files.
    func replace(_ change: (String) throws -> Void = { _ in }) throws {
        let other = directory + "/b"
        try FileManager.default.copyItem(atPath: goldens + "/llama", toPath: other)
        let file = try SafetensorsFile(path: other + "/model.safetensors")
        var tensors: [String: Tensor] = [:]
        for name in file.entries.keys { tensors[name] = try file.tensor(name) }
        let norm = try #require(tensors["model.norm.weight"]).widened()
        tensors["model.norm.weight"] = try Tensor(norm.floats.reversed(), shape: norm.shape)
        try SafetensorsWriter.encode(tensors).write(to: URL(fileURLWithPath: other + "/model.safetensors"))
        try change(other)
        try FileManager.default.removeItem(atPath: directory + "/llama")
        try FileManager.default.createSymbolicLink(atPath: directory + "/llama", withDestinationPath: other)
    }

    func reload() async throws -> Wire.ReloadReply {
        try await client.call(
            Wire.Revisions.reload, Wire.ReloadRequest(model: "llama"), CallOptions(timeout: .seconds(60))
        ).message
    }

    func stream(_ maxTokens: UInt32 = 20, adapter: String = "", numericsID: String? = nil) async throws
        -> ReplyStream<Wire.GenerateDelta>
    {
        var request = Wire.GenerateRequest(
            model: "llama", prompt: (0..<25).map { $0 * 31 % 256 }, maxTokens: maxTokens, seed: 3)
        request.adapter = adapter
        request.ignoresEndOfText = true
        var options = CallOptions(timeout: .seconds(60))
        options.numericsID = numericsID
        return try await client.stream(Wire.TextModel.generate, request, options)
    }

    func tokens(_ stream: ReplyStream<Wire.GenerateDelta>) async throws -> [Int32] {
        var tokens: [Int32] = []
        while let reply = try await stream.next() { tokens += reply.message.tokens }
        return tokens
    }

    func refusal() async -> RPCError? {
        do {
            _ = try await reload()
            return nil
        } catch {
            return error as? RPCError
        }
    }
}

@Suite(.timeLimit(.minutes(10))) struct ReloadTests {
    @Test func `new calls are the new revision's, those that run end on the old one, which then goes`() async throws {
        let instance = try Instance()
        let old = try await instance.tokens(instance.stream(200))
        let oldID = instance.server.description.models[0].numericsID
        let running = try await instance.stream(200)
        _ = try await running.next()
        try instance.replace()
        let reply = try await instance.reload()
        // A call that began elsewhere on the old revision goes on here; it is made while that lingers.
        let moved = try await instance.stream(200, numericsID: oldID)
        #expect(reply.revision != reply.previous)
        let models = instance.server.description.models
        #expect(models.map(\.isRetiring) == [false, true])
        #expect(models[0].revision == reply.revision && models[1].numericsID == oldID)
        let new = try await instance.tokens(instance.stream(200))
        #expect(new != old, "the files are others")
        #expect(try await instance.tokens(moved) == old)
        #expect(try await instance.tokens(running) == Array(old.dropFirst()))
        try await instance.client.waitUntil(timeout: .seconds(90)) {
            $0.first?.description.models.map(\.numericsID) == [models[0].numericsID]
        }
        let error = await #expect(throws: RPCError.self) {
            try await instance.tokens(instance.stream(numericsID: oldID))
        }
        #expect(error?.notStarted == true)
        #expect(try await instance.tokens(instance.stream(200)) == new)
    }

    @Test func `files that are the same are not loaded again`() async throws {
        let instance = try Instance()
        let reply = try await instance.reload()
        #expect(reply.revision == reply.previous)
        #expect(instance.server.description.models.count == 1)
    }

    @Test func `what cannot be served is refused and the old revision goes on`() async throws {
        let instance = try Instance()
        let before = try await instance.tokens(instance.stream())
        try instance.replace { try Data("{".utf8).write(to: URL(fileURLWithPath: $0 + "/config.json")) }
        let error = await instance.refusal()
        #expect(error?.code == .failedPrecondition && error?.reason == "invalid_checkpoint")
        #expect(error?.message.contains("config.json") == true)
        #expect(try await instance.tokens(instance.stream()) == before)
    }

    @Test func `another vocabulary comes with its hash`() async throws {
        let instance = try Instance()
        try instance.replace { directory in
            let path = URL(fileURLWithPath: directory + "/tokenizer.json")
            var json = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: path)) as? [String: Any])
            var model = try #require(json["model"] as? [String: Any])
            var vocabulary = try #require(model["vocab"] as? [String: Any])
            (vocabulary["A"], vocabulary["B"]) = (vocabulary["B"], vocabulary["A"])
            model["vocab"] = vocabulary
            json["model"] = model
            try JSONSerialization.data(withJSONObject: json).write(to: path)
        }
        let hash = instance.server.description.models[0].tokenizerHash
        _ = try await instance.reload()
        #expect(instance.server.description.models.map(\.tokenizerHash)[1] == hash)
        #expect(instance.server.description.models.map(\.tokenizerHash)[0] != hash)
    }

    @Test func `where both revisions do not fit the message says how much is missing`() async throws {
        let instance = try Instance(availableMemory: 60 << 10)
        try instance.replace()
        let error = await instance.refusal()
        #expect(error?.code == .resourceExhausted && error?.reason == "insufficient_memory")
        #expect(error?.message.contains("0 MiB of memory are available") == true)
        #expect(instance.server.description.models.count == 1)
    }

    @Test func `adapters are loaded for the new revision too`() async throws {
        let instance = try Instance(adapter: "list")
        let plain = try await instance.tokens(instance.stream())
        let old = try await instance.tokens(instance.stream(adapter: "list"))
        #expect(old != plain)
        try instance.replace()
        _ = try await instance.reload()
        let new = try await instance.tokens(instance.stream(adapter: "list"))
        #expect(new != old)
        #expect(instance.server.description.models.filter { !$0.isRetiring }.map(\.name) == ["llama", "list"])
    }
}
