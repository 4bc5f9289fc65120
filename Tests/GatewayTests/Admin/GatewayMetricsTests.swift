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

    private func metrics(of client: WholeGatewayClient) async throws -> String {
        String(decoding: try await client.execute(uri: "/metrics", method: "GET").body, as: UTF8.self)
    }

    @Test func `a refused body is counted with its status, by the path that the documents name`() async throws {
        try await withWholeGateway { client in
            let large = Data(repeating: UInt8(ascii: " "), count: 70_000)
            for path in ["/v1/chat/completions", "//v1/chat//completions/", "/v1/moderations"] {
                let answer = try await client.execute(uri: path, method: "POST", body: large)
                #expect(answer.status == 413, "\(path)")
            }
            #expect(try await post(client, "/v1/moderations", #"{"input":"a"}"#).status == 200)
            let counts = try await metrics(of: client).split(separator: "\n").filter {
                $0.hasPrefix("nephele:http_requests_total{")
            }
            #expect(
                counts.sorted() == [
                    #"nephele:http_requests_total{endpoint="/v1/chat/completions",route="",status="413"} 2"#,
                    #"nephele:http_requests_total{endpoint="/v1/moderations",route="",status="200"} 1"#,
                    #"nephele:http_requests_total{endpoint="/v1/moderations",route="",status="413"} 1"#,
                ])
        }
    }

    @Test func `a routing file with an error is told to whoever watches, and the gateway goes on`() async throws {
        try await withWholeGateway(routes: "aliases: {a: llama}") { client in
            func write(_ text: String) throws {
                try Data(text.utf8).write(to: URL(fileURLWithPath: client.folder + "/routes.yaml"))
                client.routing.reload()
            }
            let fault = #"nephele:configuration_fault{file="routes"} "#
            #expect(try await metrics(of: client).contains(fault + "0\n"))
            try write("routes: [{name: a, to: llama, unless: never}]")
            #expect(try await metrics(of: client).contains(fault + "1\n"))
            let status = try json(try await client.execute(uri: "/admin/status", method: "GET").body)
            #expect((status["routes_fault"] as? String)?.contains("routes.yaml:1:") == true)
            for path in ["/healthz", "/readyz"] {
                #expect(try await client.execute(uri: path, method: "GET").status == 200)
            }
            #expect(try await post(client, "/tokenize", #"{"model":"llama","prompt":"x"}"#).status == 200)
            try write("aliases: {b: llama}")
            #expect(try await metrics(of: client).contains(fault + "0\n"))
            let healed = try json(try await client.execute(uri: "/admin/status", method: "GET").body)
            #expect(healed["routes_fault"] is NSNull || healed["routes_fault"] == nil)
        }
    }
}
