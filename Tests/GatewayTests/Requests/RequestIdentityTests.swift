import Accounts
import Foundation
import Gateway
import Testing

@Suite(.timeLimit(.minutes(5))) struct RequestIdentityTests {
    private func withAccounts(
        _ body: @Sendable @escaping (WholeGatewayClient, _ admin: String, _ limited: String) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("accounts-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try AccountStore(file: folder.appendingPathComponent("accounts.sqlite").path)
        let admin = try await store.makeKey(name: "operator", role: .admin).key.secret
        let limited = try await store.makeKey(name: "web", models: ["llama"], limits: .init(requestsPerMinute: 1)).key
            .secret
        try await withWholeGateway(accounts: AccountKeeper(store: store)) { try await body($0, admin, limited) }
    }

    @Test func `every answer says what request it belongs to, whatever became of it`() async throws {
        try await withAccounts { client, admin, limited in
            let chat = #"{"model":"llama","max_tokens":2,"messages":[{"role":"user","content":"x"}]}"#
            let drawing = #"{"model":"tiny","prompt":"x","steps":1}"#
            let large = String(repeating: " ", count: 70_000)
            let cases: [(status: Int, method: String, path: String, body: String?, key: String?)] = [
                (200, "GET", "/healthz", nil, nil), (200, "GET", "/metrics", nil, nil), (200, "GET", "/", nil, nil),
                (200, "POST", "/tokenize", #"{"model":"llama","prompt":"x"}"#, admin),
                (400, "POST", "/v1/chat/completions", "{", admin), (400, "POST", "/tokenize", "{", admin),
                (401, "POST", "/v1/chat/completions", chat, nil), (401, "GET", "/v1/models", nil, "nph-no"),
                (403, "GET", "/admin/status", nil, limited),
                (404, "GET", "/v1/nothing", nil, admin),
                (405, "DELETE", "/v1/chat/completions", nil, admin),
                (413, "POST", "/v1/chat/completions", large, admin), (413, "POST", "/tokenize", large, admin),
                (403, "POST", "/v1/images/generations", drawing, limited),
                (429, "POST", "/v1/chat/completions", chat, limited),
                (403, "POST", "/v1/load_lora_adapter", #"{"lora_name":"a","lora_path":"b"}"#, admin),
            ]
            for (status, method, path, body, key) in cases {
                let answer = try await client.execute(
                    uri: path, method: method, body: body.map { Data($0.utf8) }, key: key,
                    headers: ["x-request-id": "mine-\(status)"])
                #expect(answer.status == status, "\(method) \(path)")
                #expect(answer.headers["x-request-id"] == "mine-\(status)", "\(method) \(path)")
                #expect(answer.headers["traceparent"]?.hasPrefix("00-") == true, "\(method) \(path)")
            }
        }
    }

    @Test func `an identifier that is none is replaced by one of ours`() async throws {
        try await withAccounts { client, _, _ in
            var seen: Set<String> = []
            for given in [nil, "", "a b", "ü", String(repeating: "a", count: 129), "a;b"] {
                let answer = try await client.execute(
                    uri: "/v1/models", method: "GET", headers: given.map { ["x-request-id": $0] } ?? [:])
                let id = try #require(answer.headers["x-request-id"])
                #expect(answer.status == 401 && id.hasPrefix("req_") && id != given)
                seen.insert(id)
            }
            #expect(seen.count == 6)
        }
    }
}
