import Foundation
import Messages
import RPC
import Synchronization
import Testing
import TokenizerService
import Tokenizers

private let goldens = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("TextModelsTests/Goldens").path

/// One model's fault is not the others', and what one kind of request needs refuses no other kind.
@Suite(.timeLimit(.minutes(10))) struct TokenizerFaultTests {
    private struct Served {
        let server: RPCServer
        let client: RPCClient

        init(_ service: TokenizerService) throws {
            let network = try InProcessNetwork()
            server = RPCServer(
                service.description(capacity: 4), services: [service], transports: [network.server("tokenizer")])
            service.keepDescribed(by: server)
            try server.start()
            client = try RPCClient(
                target: "tokenizer", resolver: StaticResolver(addresses: ["tokenizer"]), transport: network.client)
        }

        func encode(_ model: String) async throws -> [Int32] {
            let request = Wire.EncodeRequest(model: model, text: "hi", addSpecialTokens: false)
            return try await client.call(Wire.Tokenizer.encode, request, CallOptions(timeout: .seconds(30))).message
                .ids
        }

        func chat(_ model: String) async throws -> [Int32] {
            let request = Wire.RenderChatRequest(
                model: model, messages: [Wire.ChatMessage(role: "user", content: "hi")])
            return try await client.call(Wire.Tokenizer.renderChat, request, CallOptions(timeout: .seconds(30)))
                .message.ids
        }
    }

    /// Whether `body` is refused with this code, in words that hold `says`.
    private func isRefused(
        _ code: RPCError.Code, _ says: [String], _ body: () async throws -> Void
    ) async -> Bool {
        do {
            try await body()
            return false
        } catch {
            guard let error = error as? RPCError else { return false }
            return error.code == code && says.allSatisfy { error.message.contains($0) }
        }
    }

    @Test func `a model without a tokenizer is refused by its fault until a reload mends it`() async throws {
        let good = try Tokenizer(directory: goldens + "/llama")
        let isMended = Mutex(false)
        let served = try Served(
            TokenizerService(
                tokenizers: ["good": good], faults: ["bad": TokenizerError(.unreadable, "no tokenizer.json")]
            ) { _ in
                guard isMended.withLock({ $0 }) else { throw TokenizerError(.unreadable, "still no tokenizer.json") }
                return try Tokenizer(directory: goldens + "/gpt2")
            })
        defer { served.server.stop() }
        #expect(try await !served.encode("good").isEmpty)
        #expect(
            await isRefused(.failedPrecondition, ["bad", "no tokenizer.json"]) { _ = try await served.encode("bad") })
        let reload = Wire.ReloadRequest(model: "bad")
        func load() async throws {
            _ = try await served.client.call(Wire.Revisions.reload, reload, CallOptions(timeout: .seconds(30)))
        }
        #expect(await isRefused(.failedPrecondition, ["still"]) { try await load() })
        isMended.withLock { $0 = true }
        try await load()
        #expect(try await !served.encode("bad").isEmpty)
        #expect(try await !served.encode("good").isEmpty)
    }

    @Test func `a template that is not understood refuses chats by model, file and line`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: URL(fileURLWithPath: goldens + "/llama"), to: folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        let template = Data("\n{% include 'x' %}".utf8)
        try template.write(to: folder.appendingPathComponent("chat_template.jinja"))
        let served = try Served(TokenizerService(tokenizers: ["odd": try Tokenizer(directory: folder.path)]))
        defer { served.server.stop() }
        #expect(try await !served.encode("odd").isEmpty)
        let says = ["odd", "chat_template.jinja", "line 2", "include"]
        #expect(await isRefused(.unimplemented, says) { _ = try await served.chat("odd") })
    }
}
