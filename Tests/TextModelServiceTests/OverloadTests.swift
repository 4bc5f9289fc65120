import Foundation
import Messages
import RPC
import Tensors
import Testing
import TextGeneration
import TextModelService
import TextModels

private let llama = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("TextModelsTests/Goldens/llama").path

@Suite(.timeLimit(.minutes(10))) struct OverloadTests {
    @Test func `a request that would end after its deadline is refused at once, one that has time waits`() async throws
    {
        let device = Device(threadCount: 1), gauge = LoadGauge(capacity: 1), network = try InProcessNetwork()
        let loaded = try LoadedModel(directory: llama, on: device)
        // One after the other, and each of hundreds of tokens.
        var options = EngineCore.Options(cachePositions: 1_024)
        options.sequenceLimit = 1
        let engine = try TextEngine(loaded, options: options, on: device, gauge: gauge)
        let service = TextModelService(
            TextRevision(name: "llama", numericsID: "0", tokenizerHash: loaded.tokenizer.hash, engine: engine))
        let server = RPCServer(
            service.description(capacity: 1), services: [service], transports: [network.server("text")], gauge: gauge)
        try server.start()
        defer { server.stop() }
        let client = try RPCClient(
            target: "text", resolver: StaticResolver(addresses: ["text"]), transport: network.client)

        func generate(_ timeout: Duration) async throws -> Int {
            var request = Wire.GenerateRequest(model: "llama", prompt: [1, 2, 3], maxTokens: 250, seed: 3)
            request.ignoresEndOfText = true
            let stream = try await client.stream(
                Wire.TextModel.generate, request, CallOptions(timeout: timeout))
            var tokens = 0
            while let reply = try await stream.next() { tokens += reply.message.tokens.count }
            return tokens
        }
        // Alone, it is let in whatever is known; from it the engine knows how long answers take.
        #expect(try await generate(.seconds(60)) == 250)
        try await withThrowingTaskGroup(of: Int.self) { group in
            // However slow the machine is, these have time.
            for _ in 0..<20 { group.addTask { try await generate(.seconds(10_000)) } }
            try await client.waitUntil { $0.first?.load.expectedWait != nil }
            let error = await #expect(throws: RPCError.self) { try await generate(.seconds(1)) }
            #expect(error?.code == .resourceExhausted && error?.reason == "too_late", "\(String(describing: error))")
            #expect(error?.notStarted == true && error?.retryAfter != nil)
            for try await tokens in group { #expect(tokens == 250) }
        }
    }
}
