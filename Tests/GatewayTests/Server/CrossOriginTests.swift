import Foundation
import Gateway
import Testing

@Suite(.timeLimit(.minutes(10))) struct CrossOriginTests {
    private static let chat = Data(
        #"{"model":"llama","max_tokens":2,"seed":1,"messages":[{"role":"user","content":"x"}]}"#.utf8)
    private static let path = "/v1/chat/completions"

    private func preflight(_ client: WholeGatewayClient, from origin: String) async throws -> String {
        try await exchange(
            [
                "OPTIONS \(Self.path) HTTP/1.1\r\nHost: a\r\nOrigin: \(origin)\r\nConnection: close\r\n"
                    + "Access-Control-Request-Method: POST\r\n"
                    + "Access-Control-Request-Headers: authorization,content-type,x-stainless-os\r\n\r\n"
            ], port: client.port
        ).lowercased()
    }

    @Test func `pages of an origin that is named may ask and read what concerns them, errors too, and no others`()
        async throws
    {
        try await withWholeGateway(origins: ["https://a.example", "http://localhost:3000"]) { client in
            for origin in ["https://a.example", "http://localhost:3000"] {
                let may = try await preflight(client, from: origin)
                #expect(may.hasPrefix("http/1.1 204") && may.contains("access-control-allow-origin: \(origin)\r\n"))
                #expect(may.contains("access-control-allow-headers: authorization, content-type, *\r\n"))
                #expect(may.contains("access-control-allow-methods: get, head, post\r\n"))
                #expect(may.contains("access-control-max-age: 3600\r\n") && may.contains("vary: origin\r\n"))
                for (path, status) in [(Self.path, 200), ("/nowhere", 404)] {
                    let answer = try await client.execute(
                        uri: path, method: "POST", body: Self.chat, headers: ["Origin": origin])
                    #expect(answer.status == status && answer.headers["access-control-allow-origin"] == origin)
                    let exposed = answer.headers["access-control-expose-headers"] ?? ""
                    for name in ["x-request-id", "x-ratelimit-remaining-tokens", "retry-after"] {
                        #expect(exposed.contains(name))
                    }
                }
            }
            for origin in ["https://b.example", "https://a.example:8443", "http://a.example", "null"] {
                let mayNot = try await preflight(client, from: origin)
                #expect(mayNot.hasPrefix("http/1.1 405") && !mayNot.contains("access-control"))
                let answer = try await client.execute(
                    uri: Self.path, method: "POST", body: Self.chat, headers: ["Origin": origin])
                #expect(!answer.headers.keys.contains { $0.hasPrefix("access-control") })
                #expect(answer.headers["vary"] == "Origin")
            }
        }
    }

    @Test func `the star lets everybody in, a page in a file too, and without the option nobody`() async throws {
        try await withWholeGateway(origins: ["*"]) { client in
            for origin in ["https://b.example", "null"] {
                let may = try await preflight(client, from: origin)
                #expect(may.hasPrefix("http/1.1 204") && may.contains("access-control-allow-origin: *\r\n"))
                let answer = try await client.execute(
                    uri: Self.path, method: "POST", body: Self.chat, headers: ["Origin": origin])
                #expect(answer.headers["access-control-allow-origin"] == "*" && answer.headers["vary"] == nil)
            }
        }
        try await withWholeGateway { client in
            let answer = try await client.execute(
                uri: Self.path, method: "POST", body: Self.chat, headers: ["Origin": "https://a.example"])
            #expect(answer.status == 200 && !answer.headers.keys.contains { $0.hasPrefix("access-control") })
        }
    }

    @Test(arguments: [
        ("https://a.example", true), ("http://localhost:3000", true), ("http://[::1]:8080", true), ("*", true),
        ("tauri://localhost", true), ("https://A.example", true),
        ("https://a.example/", false), ("https://a.example/x", false), ("a.example", false), ("", false),
        ("https://*.example", false), ("https://u@a.example", false), ("https://a.example?x", false), ("null", false),
    ])
    func `an origin is what browsers send`(_ text: String, _ isOne: Bool) {
        #expect((BrowserOrigin(text) != nil) == isOne)
    }
}
