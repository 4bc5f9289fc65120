import Foundation
import FoundationNetworking
import Gateway
import Hummingbird
import RPC
import Tensors
import Testing
import TextModelService
import TextModels
import TokenizerService
import ZeroMQTransport

private let llama = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("TextModelsTests/Goldens/llama").path

/// The services of one model over ipc, and a gateway before them.
private func withGateway(_ body: @Sendable @escaping (Client) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let device = Device(threadCount: 1)
    let loaded = try LoadedModel(directory: llama, on: device)
    let gauge = LoadGauge(capacity: 64)
    let engine = try TextEngine(loaded, options: .init(cachePositions: 4_096), on: device, gauge: gauge)
    let service = TextModelService(name: "llama", tokenizerHash: loaded.tokenizer.hash, engine: engine)
    let tokenizers = TokenizerService(tokenizers: ["llama": loaded.tokenizer])
    let transport = try ZeroMQTransport.shared()
    let textServer = RPCServer(
        service.description(numericsID: "0123456789abcdef", capacity: 64), services: [service],
        transports: [transport.server("ipc://\(directory)/text-model-1.sock")], gauge: gauge)
    let tokenizerServer = RPCServer(
        tokenizers.description(capacity: 64), services: [tokenizers],
        transports: [transport.server("ipc://\(directory)/tokenizer-1.sock")])
    try textServer.start()
    try tokenizerServer.start()
    defer {
        textServer.stop()
        tokenizerServer.stop()
    }
    let text = try RPCClient(target: "ipc://\(directory)/text-model-*.sock")
    let tokenizer = try RPCClient(target: "ipc://\(directory)/tokenizer-*.sock")
    try await text.waitUntil { !$0.isEmpty }
    try await tokenizer.waitUntil { !$0.isEmpty }
    let gateway = Gateway(fleet: Fleet(tokenizer: tokenizer, textModel: text), bodyLimit: 1 << 16)
    let (ports, running) = AsyncStream<Int>.makeStream()
    let application = Application(
        router: gateway.router(), configuration: .init(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { running.yield($0.localAddress?.port ?? 0) })
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await application.run() }
        for await port in ports {
            try await body(Client(port: port))
            break
        }
        group.cancelAll()
    }
}

/// A plain HTTP client of one gateway.
private struct Client: Sendable {
    struct Answer: Sendable {
        var status: Int
        var body: Data
    }

    var port: Int

    func execute(uri: String, method: String, body: Data? = nil) async throws -> Answer {
        var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(uri)")))
        request.httpMethod = method
        request.httpBody = body
        let (data, response) = try await URLSession.shared.data(for: request)
        return Answer(status: (response as? HTTPURLResponse)?.statusCode ?? 0, body: data)
    }
}

private func json(_ data: Data) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
}

private func post(_ client: Client, _ path: String, _ body: String) async throws -> Client.Answer {
    try await client.execute(uri: path, method: "POST", body: Data(body.utf8))
}

@Suite(.timeLimit(.minutes(5))) struct GatewayTests {
    @Test func `a chat is answered whole and as a stream, with the same text`() async throws {
        try await withGateway { client in
            let fields = #""model":"llama","messages":[{"role":"user","content":"你好 hello"}],"max_tokens":20,"seed":3"#
            let whole = try await post(client, "/v1/chat/completions", "{\(fields)}")
            #expect(whole.status == 200)
            let body = try json(whole.body)
            let choice = try #require((body["choices"] as? [[String: Any]])?.first)
            let text = try #require((choice["message"] as? [String: Any])?["content"] as? String)
            #expect(choice["finish_reason"] as? String == "length")
            #expect((body["usage"] as? [String: Any])?["completion_tokens"] as? Int == 20)

            let streamed = try await post(
                client, "/v1/chat/completions",
                "{\(fields),\"stream\":true,\"stream_options\":{\"include_usage\":true}}")
            let events = String(decoding: streamed.body, as: UTF8.self).components(separatedBy: "\n\n").filter {
                !$0.isEmpty
            }
            #expect(events.last == "data: [DONE]")
            var joined = "", reasons: [String] = [], usage = 0
            for event in events.dropLast() {
                let chunk = try json(Data(event.dropFirst(6).utf8))
                #expect(chunk["object"] as? String == "chat.completion.chunk")
                for choice in chunk["choices"] as? [[String: Any]] ?? [] {
                    joined += (choice["delta"] as? [String: Any])?["content"] as? String ?? ""
                    if let reason = choice["finish_reason"] as? String { reasons.append(reason) }
                }
                usage = (chunk["usage"] as? [String: Any])?["completion_tokens"] as? Int ?? usage
            }
            #expect(joined == text && reasons == ["length"] && usage == 20)
        }
    }

    @Test func `models are listed and a completion has its choices`() async throws {
        try await withGateway { client in
            let models = try json(try await client.execute(uri: "/v1/models", method: "GET").body)
            let model = try #require((models["data"] as? [[String: Any]])?.first)
            #expect(model["id"] as? String == "llama" && model["modality"] as? String == "text")
            #expect(model["context_length"] as? Int == 512)
            let reply = try await post(
                client, "/v1/completions", #"{"model":"llama","prompt":"abc","n":3,"max_tokens":5,"stop":"zzz"}"#)
            #expect(try (json(reply.body)["choices"] as? [[String: Any]])?.count == 3)
            #expect(try await client.execute(uri: "/readyz", method: "GET").status == 200)
        }
    }

    @Test(
        arguments: [
            (#"{"#, 400, nil, nil), (#"[]"#, 400, nil, nil), (#"{"model":"llama"}"#, 400, "messages", nil),
            (#"{"model":"llama","messages":[]}"#, 400, "messages", nil),
            (#"{"model":"llama","messages":"hi"}"#, 400, "messages", nil),
            (#"{"model":"gpt-9","messages":[{"role":"user","content":"x"}]}"#, 404, "model", "model_not_found"),
            (
                #"{"model":"llama","messages":[{"role":"user","content":"x"}],"temperature":-1}"#, 400, "temperature",
                nil
            ),
            (
                #"{"model":"llama","messages":[{"role":"user","content":"x"}],"temperature":"hot"}"#, 400,
                "temperature", nil
            ),
            (#"{"model":"llama","messages":[{"role":"user","content":"x"}],"n":0}"#, 400, "n", nil),
            (#"{"model":"llama","messages":[{"role":"user","content":"x"}],"n":-5}"#, 400, "n", nil),
            (#"{"model":"llama","messages":[{"role":"user","content":"x"}],"top_k":-7}"#, 400, "top_k", nil),
            (
                #"{"model":"llama","messages":[{"role":"user","content":"x"}],"max_tokens":5000}"#, 400, "prompt",
                "context_length_exceeded"
            ),
            (
                #"{"model":"llama","messages":[{"role":"user","content":"x"}],"max_tokens":5000,"stream":true}"#, 400,
                "prompt", "context_length_exceeded"
            ),
            (String(repeating: "[", count: 50_000), 400, nil, nil),
            (String(repeating: " ", count: 70_000), 413, nil, "request_too_large"),
        ] as [(String, Int, String?, String?)])
    func `a bad request gets an error object that names the field`(
        body: String, status: Int, parameter: String?, code: String?
    ) async throws {
        try await withGateway { client in
            let reply = try await post(client, "/v1/chat/completions", body)
            #expect(reply.status == status)
            let error = try #require(try json(reply.body)["error"] as? [String: Any])
            #expect(
                (error["message"] as? String)?.isEmpty == false && error["type"] as? String == "invalid_request_error")
            #expect(error["param"] as? String == parameter && error["code"] as? String == code)
        }
    }

    @Test func `bytes that are not UTF-8 and routes that are not there are refused`() async throws {
        try await withGateway { client in
            let bad = try await client.execute(
                uri: "/v1/chat/completions", method: "POST", body: Data([0x7B, 0xFF, 0xFE, 0x7D]))
            #expect(bad.status == 400)
            let missing = try await client.execute(uri: "/v1/nothing", method: "GET")
            #expect(missing.status == 404)
            #expect(try json(missing.body)["error"] != nil)
        }
    }
}
