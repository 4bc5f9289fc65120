import Foundation
import Messages
import RPC
import Synchronization
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(5)), .serialized) struct EmbeddingTests {
    private func embeddings(_ answer: WholeGatewayClient.Answer) throws -> [[Double]] {
        #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
        let data = try #require(try json(answer.body)["data"] as? [[String: Any]])
        #expect(data.map { $0["index"] as? Int } == Array(0..<data.count))
        #expect(data.allSatisfy { $0["object"] as? String == "embedding" })
        return try data.map { try #require($0["embedding"] as? [Double]) }
    }

    /// f32 in little-endian.
    private func floats(_ bytes: Data) -> [Float] {
        stride(from: 0, to: bytes.count - 3, by: 4).map { start in
            var word: UInt32 = 0
            for place in 0..<4 { word |= UInt32(bytes[start + place]) << UInt32(8 * place) }
            return Float(bitPattern: word)
        }
    }

    @Test func `a text, texts and token ids are embedded, as numbers and as base64`() async throws {
        try await withWholeGateway { client in
            let path = "/v1/embeddings"
            let many = try await post(client, path, #"{"model":"llama","input":["Hello 世界","moon"]}"#)
            let both = try embeddings(many)
            let body = try json(many.body)
            #expect(body["object"] as? String == "list" && body["model"] as? String == "llama")
            #expect(both.count == 2 && both.allSatisfy { $0.count == 48 } && both[0] != both[1])
            for vector in both { #expect(abs(vector.reduce(0) { $0 + $1 * $1 } - 1) < 1e-6) }
            let one = try await post(client, path, #"{"model":"llama","input":"Hello 世界","encoding_format":"float"}"#)
            #expect(try embeddings(one) == [both[0]])
            let there = try json(try await post(client, "/tokenize", #"{"model":"llama","prompt":"Hello 世界"}"#).body)
            let ids = try #require(there["tokens"] as? [Int])
            #expect(try embeddings(await post(client, path, #"{"model":"llama","input":\#(ids)}"#)) == [both[0]])
            let lists = try await post(client, path, #"{"model":"llama","input":[\#(ids),[1],\#(ids)]}"#)
            let three = try embeddings(lists)
            #expect(three.count == 3 && three[0] == both[0] && three[2] == both[0] && three[1] != both[0])
            let usage = try #require(try json(lists.body)["usage"] as? [String: Int])
            #expect(usage == ["prompt_tokens": 2 * ids.count + 1, "total_tokens": 2 * ids.count + 1])

            let coded = try await post(
                client, path, #"{"model":"llama","input":["Hello 世界","moon"],"encoding_format":"base64"}"#)
            let texts = try #require(try json(coded.body)["data"] as? [[String: Any]])
            for (item, vector) in zip(texts, both) {
                let bytes = try #require((item["embedding"] as? String).flatMap { Data(base64Encoded: $0) })
                #expect(floats(bytes) == vector.map { Float($0) })
            }
            // A text of which a part is read is another text.
            let cut = try embeddings(
                await post(client, path, #"{"model":"llama","input":"Hello 世界","truncate_prompt_tokens":3}"#))
            let part = try embeddings(await post(client, path, #"{"model":"llama","input":\#(Array(ids.prefix(3)))}"#))
            #expect(cut == part && cut != [both[0]])
            let long = String(repeating: "x ", count: 600)
            let most = try await post(
                client, path, #"{"model":"llama","input":"\#(long)","truncate_prompt_tokens":-1}"#)
            #expect(most.status == 200)
        }
    }

    @Test func `texts of many calls are embedded in their order`() async throws {
        try await withWholeGateway { client in
            let inputs = (0..<300).map { "[\($0 % 250),\($0 / 250)]" }
            let all = try embeddings(
                await post(client, "/v1/embeddings", #"{"model":"llama","input":[\#(inputs.joined(separator: ","))]}"#))
            #expect(all.count == 300)
            for index in [0, 63, 64, 299] {
                let alone = try await post(client, "/v1/embeddings", #"{"model":"llama","input":\#(inputs[index])}"#)
                #expect(try embeddings(alone) == [all[index]])
            }
        }
    }

    @Test(
        arguments: [
            (#"{"model":"llama"}"#, 400, "input", nil), (#"{"input":"x"}"#, 400, "model", nil),
            (#"{"model":"llama","input":[]}"#, 400, "input", nil),
            (#"{"model":"llama","input":""}"#, 400, "input", nil),
            (#"{"model":"llama","input":["a",""]}"#, 400, "input", nil),
            (#"{"model":"llama","input":[[1],[]]}"#, 400, "input", nil),
            (#"{"model":"llama","input":5}"#, 400, "input", nil),
            (#"{"model":"llama","input":[1,300]}"#, 400, "input", nil),
            (#"{"model":"llama","input":[99999999999]}"#, 400, "input[0]", nil),
            (#"{"model":"llama","input":[1,"a"]}"#, 400, "input[1]", nil),
            (#"{"model":"llama","input":"x","encoding_format":"int8"}"#, 400, "encoding_format", nil),
            (#"{"model":"llama","input":"x","dimensions":0}"#, 400, "dimensions", nil),
            (#"{"model":"llama","input":"x","dimensions":-3}"#, 400, "dimensions", nil),
            (#"{"model":"llama","input":"x","dimensions":49}"#, 400, "dimensions", nil),
            (#"{"model":"llama","input":"x","dimensions":8}"#, 400, "dimensions", nil),
            (#"{"model":"llama","input":"x","prompt_name":"query"}"#, 400, "prompt_name", nil),
            (#"{"model":"llama","input":"x","input_type":"search_query"}"#, 400, "input_type", nil),
            (#"{"model":"llama","input":[1],"truncate_prompt_tokens":0}"#, 400, "truncate_prompt_tokens", nil),
            (#"{"model":"llama","input":"x","truncate_prompt_tokens":600}"#, 400, "truncate_prompt_tokens", nil),
            (#"{"model":"tiny","input":"x"}"#, 400, "model", nil),
            (#"{"model":"gpt-9","input":"x"}"#, 404, "model", "model_not_found"),
            (
                #"{"model":"llama","input":["a","\#(String(repeating: "x ", count: 600))"]}"#, 400, "input",
                "context_length_exceeded"
            ),
            (
                #"{"model":"llama","input":[\#(Array(repeating: "[1]", count: 2_049).joined(separator: ","))]}"#, 400,
                "input", nil
            ),
        ] as [(String, Int, String, String?)])
    func `a bad request gets an error that names the field`(
        body: String, status: Int, parameter: String, code: String?
    ) async throws {
        try await withWholeGateway { client in
            let reply = try await post(client, "/v1/embeddings", body)
            #expect(reply.status == status)
            let error = try #require(try json(reply.body)["error"] as? [String: Any])
            #expect(error["param"] as? String == parameter && error["code"] as? String == code, "\(error)")
        }
    }

    @Test func `texts pass the filter, as ids too, and the request is counted`() async throws {
        let policy = """
            rules:
              - {name: z, categories: [test], action: block}
              - {name: q, categories: [other], action: redact, replacement: "#"}
            phrases:
              - {category: test, phrases: [zebra]}
              - {category: other, phrases: [quagga]}
            """
        try await withWholeGateway(filter: policy) { client in
            let path = "/v1/embeddings"
            let zebra = Array("a zebra".utf8)
            let there = try json(
                try await post(
                    client, "/tokenize", #"{"model":"llama","prompt":"\#(String(decoding: zebra, as: UTF8.self))"}"#
                )
                .body)
            for input in [#"["fine","a zebra"]"#, "\(try #require(there["tokens"] as? [Int]))"] {
                let reply = try await post(client, path, #"{"model":"llama","input":\#(input)}"#)
                let error = try #require(try json(reply.body)["error"] as? [String: Any])
                #expect(reply.status == 400 && error["code"] as? String == "content_policy_violation")
                #expect(error["param"] as? String == "input")
            }
            let redacted = try embeddings(await post(client, path, #"{"model":"llama","input":["a quagga","a #"]}"#))
            #expect(redacted[0] == redacted[1])
            let text = String(
                decoding: try await client.execute(uri: "/metrics", method: "GET").body, as: UTF8.self)
            #expect(text.contains(#"endpoint="/v1/embeddings",route="",status="400""#))
            #expect(text.contains(#"endpoint="/v1/embeddings",route="",status="200""#))
        }
    }

    @Test func `aliases hold for embeddings, and no fallback answers with another model's`() async throws {
        let routes = """
            aliases: {text-embedding-3-small: llama}
            routes:
              - {name: gone, when: {model: gone, kind: embedding}, to: nowhere, fallback: [llama]}
            """
        try await withWholeGateway(routes: routes) { client in
            let path = "/v1/embeddings"
            let named = try await post(client, path, #"{"model":"text-embedding-3-small","input":"x"}"#)
            let answered = try json(named.body)["model"] as? String
            #expect(named.status == 200 && answered == "llama")
            #expect(try await post(client, path, #"{"model":"auto","input":"x"}"#).status == 200)
            #expect(try await post(client, path, #"{"model":"gone","input":"x"}"#).status == 404)
        }
    }
}

/// Instances that come and go under embeddings; what they answer is made up.
@Suite(.timeLimit(.minutes(10))) struct EmbeddingLossTests {
    private enum Turn: Sendable { case serve, die, refuse }

    private final class Script: Sendable {
        private let state: Mutex<(turns: [Turn], calls: [Wire.EmbedRequest])>
        init(_ turns: [Turn]) { state = Mutex((turns, [])) }
        var calls: [Wire.EmbedRequest] { state.withLock { $0.calls } }
        func next(_ call: Wire.EmbedRequest) -> Turn {
            state.withLock { state in
                state.calls.append(call)
                return state.turns.isEmpty ? .serve : state.turns.removeFirst()
            }
        }
    }

    private struct Service: RPCService {
        let script: Script
        let die: @Sendable () -> Void

        func register(with router: inout RPCRouter) {
            router.unary(Wire.TextModel.embed) { request, _ in
                switch script.next(request.message) {
                case .serve: break
                case .die: die()
                case .refuse: throw RPCError(.resourceExhausted, "full", retryAfter: .seconds(3), notStarted: true)
                }
                return ServerReply(
                    Wire.EmbedReply(width: 1),
                    attachments: [Attachment(floats: request.message.inputs.map { [Float($0[0])] })])
            }
        }
    }

    private final class Servers: Sendable {
        private let servers = Mutex<[String: RPCServer]>([:])
        func add(_ name: String, _ server: RPCServer) { servers.withLock { $0[name] = server } }
        func stop(_ name: String) { servers.withLock { $0.removeValue(forKey: name) }?.stop() }
    }

    private func embed(
        _ inputs: [[Int32]], instances: Int, _ turns: [Turn]
    ) async throws -> (embeddings: [[Float]], error: APIError?, script: Script) {
        let script = Script(turns), servers = Servers(), network = try InProcessNetwork()
        let names = (0..<instances).map { "inproc://\($0)" }
        var model = ModelDescription(name: "llama")
        (model.numericsID, model.modality) = ("same", "text")
        for name in names {
            var description = ServiceDescription(service: "text-model")
            description.models = [model]
            let server = RPCServer(
                description, services: [Service(script: script) { servers.stop(name) }],
                transports: [network.server(name)])
            try server.start()
            servers.add(name, server)
        }
        let client = try RPCClient(
            target: "text-model", resolver: StaticResolver(addresses: names), transport: network.client)
        try await client.waitUntil { $0.count == names.count }
        defer {
            client.close()
            for name in names { servers.stop(name) }
        }
        do {
            let embeddings = try await Fleet(textModel: client).embed(
                Wire.EmbedRequest(model: "llama", inputs: inputs), model: model, until: .now + .seconds(30))
            return (embeddings, nil, script)
        } catch let error as APIError {
            return ([], error, script)
        }
    }

    @Test func `a call that is lost is made again elsewhere, and what was received is not asked for again`()
        async throws
    {
        let inputs = (0..<130).map { [Int32($0)] }
        let (embeddings, error, script) = try await embed(inputs, instances: 3, [.serve, .die, .die])
        #expect(error == nil && embeddings == inputs.map { [Float($0[0])] })
        #expect(script.calls.map { $0.inputs.count } == [64, 64, 64, 64, 2])
        #expect(script.calls.map(\.crashesWithoutProgress) == [0, 0, 1, 1, 0])
    }

    @Test func `long texts make calls of few`() async throws {
        let inputs = [9_000, 8_000, 192, 1, 5_000].map { [Int32](repeating: 5, count: $0) }
        let (embeddings, _, script) = try await embed(inputs, instances: 1, [])
        #expect(
            embeddings.count == 5
                && script.calls.map { $0.inputs.map(\.count) } == [[9_000], [8_000, 192], [1, 5_000]])
    }

    @Test func `an instance that is full before anything was computed is said at once`() async throws {
        let (_, error, script) = try await embed([[1]], instances: 1, [.refuse])
        #expect(error?.status == .tooManyRequests && error?.retryAfter == 3 && script.calls.count == 1)
    }
}
