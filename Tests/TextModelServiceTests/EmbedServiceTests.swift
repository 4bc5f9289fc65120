import Foundation
import Layers
import Messages
import RPC
import Tensors
import Testing
import TextGeneration
import TextModelService
import TextModels

private let llama = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("TextModelsTests/Goldens/llama").path

/// A text-model with one adapter, in this process.
private final class Embedder: Sendable {
    let loaded: LoadedModel
    let server: RPCServer
    let client: RPCClient

    /// - Parameter configuration: fields that are added to the checkpoint's `config.json`.
    init(configuration: [String: Any] = [:]) throws {
        let device = Device(threadCount: 1), network = try InProcessNetwork(), gauge = LoadGauge(capacity: 64)
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString)
            .path
        try FileManager.default.copyItem(atPath: llama, toPath: directory)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let file = URL(fileURLWithPath: directory + "/config.json")
        let fields = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] ?? [:]
        try JSONSerialization.data(withJSONObject: fields.merging(configuration) { $1 }).write(to: file)
        loaded = try LoadedModel(directory: directory, on: device)
        let adapters = try AdapterLibrary(for: loaded.model, modelName: "llama")
        try adapters.load("verses", directory: llama + "/../adapters/llama-all")
        let service = TextModelService(
            TextRevision(
                name: "llama", numericsID: "01", tokenizerHash: "hash",
                engine: try TextEngine(loaded, options: .init(cachePositions: 4_096), on: device, gauge: gauge),
                adapters: adapters))
        server = RPCServer(
            service.description(capacity: 64), services: [service], transports: [network.server("text")], gauge: gauge)
        try server.start()
        client = try RPCClient(
            target: "text", resolver: StaticResolver(addresses: ["text"]), transport: network.client)
    }

    deinit {
        client.close()
        server.stop()
    }

    func embed(_ request: Wire.EmbedRequest) async throws -> [[Float]] {
        let reply = try await client.call(Wire.TextModel.embed, request, CallOptions(timeout: .seconds(120)))
        return try reply.message.embeddings(reply.attachments, inputs: request.inputs.count)
    }

    /// What the engine says without a bus.
    func expected(_ tokens: [Int32], adapter: LowRankAdapter? = nil) throws -> [Float] {
        var engine = try EngineCore(loaded, options: .init(cachePositions: 1_024), on: Device(threadCount: 1))
        _ = try engine.add(.embedding(of: tokens, adapter: adapter, shape: loaded.model.shape))
        while !engine.isIdle {
            if let delta = try engine.step().last { return UnitVector.scaling(delta.embedding) }
        }
        return []
    }
}

@Suite(.timeLimit(.minutes(5)), .serialized) struct EmbedServiceTests {
    private let inputs: [[Int32]] = (0..<12).map { input in (0..<Int32(1 + input * 20)).map { ($0 * 31 + 7) % 250 } }

    @Test func `texts of one call are embedded in their order, with and without an adapter`() async throws {
        let embedder = try Embedder()
        let plain = try await embedder.embed(Wire.EmbedRequest(model: "llama", inputs: inputs))
        #expect(plain == (try inputs.map { try embedder.expected($0) }))
        var request = Wire.EmbedRequest(model: "llama", inputs: inputs.reversed())
        (request.adapter, request.tokenizerHash, request.crashesWithoutProgress) = ("verses", "hash", 1)
        let adapter = try LowRankAdapter(
            directory: llama + "/../adapters/llama-all", for: embedder.loaded.model, on: Device(threadCount: 1))
        let adapted = try await embedder.embed(request)
        #expect(adapted == (try inputs.reversed().map { try embedder.expected($0, adapter: adapter) }))
        #expect(Set(plain + adapted).count == 24)
        for embedding in plain + adapted {
            #expect(abs(embedding.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
        }
    }

    @Test func `fewer dimensions are the first ones, of length 1 again, where the checkpoint says that they may be`()
        async throws
    {
        let plain = try Embedder()
        let whole = try await plain.embed(Wire.EmbedRequest(model: "llama", inputs: inputs))
        func check(_ embedder: Embedder, widths: [Int], refused: [Int]) async throws {
            var request = Wire.EmbedRequest(model: "llama", inputs: inputs)
            for width in widths {
                request.dimensions = UInt32(width)
                for (cut, embedding) in zip(try await embedder.embed(request), whole) {
                    let length = embedding.prefix(width).reduce(0) { $0 + $1 * $1 }.squareRoot()
                    #expect(cut.count == width)
                    #expect(zip(cut, embedding).allSatisfy { abs($0 - $1 / length) < 1e-6 })
                }
            }
            for width in refused {
                request.dimensions = UInt32(width)
                await #expect {
                    try await embedder.embed(request)
                } throws: {
                    ($0 as? RPCError)?.code == .invalidArgument && ($0 as? RPCError)?.field == "dimensions"
                }
            }
        }
        try await check(plain, widths: [48], refused: [1, 7, 49])
        try await check(Embedder(configuration: ["is_matryoshka": true]), widths: [1, 7, 48], refused: [49])
        try await check(
            Embedder(configuration: ["matryoshka_dimensions": [16, 8]]), widths: [8, 16, 48], refused: [7])
    }

    @Test func `what a call gets wrong is an error that names it`() async throws {
        let embedder = try Embedder()
        func code(_ change: (inout Wire.EmbedRequest) -> Void) async -> String {
            var request = Wire.EmbedRequest(model: "llama", inputs: [[1, 2, 3]])
            change(&request)
            do {
                _ = try await embedder.embed(request)
                return "none"
            } catch {
                return (error as? RPCError).map { "\($0.code) \($0.field)" } ?? "\(error)"
            }
        }
        #expect(await code { _ in } == "none")
        #expect(await code { $0.model = "other" } == "notFound model")
        #expect(await code { $0.adapter = "other" } == "notFound adapter")
        #expect(await code { $0.tokenizerHash = "other" } == "failedPrecondition ")
        #expect(await code { $0.inputs = [] } == "invalidArgument input")
        #expect(await code { $0.inputs = Array(repeating: [1], count: 65) } == "invalidArgument input")
        #expect(await code { $0.inputs = [[1], []] } == "invalidArgument input")
        #expect(await code { $0.inputs = [[1], [300]] } == "invalidArgument input")
        #expect(await code { $0.inputs = [[Int32](repeating: 1, count: 513)] } == "outOfRange input")
        #expect(await code { $0.dimensions = 0 } == "invalidArgument dimensions")
        #expect(await code { $0.dimensions = 49 } == "invalidArgument dimensions")
    }

    @Test func `a caller that leaves frees its place`() async throws {
        let embedder = try Embedder()
        let request = Wire.EmbedRequest(
            model: "llama", inputs: (0..<64).map { input in (0..<500).map { ($0 * input) % 250 } })
        let call = Task { try await embedder.embed(request) }
        while embedder.server.load.outstanding == 0 { await Task.yield() }
        call.cancel()
        await #expect(throws: RPCError.self) { try await call.value }
        // Nothing is outstanding once the engine has noticed; the suite's limit guards against a hang.
        while embedder.server.load.outstanding > 0 { await Task.yield() }
        #expect(try await embedder.embed(Wire.EmbedRequest(model: "llama", inputs: [[1]])).count == 1)
    }
}
