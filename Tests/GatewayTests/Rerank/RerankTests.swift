import Foundation
import Messages
import RPC
import Tensors
import Testing
import TextGeneration
import TextModelService
import TokenizerService

@testable import Gateway

private let sentences = testsFolder.appendingPathComponent("TextModelsTests/Goldens/sentences").path

private struct Golden: Decodable {
    var query: String
    var documents: [String]
    var scores: [Double]
    var instruction: String?
    var instructed: [Double]?
}

/// Encoders behind a gateway: one that scores pairs, one that reads them as a conversation, one that embeds.
@Suite(.timeLimit(.minutes(5)), .serialized) struct RerankTests {
    private func withGateway(
        filter: String? = nil, _ body: @Sendable @escaping (Int) async throws -> Void
    ) async throws {
        let device = Device(threadCount: 1), network = try InProcessNetwork()
        var servers: [RPCServer] = []
        var tokenizers: [String: Tokenizers] = [:]
        for name in ["sigmoid", "verdict", "dense", "instructed", "qwen3-reranker"] {
            let loaded = try LoadedText(
                directory: sentences + "/" + name, reranker: name == "qwen3-reranker" ? .qwen3 : nil, on: device)
            tokenizers[name] = Tokenizers(loaded: loaded)
            let gauge = LoadGauge(capacity: 64)
            let engine =
                switch loaded {
                case .decoder(let decoder):
                    try TextEngine(decoder, options: .init(cachePositions: 4_096), on: device, gauge: gauge)
                case .encoder(let encoder): try TextEngine(encoder, on: device, gauge: gauge)
                }
            let service = TextModelService(
                TextRevision(name: name, numericsID: name, tokenizerHash: loaded.tokenizer.hash, engine: engine))
            servers.append(
                RPCServer(
                    service.description(capacity: 64), services: [service],
                    transports: [network.server("inproc://" + name)], gauge: gauge))
        }
        let service = TokenizerService(tokenizers: tokenizers.mapValues(\.loaded.tokenizer))
        servers.append(
            RPCServer(
                service.description(capacity: 64), services: [service],
                transports: [network.server("inproc://tokenizer")]))
        for server in servers { try server.start() }
        let text = try RPCClient(
            target: "text", resolver: StaticResolver(addresses: tokenizers.keys.map { "inproc://" + $0 }),
            transport: network.client)
        let tokenizer = try RPCClient(
            target: "tokenizer", resolver: StaticResolver(addresses: ["inproc://tokenizer"]), transport: network.client)
        defer {
            text.close()
            tokenizer.close()
            for server in servers { server.stop() }
        }
        try await text.waitUntil { $0.count == 5 }
        try await tokenizer.waitUntil { !$0.isEmpty }
        let file = TestFile(filter)
        let gateway = Gateway(
            fleet: Fleet(tokenizer: tokenizer, textModel: text), routing: try RoutingSource(file: nil),
            filters: try FilterSet(standard: file.path ?? "off"))
        try await withServed(gateway) { try await body($0) }
    }

    private struct Tokenizers: Sendable { var loaded: LoadedText }

    /// A file that goes with the value.
    private final class TestFile {
        let path: String?
        init(_ text: String?) {
            path = text.map { text in
                let url = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml")
                try? Data(text.utf8).write(to: url)
                return url.path
            }
        }
        deinit { if let path { try? FileManager.default.removeItem(atPath: path) } }
    }

    private func call(_ path: String, _ body: [String: Any], port: Int) async throws -> (Int, [String: Any]) {
        let answer = try await postServed(try JSONSerialization.data(withJSONObject: body), to: path, port: port)
        return (answer.status, try json(Data(answer.body.utf8)))
    }

    private func golden(_ name: String) throws -> Golden {
        try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: URL(fileURLWithPath: "\(sentences)/\(name)/golden.json")))
    }

    @Test(arguments: ["sigmoid", "verdict", "instructed", "qwen3-reranker"])
    func `documents are ranked by CrossEncoder's scores`(
        name: String
    ) async throws {
        let golden = try golden(name)
        try await withGateway { port in
            for path in ["/v1/rerank", "/v2/rerank", "/rerank"] {
                let documents: [Any] = golden.documents.enumerated().map { $0 % 2 == 0 ? $1 : ["text": $1] as Any }
                let (status, body) = try await call(
                    path, ["model": name, "query": golden.query, "documents": documents], port: port)
                #expect(status == 200, "\(body)")
                let results = try #require(body["results"] as? [[String: Any]])
                let scores = results.compactMap { $0["relevance_score"] as? Double }
                #expect(scores.count == golden.documents.count && scores == scores.sorted(by: >))
                for result in results {
                    let index = try #require(result["index"] as? Int)
                    let score = try #require(result["relevance_score"] as? Double)
                    #expect(abs(score - golden.scores[index]) < 1e-4 * (1 + abs(score)))
                    #expect((result["document"] as? [String: String])?["text"] == golden.documents[index])
                }
                let usage = try #require(body["usage"] as? [String: Int])
                #expect(usage["prompt_tokens"] == usage["total_tokens"] && usage["total_tokens"] ?? 0 > 50)
            }
            let (_, two) = try await call(
                "/v1/rerank",
                [
                    "model": name, "query": golden.query, "documents": golden.documents, "top_n": 2,
                    "return_documents": false,
                ], port: port)
            let best = try #require(two["results"] as? [[String: Any]])
            #expect(best.count == 2 && best.allSatisfy { $0["document"] == nil })
            let (_, scored) = try await call(
                "/v1/score", ["model": name, "text_1": golden.query, "text_2": golden.documents], port: port)
            let data = try #require(scored["data"] as? [[String: Any]])
            #expect(data.compactMap { $0["index"] as? Int } == Array(golden.documents.indices))
            for (item, expected) in zip(data, golden.scores) {
                #expect(abs((item["score"] as? Double ?? .nan) - expected) < 1e-4 * (1 + abs(expected)))
            }
            let (_, many) = try await call(
                "/score",
                [
                    "model": name, "text_1": Array(repeating: golden.query, count: golden.documents.count),
                    "text_2": golden.documents,
                ], port: port)
            #expect(
                (many["data"] as? [[String: Any]])?.compactMap { $0["score"] as? Double }
                    == data.compactMap { $0["score"] as? Double })
        }
    }

    @Test func `an instruction is what a reranker judges by, and refused by models without a place for it`()
        async throws
    {
        let golden = try golden("qwen3-reranker"), instruction = try #require(golden.instruction)
        try await withGateway { port in
            let (status, body) = try await call(
                "/v1/score",
                [
                    "model": "qwen3-reranker", "text_1": golden.query, "text_2": golden.documents,
                    "instruction": instruction,
                ], port: port)
            #expect(status == 200, "\(body)")
            let scores = (body["data"] as? [[String: Any]])?.compactMap { $0["score"] as? Double } ?? []
            #expect(scores.count == golden.documents.count)
            for (score, expected) in zip(scores, try #require(golden.instructed)) {
                #expect(abs(score - expected) < 1e-5)
            }
            for (model, value) in [("sigmoid", "x"), ("verdict", "x"), ("dense", "x"), ("instructed", "")] {
                let (status, body) = try await call(
                    "/v1/rerank", ["model": model, "query": "cat", "documents": ["dog"], "instruction": value],
                    port: port)
                let error = body["error"] as? [String: Any]
                #expect(status == 400 && error?["param"] as? String == "instruction", "\(model): \(body)")
            }
        }
    }

    @Test func `a model that embeds compares by cosine, and prompts are written by name`() async throws {
        try await withGateway { port in
            let (status, body) = try await call(
                "/v1/score", ["model": "dense", "text_1": "the cat", "text_2": ["the cat", "a dog ran"]], port: port)
            #expect(status == 200, "\(body)")
            let scores = (body["data"] as? [[String: Any]])?.compactMap { $0["score"] as? Double } ?? []
            #expect(scores.count == 2 && abs(scores[0] - 1) < 1e-6 && scores[1] < 0.9999)
            func vector(_ fields: [String: Any]) async throws -> [Double]? {
                let (status, body) = try await call(
                    "/v1/embeddings", fields.merging(["model": "dense"]) { $1 }, port: port)
                #expect(status == 200, "\(body)")
                return (body["data"] as? [[String: Any]])?.first?["embedding"] as? [Double]
            }
            let plain = try await vector(["input": "cat"])
            #expect(plain?.count == 32)
            #expect(try await vector(["input": "cat", "prompt_name": "query"]) == plain)
            #expect(try await vector(["input": "cat", "input_type": "search_query"]) == plain)
            let document = try await vector(["input": "cat", "input_type": "search_document"])
            let named = try await vector(["input": "cat", "prompt_name": "document"])
            #expect(document != plain && document == named)
        }
    }

    @Test func `what is wrong is said by name`() async throws {
        try await withGateway { port in
            func refusal(_ path: String, _ fields: [String: Any]) async throws -> String {
                let base: [String: Any] =
                    path.hasSuffix("rerank")
                    ? ["model": "sigmoid", "query": "cat", "documents": ["dog"]]
                    : ["model": "sigmoid", "text_1": "cat", "text_2": ["dog"]]
                let (status, body) = try await call(path, base.merging(fields) { $1 }, port: port)
                return "\(status) \((body["error"] as? [String: Any])?["param"] as? String ?? "-")"
            }
            let long = String(repeating: "cat ", count: 600)
            for (path, fields, says) in [
                ("/v1/rerank", ["documents": [String]()], "400 documents"),
                ("/v1/rerank", ["documents": Array(repeating: "x", count: 10_000)], "400 documents"),
                ("/v1/rerank", ["documents": ["dog", ""]], "400 documents"),
                ("/v1/rerank", ["documents": "dog"], "400 documents"),
                ("/v1/rerank", ["documents": [5]], "400 documents[0]"),
                ("/v1/rerank", ["documents": [["title": "x"]]], "400 documents[0].text"),
                ("/v1/rerank", ["query": ""], "400 query"), ("/v1/rerank", ["query": ["a"]], "400 query"),
                ("/v1/rerank", ["top_n": -1], "400 top_n"),
                ("/v1/rerank", ["max_tokens_per_doc": 0], "400 max_tokens_per_doc"),
                ("/v1/rerank", ["documents": [long]], "400 documents"),
                ("/v1/rerank", ["model": "none"], "404 model"),
                ("/v1/score", ["text_1": ["a", "b"]], "400 text_1"),
                ("/v1/score", ["text_2": [String]()], "400 text_2"),
                ("/v1/score", ["text_2": [""]], "400 text_2"), ("/v1/score", ["text_1": 5], "400 text_1"),
                ("/v1/score", ["truncate_prompt_tokens": 0], "400 truncate_prompt_tokens"),
                ("/v1/score", ["truncate_prompt_tokens": 2], "400 truncate_prompt_tokens"),
            ] as [(String, [String: Any], String)] {
                #expect(try await refusal(path, fields) == says, "\(path) \(fields.keys)")
            }
            // What may be cut is cut.
            #expect(try await refusal("/v1/rerank", ["documents": [long], "truncate_prompt_tokens": -1]) == "200 -")
            #expect(try await refusal("/v1/rerank", ["documents": [long], "max_tokens_per_doc": 9]) == "200 -")
            for (path, fields) in [
                ("/v1/chat/completions", ["messages": [["role": "user", "content": "hi"]]]),
                ("/v1/completions", ["prompt": "hi"]), ("/v1/embeddings", ["input": "hi"]),
            ] as [(String, [String: Any])] {
                let (status, body) = try await call(path, fields.merging(["model": "sigmoid"]) { $1 }, port: port)
                let error = body["error"] as? [String: Any]
                #expect(status == 400 && error?["code"] as? String == "unsupported_task", "\(body)")
            }
        }
    }

    @Test func `queries and documents pass the filter`() async throws {
        let policy = """
            rules:
              - {name: z, categories: [test], action: block}
              - {name: q, categories: [other], action: redact, replacement: "dog"}
            phrases:
              - {category: test, phrases: [zebra]}
              - {category: other, phrases: [quagga]}
            """
        try await withGateway(filter: policy) { port in
            func scores(_ query: String, _ documents: [String]) async throws -> (Int, [Double], String?) {
                let (status, body) = try await call(
                    "/v1/score", ["model": "sigmoid", "text_1": query, "text_2": documents], port: port)
                let values = (body["data"] as? [[String: Any]])?.compactMap { $0["score"] as? Double } ?? []
                return (status, values, (body["error"] as? [String: Any])?["param"] as? String)
            }
            #expect(try await scores("a zebra", ["x"]).2 == "text_1")
            #expect(try await scores("x", ["y", "a zebra"]).2 == "text_2")
            let redacted = try await scores("cat", ["a quagga", "a dog"])
            #expect(redacted.0 == 200 && redacted.1.count == 2 && redacted.1[0] == redacted.1[1])
        }
    }
}
