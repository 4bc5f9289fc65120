import Foundation
import Testing

@Suite(.timeLimit(.minutes(5)), .serialized) struct GatewayMetricsTests {
    @Test func `what a text engine does is in the metrics and in the status`() async throws {
        try await withWholeGateway { client in
            let chat = #"{"model":"llama","max_tokens":4,"seed":3,"messages":[{"role":"user","content":"hi"}]}"#
            #expect(try await post(client, "/v1/chat/completions", chat).status == 200)
            // The engine's next reports say that it has had a prompt, and that nothing runs any more.
            let idle = ["vllm:kv_cache_usage_perc", "vllm:num_requests_waiting", "vllm:num_requests_running"]
            while true {
                let metrics = try await client.execute(uri: "/metrics", method: "GET")
                let lines = String(decoding: metrics.body, as: UTF8.self).split(separator: "\n")
                func has(_ name: String, where isWanted: (Substring) -> Bool) -> Bool {
                    lines.contains { $0.hasPrefix(name + "{service=\"text-model\"") && isWanted($0) }
                }
                if has("vllm:prefix_cache_queries_total", where: { !$0.hasSuffix(" 0") }),
                    idle.allSatisfy({ has($0, where: { $0.hasSuffix(" 0") }) })
                {
                    break
                }
                try await Task.sleep(for: .milliseconds(10))
            }
            let status = try await client.execute(uri: "/admin/status", method: "GET")
            let instances = try #require(try json(status.body)["instances"] as? [[String: Any]])
            let engine = try #require(instances.first { $0["service"] as? String == "text-model" })
            #expect(engine["waiting"] as? Int == 0 && engine["cache_use"] as? Double == 0)
            #expect(instances.first { $0["service"] as? String == "tokenizer" }?["waiting"] == nil)
        }
    }
}
