import Accounts
import Foundation
import Gateway
import Messages
import StateKeeping
import Testing

@Suite(.timeLimit(.minutes(5)), .serialized) struct ResponseStateTests {
    private func text(_ response: [String: Any]) throws -> String {
        let message = try #require((response["output"] as? [[String: Any]])?.first)
        return try #require((message["content"] as? [[String: Any]])?.first?["text"] as? String)
    }

    private func send(
        _ client: WholeGatewayClient, _ method: String, _ path: String, _ body: [String: Any]? = nil,
        key: String? = nil
    ) async throws -> (status: Int, json: [String: Any]) {
        let data = try body.map { try JSONSerialization.data(withJSONObject: $0) }
        let answer = try await client.execute(uri: path, method: method, body: data, key: key)
        return (answer.status, try json(answer.body))
    }

    private func ask(_ client: WholeGatewayClient, _ more: [String: Any]) async throws -> [String: Any] {
        let body = ["model": "llama", "max_output_tokens": 12, "seed": 3, "temperature": 0.7].merging(more) { $1 }
        let (status, response) = try await send(client, "POST", "/v1/responses", body)
        #expect(status == 200, "\(response)")
        return response
    }

    /// The response when it has ended: its stream ends then.
    private func wait(_ client: WholeGatewayClient, _ id: String) async throws -> [String: Any] {
        _ = try await client.execute(uri: "/v1/responses/\(id)?stream=true", method: "GET")
        let (status, response) = try await send(client, "GET", "/v1/responses/\(id)")
        #expect(status == 200)
        return response
    }

    @Test func `a response is kept, and the next goes on with what was said before`() async throws {
        try await withKeepingGateway { client, _ in
            let first = try await ask(client, ["input": "hello", "instructions": "be brief"])
            let id = try #require(first["id"] as? String)
            #expect(first["store"] as? Bool == true)
            let second = try await ask(client, ["input": "and?", "previous_response_id": id])
            #expect(second["previous_response_id"] as? String == id)
            let third = try await ask(
                client,
                ["input": [["role": "user", "content": "so"]], "previous_response_id": try #require(second["id"])])
            // Instructions are each request's own.
            let turns: [[String: Any]] = [
                ["role": "user", "content": "hello"], ["role": "assistant", "content": try text(first)],
                ["role": "user", "content": "and?"], ["role": "assistant", "content": try text(second)],
                ["role": "user", "content": "so"],
            ]
            let whole = try await ask(client, ["input": turns, "store": false])
            #expect(try text(whole) == (try text(third)))
            #expect(whole["store"] as? Bool == false)
            let gone = try await send(client, "GET", "/v1/responses/\(try #require(whole["id"] as? String))")
            #expect(gone.status == 404)

            let got = try await send(client, "GET", "/v1/responses/\(id)")
            #expect(got.status == 200 && NSDictionary(dictionary: got.json) == NSDictionary(dictionary: first))
            let items = try await send(client, "GET", "/v1/responses/\(id)/input_items")
            let data = try #require(items.json["data"] as? [[String: Any]])
            #expect(data.count == 1 && data[0]["role"] as? String == "user" && items.json["has_more"] as? Bool == false)
            let cancelled = try await send(client, "POST", "/v1/responses/\(id)/cancel")
            #expect(cancelled.status == 400)

            #expect(try await send(client, "DELETE", "/v1/responses/\(id)").json["deleted"] as? Bool == true)
            #expect(try await send(client, "GET", "/v1/responses/\(id)").status == 404)
            let lost = try await send(
                client, "POST", "/v1/responses",
                ["model": "llama", "input": "x", "previous_response_id": try #require(second["id"] as? String)])
            let error = try #require(lost.json["error"] as? [String: Any])
            #expect(lost.status == 400 && error["param"] as? String == "previous_response_id")
        }
    }

    @Test func `a response in the background is what one that is waited for is, and its stream is taken up again`()
        async throws
    {
        try await withKeepingGateway { client, _ in
            let expected = try text(try await ask(client, ["input": "你好", "max_output_tokens": 40]))
            let begun = try await ask(client, ["input": "你好", "max_output_tokens": 40, "background": true])
            #expect(begun["status"] as? String == "queued" && begun["background"] as? Bool == true)
            let id = try #require(begun["id"] as? String)
            let ended = try await wait(client, id)
            #expect(ended["status"] as? String == "incomplete" && ended["id"] as? String == id)
            #expect(try text(ended) == expected)
            #expect((ended["usage"] as? [String: Any])?["output_tokens"] as? Int == 40)

            let all = try events(try await client.execute(uri: "/v1/responses/\(id)?stream=true", method: "GET").body)
            #expect(all.map { $0["sequence_number"] as? Int } == (0..<all.count).map { $0 })
            #expect(all.first?["type"] as? String == "response.created")
            #expect(all.last?["type"] as? String == "response.incomplete")
            let told = all.filter { $0["type"] as? String == "response.output_text.delta" }
                .compactMap { $0["delta"] as? String }.joined()
            #expect(told == expected)
            let rest = try events(
                try await client.execute(uri: "/v1/responses/\(id)?stream=true&starting_after=5", method: "GET").body)
            #expect(NSArray(array: rest) == NSArray(array: Array(all.dropFirst(6))))

            let streamed = try await client.execute(
                uri: "/v1/responses", method: "POST",
                body: Data(
                    #"{"model":"llama","input":"你好","max_output_tokens":40,"seed":3,"temperature":0.7,"background":true,"stream":true}"#
                        .utf8))
            let own = try events(streamed.body).filter { $0["type"] as? String == "response.output_text.delta" }
            #expect(own.compactMap { $0["delta"] as? String }.joined() == expected)
        }
    }

    private func events(_ body: Data) throws -> [[String: Any]] {
        try String(decoding: body, as: UTF8.self).components(separatedBy: "\n\n").filter { !$0.isEmpty }.map { block in
            try json(Data(try #require(block.components(separatedBy: "data: ").last).utf8))
        }
    }

    /// A gateway that dies leaves a log, which may end anywhere, and a lease, which runs out.
    @Test func `what a dead gateway began is ended by another, to the bit`() async throws {
        try await withKeepingGateway { client, store in
            // Streamed, so that each token is a step of its own.
            let streamed = try await client.execute(
                uri: "/v1/responses", method: "POST",
                body: Data(
                    #"{"model":"llama","input":"hello","max_output_tokens":30,"seed":3,"ignore_eos":true,"#.utf8)
                    + Data(#""background":true,"stream":true}"#.utf8))
            let begun = try #require(try events(streamed.body).first?["response"] as? [String: Any])
            let id = try #require(begun["id"] as? String)
            let ended = try await wait(client, id)
            let kept = try await store.find(Wire.FindStateRequest(kind: "response", id: id, firstEntry: 0))
            let document = try #require(kept.document)
            #expect(kept.entries.count > 10)
            for length in [0, 1, 2, 7, kept.entries.count - 1, kept.entries.count] {
                let copy = "resp_copy\(length)"
                var other = document
                (other.id, other.isOpen, other.outcome) = (copy, true, 0)
                other.body = try body(of: begun, request: document)
                _ = try await store.put(.init(documents: [other], worker: "dead", lease: .milliseconds(1)))
                let entries = Array(kept.entries.prefix(length))
                let append = Wire.UpdateStateRequest(
                    kind: "response", id: copy, worker: "dead", entries: entries, firstEntry: 0, lease: .zero)
                // Somebody alive may have it already; then it is made from the start.
                _ = try await store.update(append)
                let again = try await wait(client, copy)
                #expect(try text(again) == (try text(ended)), "after \(length) entries")
                #expect(
                    NSDictionary(dictionary: again["usage"] as? [String: Any] ?? [:])
                        == NSDictionary(dictionary: ended["usage"] as? [String: Any] ?? ["": ""]))
                let log = try await store.find(Wire.FindStateRequest(kind: "response", id: copy, firstEntry: 0))
                #expect(log.entries.count == kept.entries.count)
            }
        }
    }

    /// The body of a response's document as it was before the answer had begun.
    private func body(of begun: [String: Any], request document: Wire.StateDocument) throws -> [UInt8] {
        var body = try json(Data(document.body))
        body["response"] = begun
        return Array(try JSONSerialization.data(withJSONObject: body))
    }

    @Test func `a response in the background can be cancelled, and fails with what was wrong`() async throws {
        try await withKeepingGateway { client, _ in
            let begun = try await ask(
                client, ["input": "hello", "max_output_tokens": 400, "ignore_eos": true, "background": true])
            let id = try #require(begun["id"] as? String)
            let cancelled = try await send(client, "POST", "/v1/responses/\(id)/cancel")
            #expect(cancelled.status == 200)
            let status = cancelled.json["status"] as? String
            #expect(status == "cancelled" || status == "incomplete")
            #expect(try await wait(client, id)["status"] as? String == status)

            let wrong = try await ask(client, ["model": "none", "input": "hello", "background": true])
            let failed = try await wait(client, try #require(wrong["id"] as? String))
            #expect(failed["status"] as? String == "failed")
            #expect((failed["error"] as? [String: Any])?["code"] as? String == "model_not_found")
        }
    }

    @Test func `a conversation collects what is said in it`() async throws {
        try await withKeepingGateway { client, _ in
            let made = try await send(
                client, "POST", "/v1/conversations",
                ["metadata": ["a": "b"], "items": [["type": "message", "role": "user", "content": "hello"]]])
            let id = try #require(made.json["id"] as? String)
            #expect(made.json["metadata"] as? [String: String] == ["a": "b"])
            let first = try await ask(client, ["input": "and?", "conversation": id])
            #expect((first["conversation"] as? [String: Any])?["id"] as? String == id)
            let expected = try await ask(
                client,
                [
                    "input": [["role": "user", "content": "hello"], ["role": "user", "content": "and?"]],
                    "store": false,
                ])
            #expect(try text(first) == (try text(expected)))
            let second = try await ask(client, ["input": "so", "conversation": ["id": id], "background": true])
            let ended = try await wait(client, try #require(second["id"] as? String))
            #expect(ended["status"] as? String != "failed", "\(ended)")
            var items: [[String: Any]] = []
            while items.count < 5 {
                let list = try await send(client, "GET", "/v1/conversations/\(id)/items?order=asc")
                items = try #require(list.json["data"] as? [[String: Any]])
            }
            #expect(items.map { $0["role"] as? String } == ["user", "user", "assistant", "user", "assistant"])
            let item = try #require(items[0]["id"] as? String)
            #expect(try await send(client, "DELETE", "/v1/conversations/\(id)/items/\(item)").status == 200)
            #expect(try await send(client, "GET", "/v1/conversations/\(id)/items/\(item)").status == 404)
            #expect(try await send(client, "DELETE", "/v1/conversations/\(id)").status == 200)
            #expect(try await send(client, "GET", "/v1/conversations/\(id)").status == 404)
        }
    }

    @Test func `what one key keeps no other sees`() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file + end) } }
        let store = try AccountStore(file: file)
        let (one, two) = (try await store.makeKey(name: "one").key, try await store.makeKey(name: "two").key)
        try await withKeepingGateway(accounts: AccountKeeper(store: store)) { client, _ in
            let body: [String: Any] = ["model": "llama", "input": "hello", "max_output_tokens": 5, "background": true]
            let begun = try await send(client, "POST", "/v1/responses", body, key: one.secret)
            let path = "/v1/responses/\(try #require(begun.json["id"] as? String))"
            #expect(try await send(client, "GET", path).status == 401)
            for end in ["", "/input_items"] {
                #expect(try await send(client, "GET", path + end, key: two.secret).status == 404)
            }
            #expect(try await send(client, "POST", path + "/cancel", key: two.secret).status == 404)
            #expect(try await send(client, "DELETE", path, key: two.secret).status == 404)
            var response: [String: Any] = [:]
            while response["usage"] as? [String: Any] == nil {
                response = try await send(client, "GET", path, key: one.secret).json
            }
            #expect(response["status"] as? String == "incomplete", "\(response)")
        }
    }

    @Test func `where nothing is kept, what needs it is refused by name`() async throws {
        try await withWholeGateway { client in
            for (field, value) in [
                ("store", true), ("background", true), ("previous_response_id", "resp_1"), ("conversation", "conv_1"),
            ] as [(String, Any)] {
                let body: [String: Any] = ["model": "llama", "input": "x", field: value]
                let (status, answer) = try await send(client, "POST", "/v1/responses", body)
                #expect(status == 400 && (answer["error"] as? [String: Any])?["param"] as? String == field)
            }
            #expect(try await send(client, "GET", "/v1/responses/resp_1").status == 404)
            #expect(try await send(client, "POST", "/v1/conversations", [:]).status == 501)
        }
    }
}
