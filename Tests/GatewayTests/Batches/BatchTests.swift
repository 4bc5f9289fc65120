import Accounts
import Foundation
import Gateway
import StateKeeping
import Testing

@Suite(.timeLimit(.minutes(5)), .serialized) struct BatchTests {
    private func upload(
        _ client: WholeGatewayClient, _ content: String, purpose: String = "batch", key: String? = nil
    ) async throws -> (status: Int, json: [String: Any]) {
        let body =
            "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n\(purpose)\r\n--b\r\n"
            + "Content-Disposition: form-data; name=\"file\"; filename=\"lines.jsonl\"\r\n\r\n\(content)\r\n--b--\r\n"
        let answer = try await client.execute(
            uri: "/v1/files", method: "POST", body: Data(body.utf8), key: key,
            headers: ["Content-Type": "multipart/form-data; boundary=b"])
        return (answer.status, try json(answer.body))
    }

    private func begin(
        _ client: WholeGatewayClient, _ file: String, endpoint: String = "/v1/chat/completions", key: String? = nil
    ) async throws -> (status: Int, json: [String: Any]) {
        let body =
            #"{"input_file_id":"\#(file)","endpoint":"\#(endpoint)","completion_window":"24h","metadata":{"a":"b"}}"#
        let answer = try await post(client, "/v1/batches", body, key: key)
        return (answer.status, try json(answer.body))
    }

    private func wait(_ client: WholeGatewayClient, _ id: String, key: String? = nil) async throws -> [String: Any] {
        while true {
            let answer = try await client.execute(uri: "/v1/batches/\(id)", method: "GET", key: key)
            let batch = try json(answer.body)
            guard ["validating", "in_progress", "finalizing", "cancelling"].contains(batch["status"] as? String ?? "")
            else { return batch }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func lines(_ client: WholeGatewayClient, _ file: Any?, key: String? = nil) async throws -> [[String: Any]] {
        let id = try #require(file as? String)
        let answer = try await client.execute(uri: "/v1/files/\(id)/content", method: "GET", key: key)
        #expect(answer.status == 200)
        return try answer.body.split(separator: 10).map { try json(Data($0)) }
    }

    private func line(_ id: String, _ more: String = #""seed":3"#) -> String {
        #"{"custom_id":"\#(id)","method":"POST","url":"/v1/chat/completions","body":{"model":"llama","max_tokens":8,"#
            + #""messages":[{"role":"user","content":"\#(id)"}],\#(more)}}"#
    }

    @Test func `every line of a batch is answered once, as the same request alone`() async throws {
        try await withKeepingGateway { client, _ in
            let content =
                (0..<20).map { line("line \($0)") }.joined(separator: "\n") + "\n\n"
                + line("wrong", #""temperature":-1"#)
            let file = try await upload(client, content)
            #expect(file.status == 200 && file.json["bytes"] as? Int == content.utf8.count)
            let begun = try await begin(client, try #require(file.json["id"] as? String))
            #expect(begun.status == 200 && begun.json["status"] as? String == "validating")
            let batch = try await wait(client, try #require(begun.json["id"] as? String))
            #expect(batch["status"] as? String == "completed" && batch["metadata"] as? [String: String] == ["a": "b"])
            #expect(batch["request_counts"] as? [String: Int] == ["total": 21, "completed": 20, "failed": 1])
            let answers = try await lines(client, batch["output_file_id"])
            #expect(answers.map { $0["custom_id"] as? String } == (0..<20).map { "line \($0)" })
            for answer in answers {
                let id = try #require(answer["custom_id"] as? String)
                let response = try #require(answer["response"] as? [String: Any])
                #expect(response["status_code"] as? Int == 200 && answer["error"] is NSNull)
                let request = try json(Data(line(id).utf8))["body"]
                let alone = try await client.execute(
                    uri: "/v1/chat/completions", method: "POST",
                    body: try JSONSerialization.data(withJSONObject: try #require(request)))
                #expect(try text(response["body"]) == (try text(json(alone.body))))
            }
            let errors = try await lines(client, batch["error_file_id"])
            let response = try #require(errors.first?["response"] as? [String: Any])
            #expect(errors.count == 1 && response["status_code"] as? Int == 400)
            let listed = try json(try await client.execute(uri: "/v1/batches", method: "GET").body)
            #expect((listed["data"] as? [[String: Any]])?.count == 1)
            let files = try json(try await client.execute(uri: "/v1/files?purpose=batch_output", method: "GET").body)
            #expect((files["data"] as? [[String: Any]])?.count == 2)
            let late = try await post(client, "/v1/batches/\(try #require(batch["id"] as? String))/cancel", "")
            #expect(late.status == 409)
        }
    }

    private func text(_ completion: Any?) throws -> String {
        let choice = try #require(((completion as? [String: Any])?["choices"] as? [[String: Any]])?.first)
        return try #require((choice["message"] as? [String: Any])?["content"] as? String)
    }

    @Test func `a file with broken lines is told with their places, and nothing of it is answered`() async throws {
        try await withKeepingGateway { client, _ in
            let content = [
                line("a"), "{", "[]", line("a"), #"{"custom_id":"b","method":"GET"}"#,
                line("c").replacingOccurrences(of: "chat/", with: ""), line("d", #""stream":true"#),
            ].joined(separator: "\n")
            let file = try await upload(client, content)
            let begun = try await begin(client, try #require(file.json["id"] as? String))
            let batch = try await wait(client, try #require(begun.json["id"] as? String))
            #expect(batch["status"] as? String == "failed")
            let errors = try #require((batch["errors"] as? [String: Any])?["data"] as? [[String: Any]])
            #expect(errors.map { $0["line"] as? Int } == [2, 3, 4, 5, 6, 7])
            #expect(
                errors.map { $0["code"] as? String } == [
                    "invalid_json_line", "invalid_json_line", "duplicate_custom_id", "invalid_method",
                    "mismatched_url", "unsupported_field",
                ])
        }
    }

    @Test(arguments: [
        ("/v1/messages", #""model":"llama","max_tokens":4,"messages":[{"role":"user","content":"go"}]"#),
        ("/v1/moderations", #""input":"go""#),
    ])
    func `lines may ask other routes`(endpoint: String, body: String) async throws {
        try await withKeepingGateway { client, _ in
            let line = #"{"custom_id":"a","method":"POST","url":"\#(endpoint)","body":{\#(body)}}"#
            let file = try await upload(client, line)
            let begun = try await begin(client, try #require(file.json["id"] as? String), endpoint: endpoint)
            let batch = try await wait(client, try #require(begun.json["id"] as? String, "\(begun)"))
            #expect(batch["request_counts"] as? [String: Int] == ["total": 1, "completed": 1, "failed": 0])
        }
    }

    @Test func `a key keeps so much and no more, but for what batches write`() async throws {
        try await withKeepingGateway { client, store in
            let made = try await upload(client, line("a"))
            let id = try #require(made.json["id"] as? String)
            var file = made.json
            (file["id"], file["bytes"]) = ("file-large", (16 << 30) - 10)
            _ = try await store.put(
                .init(documents: [
                    .init(
                        kind: "file", id: "file-large", parent: "user_data",
                        body: Array(try JSONSerialization.data(withJSONObject: file)), expires: 4_000_000_000)
                ]))
            let full = try await upload(client, "{}")
            #expect(
                full.status == 413 && (full.json["error"] as? [String: Any])?["code"] as? String == "file_storage_full")
            let messages = try await post(
                client, "/v1/messages/batches",
                #"{"requests":[{"custom_id":"a","params":{"model":"llama","max_tokens":1,"messages":[]}}]}"#)
            #expect(messages.status == 413)
            // What there is can be worked on.
            let begun = try await begin(client, id)
            let batch = try await wait(client, try #require(begun.json["id"] as? String, "\(begun)"))
            #expect(batch["status"] as? String == "completed" && batch["output_file_id"] is String)
            for name in ["file-large", id] {
                #expect(try await client.execute(uri: "/v1/files/\(name)", method: "DELETE").status == 200)
            }
            #expect(try await upload(client, "{}").status == 200)
        }
    }

    @Test func `a batch that is cancelled ends with what was answered`() async throws {
        try await withKeepingGateway { client, _ in
            let content = (0..<200).map { line("line \($0)", #""max_completion_tokens":100,"ignore_eos":true"#) }
            let file = try await upload(client, content.joined(separator: "\n"))
            let begun = try await begin(client, try #require(file.json["id"] as? String))
            let id = try #require(begun.json["id"] as? String)
            let cancelled = try json(try await post(client, "/v1/batches/\(id)/cancel", "").body)
            #expect(cancelled["status"] as? String == "cancelling")
            let batch = try await wait(client, id)
            #expect(batch["status"] as? String == "cancelled")
            let counts = try #require(batch["request_counts"] as? [String: Int])
            #expect(counts["total"] == counts["completed", default: 0] + counts["failed", default: 0])
        }
    }

    @Test func `files are kept whole, listed, and are their key's alone`() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file + end) } }
        let keys = try AccountStore(file: file)
        let (one, two) = (try await keys.makeKey(name: "one").key, try await keys.makeKey(name: "two").key)
        try await withKeepingGateway(accounts: AccountKeeper(store: keys)) { client, store in
            // Longer than a piece, and with what looks like a boundary.
            let content = String(repeating: "{\"a\":\"\r\n--c\r\n\"}\n", count: 90_000)
            let made = try await upload(client, content, purpose: "user_data", key: one.secret)
            let id = try #require(made.json["id"] as? String, "\(made)")
            #expect(try await upload(client, content).status == 401)
            let got = try await client.execute(uri: "/v1/files/\(id)/content", method: "GET", key: one.secret)
            #expect(got.body == Data(content.utf8))
            for path in ["/v1/files/\(id)", "/v1/files/\(id)/content"] {
                #expect(try await client.execute(uri: path, method: "GET", key: two.secret).status == 404)
            }
            #expect(try await begin(client, id, key: one.secret).status == 400)
            #expect(try await begin(client, id, key: two.secret).status == 404)
            #expect(try await client.execute(uri: "/v1/files/\(id)", method: "DELETE", key: two.secret).status == 404)
            #expect(try await client.execute(uri: "/v1/files/\(id)", method: "DELETE", key: one.secret).status == 200)
            #expect(try await client.execute(uri: "/v1/files/\(id)", method: "GET", key: one.secret).status == 404)
            // Its bytes have gone with it.
            let upload = "upload-" + id.dropFirst(5)
            #expect(try await store.find(.init(kind: "upload", id: upload)).document == nil)
            #expect(try await self.upload(client, "x", purpose: "none", key: one.secret).status == 400)
            let batch = try await self.upload(client, line("a"), key: one.secret)
            let begun = try await begin(client, try #require(batch.json["id"] as? String), key: one.secret)
            let ended = try await wait(client, try #require(begun.json["id"] as? String), key: one.secret)
            #expect(ended["status"] as? String == "completed", "\(ended)")
            #expect(try await lines(client, ended["output_file_id"], key: one.secret).count == 1)
        }
    }
}
