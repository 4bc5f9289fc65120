import Accounts
import Foundation
import Gateway
import Testing

@Suite struct RateLimitsTests {
    private let start = ContinuousClock.now

    @Test func `a bucket gives a minute's worth at once and fills as time goes by`() {
        let limits = RateLimits()
        for left in [2, 1, 0] {
            let answer = limits.take(1, from: "a", perMinute: 3, now: start)
            #expect(answer.isAllowed && answer.remaining == left)
        }
        let refused = limits.take(1, from: "a", perMinute: 3, now: start)
        #expect(!refused.isAllowed && refused.wait == .seconds(20))
        #expect(limits.take(1, from: "b", perMinute: 3, now: start).isAllowed)
        #expect(limits.take(1, from: "a", perMinute: 3, now: start + .seconds(20)).isAllowed)
        #expect(!limits.take(1, from: "a", perMinute: 3, now: start + .seconds(39)).isAllowed)
        #expect(limits.take(3, from: "a", perMinute: 3, now: start + .seconds(500)).isAllowed)
    }

    @Test func `more than a whole bucket is allowed when that is full, and what was too much comes back`() {
        let limits = RateLimits()
        #expect(limits.take(50, from: "a", perMinute: 10, now: start).isAllowed)
        #expect(!limits.take(1, from: "a", perMinute: 10, now: start).isAllowed)
        limits.settle(45, in: "a", perMinute: 10)
        #expect(limits.take(5, from: "a", perMinute: 10, now: start).isAllowed)
    }

    @Test func `a slice is what is needed and at most half of what is left then`() {
        let limits = RateLimits()
        let first = limits.lease(2, spare: 100, from: "a", perMinute: 10, now: start)
        #expect(first.granted == 6 && first.answer.isAllowed)
        let second = limits.lease(4, spare: 1, from: "a", perMinute: 10, now: start)
        #expect(second.granted == 4)
        let third = limits.lease(1, spare: 1, from: "a", perMinute: 10, now: start)
        #expect(third.granted == 0 && third.answer.wait == .seconds(6))
    }
}

@Suite(.timeLimit(.minutes(5)), .serialized) struct AccountsGatewayTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("accounts-" + UUID().uuidString)

    private func keeper(recording: Bool = false) throws -> (AccountKeeper, AccountStore) {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let store = try AccountStore(file: folder.appendingPathComponent("accounts.sqlite").path)
        return (AccountKeeper(store: store, isRecording: recording), store)
    }

    private func code(_ answer: WholeGatewayClient.Answer) throws -> String? {
        (try json(answer.body)["error"] as? [String: Any])?["code"] as? String
    }

    private static let chat =
        #"{"model":"llama","max_tokens":4,"seed":3,"messages":[{"role":"user","content":"hi"}]}"#

    @Test func `a key opens what it is for, within its limits`() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (keeper, store) = try keeper()
        let user = try await store.makeKey(
            name: "user", models: ["llama"], limits: .init(requestsPerMinute: 2)
        ).key.secret
        let admin = try await store.makeKey(name: "operator", role: .admin).key.secret
        try await withWholeGateway(accounts: keeper) { client in
            let path = "/v1/chat/completions"
            let stranger = try await post(client, path, Self.chat)
            #expect(stranger.status == 401)
            #expect(try code(stranger) == "missing_api_key")
            #expect(try await code(post(client, path, Self.chat, key: "nph-guess")) == "invalid_api_key")
            #expect(try await client.execute(uri: "/admin/status", method: "GET").status == 401)
            #expect(try await client.execute(uri: "/healthz", method: "GET").status == 200)
            #expect(try await client.execute(uri: "/admin/status", method: "GET", key: admin).status == 200)

            let answer = try await post(client, path, Self.chat, key: user)
            #expect(answer.status == 200)
            #expect(answer.headers["x-ratelimit-limit-requests"] == "2")
            #expect(answer.headers["x-ratelimit-remaining-requests"] == "1")
            #expect(try await client.execute(uri: "/admin/status", method: "GET", key: user).status == 403)
            let drawing = try await post(
                client, "/v1/images/generations", #"{"model":"tiny","prompt":"a"}"#, key: user)
            #expect(drawing.status == 403)
            #expect(try code(drawing) == "model_not_allowed")
            let list = try await client.execute(uri: "/v1/models", method: "GET", key: user)
            let models = (try json(list.body)["data"] as? [[String: Any]])?.compactMap { $0["id"] as? String }
            #expect(models == ["llama"])
            let third = try await post(client, path, Self.chat, key: user)
            #expect(third.status == 429)
            #expect(try code(third) == "rate_limit_exceeded")
            // A bucket of two a minute has one again after 30 s, less what has passed.
            #expect((1...30).contains(Int(third.headers["retry-after"] ?? "") ?? 0))
        }
    }

    @Test func `tokens and spending are counted, also of a stream, and bounded`() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (keeper, store) = try keeper()
        try await store.setPrice(Price(model: "llama", perMillionCompletionTokens: 1e6))
        let tokens = try await store.makeKey(name: "tokens", limits: .init(tokensPerMinute: 40)).key.secret
        let money = try await store.makeKey(name: "money", limits: .init(spendingPerDay: 6)).key.secret
        try await withWholeGateway(accounts: keeper) { client in
            let path = "/v1/chat/completions"
            let large = #"{"model":"llama","max_tokens":39,"messages":[{"role":"user","content":"hi"}]}"#
            let first = try await post(client, path, large, key: tokens)
            #expect(first.status == 200)
            #expect(first.headers["x-ratelimit-limit-tokens"] == "40")
            let second = try await post(client, path, large, key: tokens)
            #expect(second.status == 429)
            #expect(try code(second) == "rate_limit_exceeded")

            let stream = #"{"stream":true,"# + Self.chat.dropFirst()
            for _ in 0..<2 { #expect(try await post(client, path, stream, key: money).status == 200) }
            var rows: [[String: Any]] = []
            while rows.first?["requests"] as? Int != 2 {
                // It is written down after the answer is out.
                let answer = try await client.execute(uri: "/v1/usage", method: "GET", key: money)
                rows = try #require(try json(answer.body)["data"] as? [[String: Any]])
            }
            #expect(rows.count == 1)
            #expect(rows[0]["completion_tokens"] as? Int == 8)
            #expect(rows[0]["cost"] as? Double == 8)
            let refused = try await post(client, path, Self.chat, key: money)
            #expect(refused.status == 429)
            #expect(try code(refused) == "insufficient_quota")
            let wrong = try await client.execute(uri: "/v1/usage?from=yesterday", method: "GET", key: tokens)
            #expect(wrong.status == 400)
        }
    }

    @Test func `what one gateway's clients spend counts at another with the same file`() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (here, store) = try keeper()
        let (there, _) = try keeper()
        try await store.setPrice(Price(model: "llama", perMillionCompletionTokens: 1e6))
        let key = try await store.makeKey(name: "a", limits: .init(spendingPerDay: 3)).key.secret
        try await withWholeGateway(accounts: here) { client in
            #expect(try await post(client, "/v1/chat/completions", Self.chat, key: key).status == 200)
            var spent = 0.0
            while spent == 0 {
                await here.flush()
                spent = try await store.usage(days: "2000-01-01"..."2999-12-31").reduce(0) { $0 + $1.usage.cost }
            }
        }
        try await withWholeGateway(accounts: there) { client in
            let refused = try await post(client, "/v1/chat/completions", Self.chat, key: key)
            #expect(try code(refused) == "insufficient_quota")
        }
    }

    @Test func `moderations count as requests, and refusals in the metrics`() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (keeper, store) = try keeper()
        let key = try await store.makeKey(name: "a", limits: .init(requestsPerMinute: 1)).key.secret
        try await withWholeGateway(accounts: keeper) { client in
            #expect(try await post(client, "/v1/moderations", #"{"input":"a"}"#, key: key).status == 200)
            #expect(try await post(client, "/v1/moderations", #"{"input":"a"}"#, key: key).status == 429)
            #expect(try await post(client, "/v1/chat/completions", Self.chat, key: key).status == 429)
            #expect(try await post(client, "/v1/chat/completions", Self.chat).status == 401)
            let metrics = try await client.execute(uri: "/metrics", method: "GET")
            let text = String(decoding: metrics.body, as: UTF8.self)
            for status in [401, 429] {
                let line = "{endpoint=\"/v1/chat/completions\",route=\"\",status=\"\(status)\"} 1\n"
                #expect(text.contains("nephele:http_requests_total" + line))
            }
        }
    }

    @Test func `a key's filter policy takes the place of the route's`() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (keeper, store) = try keeper()
        let key = try await store.makeKey(name: "a", filter: "nobody's").key.secret
        let other = try await store.makeKey(name: "b", filter: "off").key.secret
        try await withWholeGateway(accounts: keeper) { client in
            let refused = try await post(client, "/v1/chat/completions", Self.chat, key: key)
            #expect(refused.status == 500)
            #expect(try code(refused) == "filter_not_found")
            #expect(try await post(client, "/v1/chat/completions", Self.chat, key: other).status == 200)
        }
    }

    @Test func `answers are recorded where that is switched on, and feedback finds them`() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (keeper, store) = try keeper(recording: true)
        let key = try await store.makeKey(name: "a").key.secret
        try await withWholeGateway(accounts: keeper) { client in
            let answer = try json(await post(client, "/v1/chat/completions", Self.chat, key: key).body)
            let id = try #require(answer["id"] as? String)
            var recorded = false
            while !recorded {
                // It is written down after the answer is out.
                let feedback = try await post(
                    client, "/v1/feedback", #"{"id":"\#(id)","rating":1,"correction":"hello to you"}"#, key: key)
                #expect(feedback.status == 200)
                recorded = try json(feedback.body)["recorded"] as? Bool ?? false
            }
            let choice = try #require((answer["choices"] as? [[String: Any]])?.first?["message"] as? [String: Any])
            var examples: [TrainingExample] = []
            try await store.exportTraining { examples.append($0) }
            #expect(examples.count == 1)
            #expect(examples[0].messages.map(\.content) == ["hi", "hello to you"])
            #expect(examples[0].rejected == choice["content"] as? String)
            for wrong in [#"{"id":""}"#, #"{"id":"a"}"#, #"{"id":"a","rating":2}"#, #"{"rating":1}"#] {
                #expect(try await post(client, "/v1/feedback", wrong, key: key).status == 400)
            }
        }
    }

    @Test func `calls of tools are recorded, those of the history and the answer's`() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (keeper, store) = try keeper(recording: true)
        let key = try await store.makeKey(name: "a").key.secret
        try await withWholeGateway(accounts: keeper) { client in
            let body = #"""
                {"model":"llama","seed":3,"tool_choice":"required","parallel_tool_calls":false,
                 "tools":[{"type":"function","function":{"name":"go","strict":true,"parameters":{"type":"object",
                  "properties":{"to":{"enum":["a","右"]}},"required":["to"],"additionalProperties":false}}}],
                 "messages":[{"role":"user","content":"go"},
                  {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",
                   "function":{"name":"go","arguments":"{\"to\": \"a\"}"}}]},
                  {"role":"tool","tool_call_id":"c1","content":"gone"}]}
                """#
            let answer = try json(await post(client, "/v1/chat/completions", body, key: key).body)
            let choice = (answer["choices"] as? [[String: Any]])?.first
            let message = try #require(choice?["message"] as? [String: Any], "\(answer)")
            let called = try #require((message["tool_calls"] as? [[String: Any]])?.first?["function"] as? [String: Any])
            var examples: [TrainingExample] = []
            while examples.isEmpty {
                try await Task.sleep(for: .milliseconds(10))
                try await store.exportTraining { examples.append($0) }
            }
            let turns = try #require(examples.first).messages
            #expect(turns.map(\.role) == ["user", "assistant", "tool", "assistant"])
            #expect(turns[1].tool_calls == [.init(id: "c1", name: "go", arguments: #"{"to": "a"}"#)])
            #expect(turns[2].tool_call_id == "c1" && turns[2].content == "gone")
            #expect(turns[3].tool_calls?.map(\.function.name) == ["go"])
            #expect(turns[3].tool_calls?.first?.function.arguments == called["arguments"] as? String)
            // As training reads it.
            let line = try json(JSONEncoder().encode(examples[0]))
            let last = try #require((line["messages"] as? [[String: Any]])?.last)
            #expect(
                ((last["tool_calls"] as? [[String: Any]])?.first?["function"] as? NSDictionary) == called
                    as NSDictionary)
        }
    }
}
