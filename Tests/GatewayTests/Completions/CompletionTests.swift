import Foundation
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(5)), .serialized) struct CompletionTests {
    private func choices(_ client: WholeGatewayClient, _ fields: String) async throws -> [[String: Any]] {
        let reply = try await post(
            client, "/v1/completions", #"{"model":"llama","max_tokens":8,"seed":5,"prompt":["one","two"],\#(fields)}"#)
        #expect(reply.status == 200)
        return try #require(try json(reply.body)["choices"] as? [[String: Any]])
    }

    @Test func `the best of many choices are those with the likeliest tokens`() async throws {
        try await withWholeGateway { client async throws in
            let all = try await choices(client, #""n":5,"logprobs":0"#)
            func mean(_ choice: [String: Any]) throws -> Double {
                let logprobs = try #require(
                    (choice["logprobs"] as? [String: Any])?["token_logprobs"] as? [Double])
                return logprobs.reduce(0, +) / Double(logprobs.count)
            }
            var expected: [String] = []
            for prompt in 0..<2 {
                let own = try all[(prompt * 5)..<(prompt * 5 + 5)].map { ($0, try mean($0)) }.sorted { $0.1 > $1.1 }
                expected += own.prefix(2).compactMap { $0.0["text"] as? String }
            }
            let best = try await choices(client, #""n":2,"best_of":5"#)
            #expect(best.compactMap { $0["text"] as? String } == expected)
            #expect(best.map { $0["index"] as? Int } == [0, 1, 2, 3] && best.allSatisfy { $0["logprobs"] is NSNull })
            #expect(try await choices(client, #""n":5,"best_of":5,"logprobs":0"#).count == 10)
        }
    }

    @Test func `a suffix is refused where the vocabulary has no tokens for it`() async throws {
        try await withWholeGateway { client async throws in
            for prompt in [#""one""#, "[1,2]"] {
                let reply = try await post(
                    client, "/v1/completions", #"{"model":"llama","prompt":\#(prompt),"suffix":"x"}"#)
                let error = try json(reply.body)["error"] as? [String: Any]
                #expect(reply.status == 400 && error?["param"] as? String == "suffix", "\(error ?? [:])")
            }
        }
    }
}
