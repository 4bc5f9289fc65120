import Foundation
import Messages
import RPC
import Tensors
import Testing
import TextGeneration
import TextModelService
import TextModels
import TokenizerService
import Tokenizers
import ZeroMQTransport

private let llama = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("TextModelsTests/Goldens/llama").path

/// A tokenizer and a text-model, each a server of its own over ipc.
private final class Fleet: Sendable {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString).path
    let textServer: RPCServer
    let tokenizerServer: RPCServer
    let text: RPCClient
    let tokenizer: RPCClient
    let loaded: LoadedModel

    init() throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let device = Device(threadCount: 2)
        loaded = try LoadedModel(directory: llama, on: device)
        let gauge = LoadGauge(capacity: 64)
        let engine = try TextEngine(loaded, options: .init(cachePositions: 4_096), on: device, gauge: gauge)
        let id = try NumericsID.compute(directory: llama, tokenizerHash: loaded.tokenizer.hash)
        let service = TextModelService(
            TextRevision(
                name: "llama", numericsID: id, tokenizerHash: loaded.tokenizer.hash, engine: engine))
        let transport = try ZeroMQTransport.shared()
        textServer = RPCServer(
            service.description(capacity: 64), services: [service],
            transports: [transport.server("ipc://\(directory)/text-model-1.sock")], gauge: gauge)
        let tokenizers = TokenizerService(tokenizers: ["llama": loaded.tokenizer])
        tokenizerServer = RPCServer(
            tokenizers.description(capacity: 64), services: [tokenizers],
            transports: [transport.server("ipc://\(directory)/tokenizer-1.sock")])
        try textServer.start()
        try tokenizerServer.start()
        text = try RPCClient(target: "ipc://\(directory)/text-model-*.sock")
        tokenizer = try RPCClient(target: "ipc://\(directory)/tokenizer-*.sock")
    }

    deinit {
        textServer.stop()
        tokenizerServer.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    func generate(_ request: Wire.GenerateRequest) async throws -> [Wire.GenerateDelta] {
        var deltas: [Wire.GenerateDelta] = []
        let stream = try await text.stream(Wire.TextModel.generate, request, CallOptions(timeout: .seconds(120)))
        while let reply = try await stream.next() { deltas.append(reply.message) }
        return deltas
    }
}

@Suite(.timeLimit(.minutes(5)), .serialized) struct TextModelServiceTests {
    @Test func `a prompt goes through tokenizer and text-model over the bus as it does through the engine`()
        async throws
    {
        let fleet = try Fleet()
        let tokens = try await fleet.tokenizer.call(
            Wire.Tokenizer.encode, Wire.EncodeRequest(model: "llama", text: "Hello, 世界", addSpecialTokens: true)
        ).message
        #expect(tokens.ids == fleet.loaded.tokenizer.encode("Hello, 世界", addSpecialTokens: true))
        var request = Wire.GenerateRequest(model: "llama", prompt: tokens.ids, maxTokens: 30, seed: 11)
        request.tokenizerHash = tokens.tokenizerHash
        request.n = 2
        request.logprobs = 3
        let deltas = try await fleet.generate(request)

        var engine = try EngineCore(fleet.loaded, options: .init(cachePositions: 1_024), on: Device(threadCount: 1))
        _ = try engine.add(
            GenerationRequest(
                prompt: tokens.ids, maxTokens: 30, n: 2, sampling: SamplingParameters(seed: 11), logProbabilities: 3,
                shape: fleet.loaded.model.shape))
        var expected: [[Int32]] = [[], []]
        while !engine.isIdle { for delta in try engine.step() { expected[delta.choice].append(delta.token ?? -1) } }
        for choice in 0..<2 {
            let mine = deltas.filter { $0.choice == UInt32(choice) }
            #expect(mine.flatMap(\.tokens) == expected[choice])
            #expect(mine.last?.finishReason == "length")
            #expect(mine.allSatisfy { $0.logprob?.alternatives.count == 3 })
            let decoded = try await fleet.tokenizer.call(
                Wire.Tokenizer.decode, Wire.DecodeRequest(model: "llama", ids: expected[choice])
            ).message
            #expect(Array(decoded.text.utf8) == Array(mine.map { $0.text }.joined().utf8))
        }
    }

    @Test func `a patient caller gets the same tokens in fewer messages, the first of each choice at once`()
        async throws
    {
        let fleet = try Fleet()
        var request = Wire.GenerateRequest(model: "llama", prompt: [72, 101, 108], maxTokens: 60, seed: 5)
        (request.n, request.ignoresEndOfText) = (3, true)
        func choices(_ deltas: [Wire.GenerateDelta]) -> [[Wire.GenerateDelta]] {
            (0..<3).map { choice in deltas.filter { $0.choice == choice } }
        }
        let single = choices(try await fleet.generate(request))
        #expect(single.allSatisfy { $0.allSatisfy { $0.tokens.count == 1 } })
        // Longer than all of it takes, unless the machine stands still; then there are more messages.
        request.batchingDelay = .milliseconds(1_000)
        let joined = choices(try await fleet.generate(request))
        for (one, other) in zip(single, joined) {
            #expect(other.flatMap(\.tokens) == one.flatMap(\.tokens))
            #expect(other.flatMap { Array($0.text.utf8) } == one.flatMap { Array($0.text.utf8) })
            #expect(other.first?.tokens.count == 1 && other.count < one.count)
            #expect(other.last?.finishReason == "length" && other.dropLast().allSatisfy { $0.finishReason.isEmpty })
            var (tokens, bytes) = (0, 0)
            for delta in other {
                #expect(Int(delta.index ?? 0) == tokens && delta.textOffset == bytes)
                tokens += delta.tokens.count
                bytes += delta.text.utf8.count
            }
        }
        // Each log-probability comes with its token.
        request.logprobs = 0
        let told = choices(try await fleet.generate(request))
        #expect(told.allSatisfy { $0.count == 60 && $0.allSatisfy { $0.tokens.count == 1 && $0.logprob != nil } })
    }

    @Test func `what a request gets wrong is an error that names it`() async throws {
        let fleet = try Fleet()
        func code(_ change: (inout Wire.GenerateRequest) -> Void) async -> (RPCError.Code, String)? {
            var request = Wire.GenerateRequest(model: "llama", prompt: [1, 2, 3], maxTokens: 5, seed: 1)
            change(&request)
            do {
                _ = try await fleet.generate(request)
                return nil
            } catch {
                return (error as? RPCError).map { ($0.code, $0.field) }
            }
        }
        #expect(await code { $0.model = "other" } ?? (.unknown, "") == (.notFound, "model"))
        #expect(await code { $0.temperature = -1 } ?? (.unknown, "") == (.invalidArgument, "temperature"))
        #expect(await code { $0.n = 0 } ?? (.unknown, "") == (.invalidArgument, "n"))
        #expect(await code { $0.maxTokens = 100_000 } ?? (.unknown, "") == (.outOfRange, "prompt"))
        #expect(await code { $0.prompt = [-5] } ?? (.unknown, "") == (.invalidArgument, "prompt"))
        #expect(await code { $0.tokenizerHash = "ff" }?.0 == .failedPrecondition)
        #expect(await code { $0.resume = [.init(choice: 3)] } ?? (.unknown, "") == (.invalidArgument, "resume"))
        #expect(
            await code { $0.resume = [.init(choice: .max, ids: [999])] } ?? (.unknown, "")
                == (.invalidArgument, "resume"))
        #expect(
            await code { $0.resume = [.init(choice: 0, ids: [72], textBytes: .max)] } ?? (.unknown, "")
                == (.failedPrecondition, "resume"))
        for (bytes, share, delta, width) in [
            (15, 1, 1, 1), (16, 0, 1, 1), (16, 65_536, 1, 1), (16, 1, -.infinity, 1), (16, 1, .nan, 1), (16, 1, 1, 0),
            (16, 1, 1, .max),
        ] as [(Int, UInt32, Float, UInt32)] {
            let key = [UInt8](repeating: 1, count: bytes)
            #expect(
                await code {
                    $0.greenList = Wire.GreenList(key: key, share: share, delta: delta, contextWidth: width)
                } ?? (.unknown, "") == (.invalidArgument, "green_list"))
        }
        #expect(await code { _ in } == nil)
    }

    @Test func `a call that is made again brings the rest, and one that was done ends at once`() async throws {
        let fleet = try Fleet()
        var request = Wire.GenerateRequest(model: "llama", prompt: [1, 2, 3], maxTokens: 20, seed: 1)
        (request.n, request.ignoresEndOfText, request.logprobs) = (2, true, 1)
        let whole = try await fleet.generate(request)
        let mine = whole.filter { $0.choice == 1 }
        request.resume = [
            .init(choice: 0, isFinished: true),
            .init(
                choice: 1, ids: mine.prefix(7).flatMap(\.tokens),
                textBytes: mine.prefix(7).reduce(0) { $0 + $1.text.utf8.count }, logprobs: 7),
        ]
        request.crashesWithoutProgress = 1
        let rest = try await fleet.generate(request)
        #expect(rest.first?.isStart == true && Array(rest.dropFirst()) == Array(mine.dropFirst(7)))
        request.resume = [.init(choice: 0, isFinished: true), .init(choice: 1, isFinished: true)]
        #expect(try await fleet.generate(request).isEmpty)
        #expect(fleet.textServer.load.outstanding == 0)
    }

    @Test func `a caller that leaves frees its place`() async throws {
        let fleet = try Fleet()
        var request = Wire.GenerateRequest(model: "llama", prompt: [1, 2, 3], maxTokens: 500, seed: 1)
        request.ignoresEndOfText = true
        do {
            let stream = try await fleet.text.stream(Wire.TextModel.generate, request)
            _ = try await stream.next()
            stream.cancel()
        }
        // Nothing is outstanding once the engine has noticed; the suite's limit guards against a hang.
        while fleet.textServer.load.outstanding > 0 { await Task.yield() }
        #expect(
            try await fleet.generate(Wire.GenerateRequest(model: "llama", prompt: [9], maxTokens: 3, seed: 2)).count
                >= 1)
    }

    @Test func `forty callers at once each get what they would get alone`() async throws {
        let fleet = try Fleet()
        func one(_ index: Int) async throws -> [Int32] {
            let prompt = (0..<Int32(index % 7 + 2)).map { ($0 * 31 + Int32(index)) % 256 }
            return try await fleet.generate(
                Wire.GenerateRequest(model: "llama", prompt: prompt, maxTokens: 20, seed: UInt64(index))
            )
            .flatMap(\.tokens)
        }
        let together = try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
            for index in 0..<40 { group.addTask { (index, try await one(index)) } }
            return try await group.reduce(into: [Int: [Int32]]()) { $0[$1.0] = $1.1 }
        }
        for index in 0..<40 { #expect(try await one(index) == together[index]) }
    }
}
