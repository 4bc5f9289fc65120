import Foundation
import Messages
import RPC
import Synchronization
import Tensors
import Testing
import TextGeneration
import TextModelService
import TextModels
import Tokenizers

private let goldens = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("TextModelsTests/Goldens").path

/// Counts the calls of a server.
private final class CallCount: ServerInterceptor {
    private let counts = Mutex<[String: Int]>([:])
    subscript(method: String) -> Int { counts.withLock { $0[method] ?? 0 } }
    func admit(_ context: ServerContext) throws { counts.withLock { $0[context.method, default: 0] += 1 } }
}

/// A model cut by layers, every shard with replicas that are servers of their own, in one process.
private final class CutFleet: Sendable {
    let network: InProcessNetwork
    /// By later shard, then replica.
    let replicas: [[RPCServer]]
    let counts: [[CallCount]]
    let textServer: RPCServer
    let text: RPCClient
    let numericsID: String

    init(_ name: String, cuts: [Range<Int>], replicas count: Int = 1, cachePositions: Int = 4_096) async throws {
        let directory = goldens + "/" + name, device = Device(threadCount: 1)
        let network = try InProcessNetwork()
        self.network = network
        let loaded = try LoadedModel(directory: directory, layers: cuts[0], on: device)
        let numericsID = try NumericsID.compute(directory: directory, tokenizerHash: loaded.tokenizer.hash)
        self.numericsID = numericsID
        var replicas: [[RPCServer]] = []
        var counts: [[CallCount]] = []
        var clients: [RPCClient] = []
        for (shard, layers) in cuts.dropFirst().enumerated() {
            let model = try TextModelLoader.load(directory: directory, layers: layers, on: device)
            counts.append((0..<count).map { _ in CallCount() })
            replicas.append(
                try (0..<count).map { replica in
                    let gauge = LoadGauge(capacity: 64)
                    let service = try TextShardService(
                        name: name, model: model, cachePositions: cachePositions, cachePrecision: .f32,
                        states: .standard,
                        on: device,
                        gauge: gauge)
                    let server = RPCServer(
                        service.description(numericsID: numericsID, capacity: 64), services: [service],
                        transports: [network.server("shard-\(shard)-\(replica)")], gauge: gauge,
                        interceptors: [counts[shard][replica]])
                    try server.start()
                    return server
                })
            let addresses = (0..<count).map { "shard-\(shard)-\($0)" }
            clients.append(
                try RPCClient(
                    target: "shard-\(shard)", resolver: StaticResolver(addresses: addresses),
                    transport: network.client))
        }
        (self.replicas, self.counts) = (replicas, counts)
        for client in clients { try await client.waitUntil { $0.count == count } }
        let shards = try await LaterShardClients(clients, after: loaded.model, numericsID: numericsID)
        let gauge = LoadGauge(capacity: 64)
        let engine = try TextEngine(
            loaded, shards: shards, options: .init(cachePositions: 4_096), on: device, gauge: gauge)
        let service = TextModelService(
            TextRevision(
                name: name, numericsID: numericsID, tokenizerHash: loaded.tokenizer.hash, engine: engine))
        textServer = RPCServer(
            service.description(capacity: 64), services: [service],
            transports: [network.server("text")], gauge: gauge)
        try textServer.start()
        text = try RPCClient(
            target: "text", resolver: StaticResolver(addresses: ["text"]), transport: network.client)
    }

    deinit {
        textServer.stop()
        for server in replicas.joined() { server.stop() }
    }

    /// Tokens by choice; `observe` sees how many have come.
    func generate(
        _ request: Wire.GenerateRequest, observe: @Sendable (Int) -> Void = { _ in }
    ) async throws -> [UInt32: [Int32]] {
        var tokens: [UInt32: [Int32]] = [:]
        var count = 0
        let stream = try await text.stream(Wire.TextModel.generate, request, CallOptions(timeout: .seconds(120)))
        while let reply = try await stream.next() {
            tokens[reply.message.choice, default: []] += reply.message.tokens
            count += 1
            observe(count)
        }
        return tokens
    }
}

private func request(_ name: String, _ index: Int, maxTokens: UInt32 = 40) -> Wire.GenerateRequest {
    let prompt = (0..<Int32(index % 5 * 23 + 2)).map { ($0 * 31 + Int32(index)) % 250 }
    var request = Wire.GenerateRequest(model: name, prompt: prompt, maxTokens: maxTokens, seed: UInt64(index))
    request.n = index % 3 == 1 ? 2 : 1
    request.ignoresEndOfText = true
    return request
}

/// What the whole model answers.
private func whole(_ name: String, _ messages: [Wire.GenerateRequest]) throws -> [[UInt32: [Int32]]] {
    let loaded = try LoadedModel(directory: goldens + "/" + name, on: Device(threadCount: 1))
    return try messages.map { message in
        var engine = try EngineCore(loaded, options: .init(cachePositions: 4_096), on: Device(threadCount: 1))
        _ = try engine.add(
            GenerationRequest(
                prompt: message.prompt, maxTokens: Int(message.maxTokens), n: Int(message.n),
                sampling: SamplingParameters(seed: message.seed), ignoresEndOfText: true, shape: loaded.model.shape))
        var tokens: [UInt32: [Int32]] = [:]
        while !engine.isIdle {
            for delta in try engine.step() {
                tokens[UInt32(delta.choice), default: []] += [delta.token].compactMap { $0 }
            }
        }
        return tokens
    }
}

@Suite(.timeLimit(.minutes(5)), .serialized) struct ShardServiceTests {
    @Test func `embeddings of a model in shards are those of the whole one, with a replica gone too`() async throws {
        let fleet = try await CutFleet("llama", cuts: [0..<1, 1..<2], replicas: 2)
        let inputs: [[Int32]] = (0..<20).map { input in (0..<Int32(1 + input * 9)).map { ($0 * 31 + 7) % 250 } }
        let loaded = try LoadedModel(directory: goldens + "/llama", on: Device(threadCount: 1))
        var engine = try EngineCore(loaded, options: .init(cachePositions: 4_096), on: Device(threadCount: 1))
        let ids = try inputs.map { try engine.add(.embedding(of: $0, shape: loaded.model.shape)) }
        var found: [UInt64: [Float]] = [:]
        while !engine.isIdle {
            for delta in try engine.step() { found[delta.request] = UnitVector.scaling(delta.embedding) }
        }
        func embed() async throws -> [[Float]?] {
            let reply = try await fleet.text.call(
                Wire.TextModel.embed, Wire.EmbedRequest(model: "llama", inputs: inputs),
                CallOptions(timeout: .seconds(120)))
            return try reply.message.embeddings(reply.attachments, inputs: inputs.count)
        }
        #expect(try await embed() == ids.map { found[$0] })
        fleet.replicas[0][0].stop()
        #expect(try await embed() == ids.map { found[$0] })
    }

    @Test(arguments: [("llama", [0..<1, 1..<2]), ("qwen2-sliding", [0..<1, 1..<2, 2..<3])])
    func `callers of a model in shards get over the bus what the whole model answers`(
        name: String, cuts: [Range<Int>]
    ) async throws {
        let fleet = try await CutFleet(name, cuts: cuts)
        let messages = (0..<12).map { request(name, $0) }
        let answers = try await withThrowingTaskGroup(of: (Int, [UInt32: [Int32]]).self) { group in
            for (index, message) in messages.enumerated() {
                group.addTask { (index, try await fleet.generate(message)) }
            }
            return try await group.reduce(into: [Int: [UInt32: [Int32]]]()) { $0[$1.0] = $1.1 }
        }
        for (index, expected) in try whole(name, messages).enumerated() { #expect(answers[index] == expected) }
        #expect(fleet.textServer.description.layers == cuts[0])
        #expect(fleet.textServer.description.shardCount == cuts.count)
        #expect(fleet.replicas.last?.last?.description.layers == cuts.last)
        // What has ended is released.
        for counts in fleet.counts {
            while counts.reduce(0, { $0 + $1[Wire.TextShard.release.path] }) == 0 { await Task.yield() }
        }
    }

    @Test(arguments: [("llama", [0..<1, 1..<2]), ("qwen2-sliding", [0..<1, 1..<2, 2..<3])])
    func `a later shard that dies in mid-generation costs nothing, and the answers are the same`(
        name: String, cuts: [Range<Int>]
    ) async throws {
        let fleet = try await CutFleet(name, cuts: cuts, replicas: 2)
        let messages = (0..<8).map { request(name, $0, maxTokens: 100) }
        let answers = try await withThrowingTaskGroup(of: (Int, [UInt32: [Int32]]).self) { group in
            for (index, message) in messages.enumerated() {
                group.addTask {
                    let tokens = try await fleet.generate(message) { count in
                        guard index == 0, count == 20 else { return }
                        // One of each shard's replicas: groups are spread over both, so some sequences were there.
                        for replicas in fleet.replicas { replicas[0].stop() }
                    }
                    return (index, tokens)
                }
            }
            return try await group.reduce(into: [Int: [UInt32: [Int32]]]()) { $0[$1.0] = $1.1 }
        }
        #expect(fleet.replicas.allSatisfy { $0[0].peerCount == 0 && $0[1].peerCount > 0 })
        for (index, expected) in try whole(name, messages).enumerated() { #expect(answers[index] == expected) }
        for counts in fleet.counts { #expect(counts.allSatisfy { $0[Wire.TextShard.forward.path] > 0 }) }
    }

    @Test func `a caller that leaves a model in shards frees its place, and one without a shard waits`() async throws {
        let fleet = try await CutFleet("llama", cuts: [0..<1, 1..<2])
        do {
            let stream = try await fleet.text.stream(
                Wire.TextModel.generate, request("llama", 0, maxTokens: 400))
            _ = try await stream.next()
            fleet.replicas[0][0].stop()
            // The only replica is gone: nothing comes until the deadline, and the call ends by it alone.
            var late = request("llama", 2)
            late.maxTokens = 3
            let error = await rpcError {
                let waiting = try await fleet.text.stream(
                    // Long enough to be let in, however slow the machine's steps are.
                    Wire.TextModel.generate, late, CallOptions(timeout: .seconds(3)))
                while try await waiting.next() != nil {}
            }
            #expect(error?.code == .deadlineExceeded)
            stream.cancel()
        }
        while fleet.textServer.load.outstanding > 0 { await Task.yield() }
    }

    @Test func `absurd calls of a shard are refused, and it lives`() async throws {
        let fleet = try await CutFleet("llama", cuts: [0..<1, 1..<2])
        let client = try RPCClient(
            target: "shard", resolver: StaticResolver(addresses: ["shard-0-0"]), transport: fleet.network.client)
        let width = try TextModelLoader.load(directory: goldens + "/llama", on: Device(threadCount: 1)).shape.hidden
        func code(
            rows: Int, attachments: Int = 1, floats: Float = 0, copies: Int = 1,
            _ change: (inout Wire.ShardRows) -> Void
        ) async -> RPCError.Code? {
            var part = Wire.ShardRows(sequence: 1, start: 0, count: 2, outputs: 1, tokens: [1, 2])
            change(&part)
            let bytes = [Float](repeating: floats, count: rows * width).flatMap { value in
                (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt32($0))) }
            }
            var options = CallOptions(timeout: .seconds(60))
            options.attachments = Array(repeating: Attachment(bytes), count: attachments)
            let message = Wire.ForwardRequest(owner: "stranger", sequences: Array(repeating: part, count: copies))
            return await rpcError { try await client.call(Wire.TextShard.forward, message, options) }?.code
        }
        #expect(await code(rows: 2) { _ in } == nil)
        #expect(await code(rows: 3) { _ in } == .invalidArgument)
        #expect(await code(rows: 2, attachments: 0) { _ in } == .invalidArgument)
        #expect(await code(rows: 2, attachments: 2) { _ in } == .invalidArgument)
        #expect(await code(rows: 4, copies: 2) { _ in } == .invalidArgument)
        #expect(await code(rows: 0, copies: 0) { _ in } == .invalidArgument)
        #expect(await code(rows: 0) { $0.count = 0 } == .invalidArgument)
        #expect(await code(rows: 2) { $0.count = .max } == .invalidArgument)
        #expect(await code(rows: 2) { $0.start = .max } == .invalidArgument)
        #expect(await code(rows: 2) { ($0.start, $0.count) = (511, 2) } == .invalidArgument)
        #expect(await code(rows: 2) { $0.outputs = 3 } == .invalidArgument)
        #expect(await code(rows: 2) { $0.tokens = [1] } == .invalidArgument)
        #expect(await code(rows: 2) { $0.tokens = [1, -1] } == .invalidArgument)
        #expect(await code(rows: 2) { $0.tokens = [1, .max] } == .invalidArgument)
        #expect(await code(rows: 2) { $0.root = String(repeating: "r", count: 2_000) } == .invalidArgument)
        for floats in [Float.nan, .infinity, .greatestFiniteMagnitude] {
            #expect(await code(rows: 2, floats: floats) { $0.sequence = 2 } == nil)
        }
        #expect(
            await rpcError { try await client.call(Wire.TextShard.release, .init(owner: "", sequences: [7])) } == nil)
        let message = request("llama", 4)
        #expect(try await fleet.generate(message) == whole("llama", [message])[0])
    }

    @Test func `shards that do not make a whole model are refused by their layers`() async throws {
        let error = await rpcError { try await CutFleet("qwen2-sliding", cuts: [0..<1, 2..<3]) }
        #expect(error?.code == .failedPrecondition && error?.message.contains("layer 1") == true)
        let short = await rpcError { try await CutFleet("qwen2-sliding", cuts: [0..<1, 1..<2]) }
        #expect(short?.code == .failedPrecondition && short?.message.contains("layer 1") == true)
    }
}

/// The error that `body` throws.
private func rpcError<Value>(_ body: () async throws -> Value) async -> RPCError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? RPCError
    }
}
