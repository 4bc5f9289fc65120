import Foundation
import Gateway
import NIOCore
import Synchronization
import Testing

/// Clients that do not speak HTTP as they should, or mean harm.
@Suite(.timeLimit(.minutes(5)), .serialized) struct HostileClientTests {
    private static let chat =
        #"{"model":"llama","max_tokens":2,"seed":1,"messages":[{"role":"user","content":"x"}]}"#

    private func head(_ line: String, _ fields: String...) -> String {
        ([line, "Host: a"] + fields).joined(separator: "\r\n") + "\r\n\r\n"
    }

    private func chat(_ fields: String..., body: String) -> String {
        (["POST /v1/chat/completions HTTP/1.1", "Host: a"] + fields).joined(separator: "\r\n") + "\r\n\r\n" + body
    }

    /// Status and body of the only answer.
    private func answer(_ said: String) throws -> (status: Int, head: String, body: String) {
        let parts = said.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        try #require(parts.count == 2 && said.matches(of: /HTTP\/1\.1 \d{3}/).count == 1, "\(said.prefix(2_000))")
        return (Int(parts[0].dropFirst(9).prefix(3)) ?? 0, parts[0].lowercased(), String(parts[1]))
    }

    @Test func `what is no HTTP is answered in the API's form, and the connection ends`() async throws {
        try await withWholeGateway { client in
            let length = "Content-Length: \(Self.chat.utf8.count)"
            let many = (0..<300).map { "X-\($0): a" }.joined(separator: "\r\n")
            let cases: [(status: Int, request: String)] = [
                (400, "GET /healthz\r\n\r\n"), (400, head("GET /healthz HTTP/2.0")), (400, head("BREW / HTTP/1.1")),
                (400, "\u{16}\u{3}\u{1}\u{2}" + String(repeating: "x", count: 300)), (400, head("GET /a b HTTP/1.1")),
                (400, head("GET /healthz HTTP/1.1", "X y: a")), (400, head("GET /healthz HTTP/1.1", "X: a\u{0}b")),
                (400, "GET /healthz HTTP/1.1\nHost: a\n\n"),
                (431, head("GET /healthz HTTP/1.1", "X: " + String(repeating: "a", count: 17_000))),
                (431, head("GET /healthz HTTP/1.1", many)),
                (431, head("GET /" + String(repeating: "a", count: 100_000) + " HTTP/1.1")),
                (400, chat("Content-Length: -5", body: "")), (400, chat("Content-Length : 5", body: "abcde")),
                (400, chat("Content-Length: 99999999999999999999999", body: "")),
                (400, chat(length, "Content-Length: 7", body: Self.chat)),
                (400, chat(length, "Transfer-Encoding: chunked", body: Self.chat)),
                (400, chat("Transfer-Encoding: chunked", body: "zz\r\nabc\r\n0\r\n\r\n")),
                (400, chat("Transfer-Encoding: chunked", body: "-5\r\nabc\r\n0\r\n\r\n")),
                (400, chat("Transfer-Encoding: chunked", body: "fffffffffffffffffff\r\nabc")),
                (400, chat("Transfer-Encoding: gzip", body: "abc")),
            ]
            for (status, request) in cases {
                let said = try await exchange([request], port: client.port)
                let answer = try answer(said)
                #expect(answer.status == status, "\(request.prefix(60)): \(said)")
                let error = try #require(try json(Data(answer.body.utf8))["error"] as? [String: Any])
                #expect(error["type"] as? String == "invalid_request_error" && error["message"] is String)
                #expect(answer.head.contains("x-request-id: req_"), "\(said)")
            }
            #expect(try await client.execute(uri: "/healthz", method: "GET").status == 200)
        }
    }

    /// An idle gateway that waits so long for the next byte of a request.
    private func withGateway<Result: Sendable>(
        patience: Duration, _ body: @Sendable @escaping (Int) async throws -> Result
    ) async throws -> Result {
        var address = GatewayAddress()
        address.patience = .init(patience)
        let gateway = Gateway(
            fleet: Fleet(), routing: try RoutingSource(file: nil), filters: try FilterSet(standard: "off"))
        return try await withServed(gateway, at: address, body)
    }

    @Test func `one header field after the other without an end, and a body byte by byte, are given up`() async throws {
        try await withGateway(patience: .milliseconds(300)) { port in
            let cases = [
                ("GET /healthz HTTP/1.1\r\n", "X: a\r\n"),
                (chat("Content-Length: 4000000", body: "{"), " "),
                (chat("Transfer-Encoding: chunked", body: "1\r\n{\r\n"), "1\r\n \r\n"),
                ("", ""),
            ]
            // The client goes on until the gateway closes: an exchange that ends was given up.
            for (first, then) in cases {
                _ = try await exchange(port: port, every: .milliseconds(20)) { $0 == 0 ? first : then }
            }
        }
    }

    @Test func `who asks now and then stays, however long in all`() async throws {
        var patience = Duration.milliseconds(300)
        var (answers, pause) = (0, patience)
        // On a busy machine a pause may outlast the gateway's patience: that shows nothing, and it gets more of it.
        while pause >= patience {
            patience *= 2
            (answers, pause) = try await asked(8, every: patience / 4, of: patience)
        }
        #expect(answers == 8)
    }

    /// How many of the requests a patient gateway answers, and the longest that it may have had nothing to read.
    private func asked(_ count: Int, every pause: Duration, of patience: Duration) async throws -> (Int, Duration) {
        try await withGateway(patience: patience) { port in
            let sent = Mutex([ContinuousClock.now])
            let request = head("GET /healthz HTTP/1.1")
            var answered: [ContinuousClock.Instant] = []
            let until = { (said: String) in
                let answers = said.components(separatedBy: "200 OK").count - 1
                while answered.count < answers { answered.append(.now) }
                return answers == count
            }
            _ = try await exchange(port: port, every: pause, until: until) { number in
                guard number < count else { return nil }
                sent.withLock { $0.append(.now) }
                return request
            }
            // A request that the gateway read was sent before, and answered after.
            let pauses = zip(sent.withLock(\.self), answered + [.now]).map { $1 - $0 }
            return (answered.count, pauses.max() ?? .zero)
        }
    }

    @Test func `a body that is too large is refused, whether it is announced, sent or in pieces`() async throws {
        try await withWholeGateway { client in
            let body = String(repeating: " ", count: 500_000)
            for request in [
                chat("Content-Length: 500000", "Connection: close", body: body),
                chat("Content-Length: 500000000", "Connection: close", body: ""),
                chat(
                    "Transfer-Encoding: chunked", "Connection: close",
                    body: String(repeating: "3e8\r\n\(body.prefix(1_000))\r\n", count: 500) + "0\r\n\r\n"),
            ] {
                let answer = try answer(try await exchange([request], port: client.port) { $0.hasSuffix("}}") })
                #expect(answer.status == 413 && answer.body.contains(#""code":"request_too_large""#))
            }
        }
    }

    @Test func `requests behind one another are answered in turn, and HTTP 1.0 ends with its answer`() async throws {
        try await withWholeGateway { client in
            let length = "Content-Length: \(Self.chat.utf8.count)"
            let pipelined =
                head("GET /healthz HTTP/1.1") + chat(length, body: Self.chat)
                + head("GET /v1/models HTTP/1.1", "Connection: close")
            let said = try await exchange([pipelined], port: client.port)
            let order = ["ok\n", "chat.completion", #""object":"list""#].map { said.range(of: $0)?.lowerBound }
            #expect(order.allSatisfy { $0 != nil } && order.compactMap(\.self) == order.compactMap(\.self).sorted())
            #expect(said.components(separatedBy: "HTTP/1.1 200 OK").count == 4)

            let old = try await exchange(["GET /healthz HTTP/1.0\r\n\r\n"], port: client.port)
            #expect(old.hasSuffix("\r\n\r\nok\n"))
            let streamed = Self.chat.dropLast() + #","stream":true}"#
            let stream = try await exchange(
                ["POST /v1/chat/completions HTTP/1.0\r\nContent-Length: \(streamed.utf8.count)\r\n\r\n\(streamed)"],
                port: client.port)
            #expect(stream.hasPrefix("HTTP/1.0 200 OK") && stream.hasSuffix("data: [DONE]\n\n"))
            #expect(stream.contains("\r\n\r\ndata: {") && !stream.lowercased().contains("chunked"))
            // One of known length leaves the connection open where the client asks for that.
            let kept = try await exchange(
                ["GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /healthz HTTP/1.0\r\n\r\n"],
                port: client.port)
            #expect(kept.components(separatedBy: "HTTP/1.0 200 OK").count == 3)
            #expect(kept.lowercased().contains("connection: keep-alive"))
        }
    }

    @Test func `who asks before sending a body is told to, or refused`() async throws {
        try await withWholeGateway { client in
            let length = "Content-Length: \(Self.chat.utf8.count)"
            let ask = chat(length, "Expect: 100-continue", "Connection: close", body: "")
            let told = try await exchange([ask], port: client.port) { $0.contains("\r\n\r\n") }
            #expect(told.hasPrefix("HTTP/1.1 100 Continue\r\n"))
            let said = try await exchange([ask, Self.chat], port: client.port)
            #expect(said.contains("HTTP/1.1 200 OK") && said.contains("chat.completion"))
            let large = chat("Content-Length: 500000000", "Expect: 100-continue", "Connection: close", body: "")
            #expect(try answer(try await exchange([large], port: client.port)).status == 413)
        }
    }

    @Test func `HEAD has the head of GET and no body, and what browsers ask beforehand is refused clearly`()
        async throws
    {
        try await withWholeGateway { client in
            for (path, status) in [("/healthz", 200), ("/", 200), ("/v1/chat/completions", 405), ("/nowhere", 404)] {
                let said = try await exchange([head("HEAD \(path) HTTP/1.1", "Connection: close")], port: client.port)
                let answer = try answer(said)
                #expect(answer.status == status && answer.body.isEmpty, "\(said)")
                #expect(
                    answer.head.contains("content-length: ") && !answer.head.contains("content-length: 0"), "\(said)")
            }
            let preflight = head(
                "OPTIONS /v1/chat/completions HTTP/1.1", "Origin: https://a.example",
                "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type",
                "Connection: close")
            let answer = try answer(try await exchange([preflight], port: client.port))
            #expect(answer.status == 405 && answer.head.contains("allow: post"))
            #expect(!answer.head.contains("access-control-allow"))
        }
    }

    @Test func `no path leads anywhere but to its route`() async throws {
        try await withWholeGateway { client in
            for path in [
                "/v1/../admin/status", "/%2e%2e/%2e%2e/etc/passwd", "/v1/models/%00", "/v1/models\\..",
                "/page.js/../../x",
                "/healthz%0d%0aX-Y:%20z", "/%68ealthz", "/admin%2fstatus", "*", "/;/admin/status",
            ] {
                let said = try await exchange([head("GET \(path) HTTP/1.1", "Connection: close")], port: client.port)
                let answer = try answer(said)
                #expect(answer.status == 404 && !answer.head.contains("x-y"), "\(path): \(said)")
            }
        }
    }
}
