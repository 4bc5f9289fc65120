import ConfigurationFiles
import Foundation
import Gateway
import Testing

private let tools = ["/usr/bin/openssl", "/usr/bin/curl"].allSatisfy(FileManager.default.isExecutableFile)

/// A folder of keys and certificates, made by openssl.
private struct Certificates: Sendable {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tls-" + UUID().uuidString).path

    init() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try write(
            """
            [ca]
            default_ca = own
            [own]
            database = index.txt
            serial = serial
            new_certs_dir = .
            policy = names
            default_md = sha256
            copy_extensions = copy
            unique_subject = no
            [names]
            commonName = supplied
            """, to: "ca.cnf")
        try write("", to: "index.txt")
        try write("01", to: "serial")
    }

    func path(_ name: String) -> String { folder + "/" + name }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    }

    private func openssl(_ arguments: String) async throws {
        _ = try await Program.run(
            "/bin/sh", ["-c", "cd '\(folder)' && exec openssl \(arguments)"])
    }

    func makeKey(_ name: String) async throws {
        try await openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out \(name)")
    }

    func lock(_ key: String, into name: String) async throws {
        try await openssl("pkey -in \(key) -aes256 -passout pass:x -out \(name)")
    }

    /// For 127.0.0.1, signed by its own key; days are openssl's `YYYYMMDD`.
    func makeCertificate(
        _ name: String, of key: String, called: String = "nephele", from: String = "20200101", to: String = "20990101"
    ) async throws {
        try await openssl(
            "req -new -key \(key) -out request.pem -subj /CN=\(called) -addext subjectAltName=IP:127.0.0.1")
        try await openssl(
            "ca -selfsign -batch -notext -config ca.cnf -in request.pem -keyfile \(key) -out \(name) "
                + "-startdate \(from)000000Z -enddate \(to)000000Z")
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }
}

@Suite(.timeLimit(.minutes(5)), .serialized, .enabled(if: tools, "needs openssl and curl"))
struct TLSTests {
    /// One chat by curl, which trusts that certificate and no other.
    private func chat(_ port: Int, trusting file: String, stream: Bool = false) async throws -> String {
        let body =
            #"{"model":"llama","max_tokens":4,"seed":3,"stream":\#(stream),"messages":[{"role":"user","content":"hi"}]}"#
        return try await Program.run(
            "/usr/bin/curl",
            [
                "-sS", "-N", "--fail-with-body", "--cacert", file, "https://127.0.0.1:\(port)/v1/chat/completions",
                "-d",
                body,
            ])
    }

    private func status(_ port: Int) async throws -> String {
        try await Program.run(
            "/usr/bin/curl", ["-sSk", "--fail-with-body", "https://127.0.0.1:\(port)/admin/status"])
    }

    /// The name in the certificate that a new connection is shown.
    private func shown(_ port: Int) async throws -> String {
        try await Program.run(
            "/bin/sh",
            ["-c", "openssl s_client -connect 127.0.0.1:\(port) </dev/null 2>/dev/null | openssl x509 -noout -subject"])
    }

    @Test func `answers and streams come over HTTPS, and not without it`() async throws {
        let files = try Certificates()
        defer { files.remove() }
        try await files.makeKey("key.pem")
        try await files.makeCertificate("chain.pem", of: "key.pem")
        let source = try CertificateSource(chain: files.path("chain.pem"), key: files.path("key.pem"))
        try await withWholeGateway(certificates: source) { client in
            let chain = files.path("chain.pem")
            let whole = try json(Data(try await chat(client.port, trusting: chain).utf8))
            let choice = try #require((whole["choices"] as? [[String: Any]])?.first)
            let text = try #require((choice["message"] as? [String: Any])?["content"] as? String)
            let events = try await chat(client.port, trusting: chain, stream: true).components(separatedBy: "\n\n")
            #expect(events.filter { $0.hasPrefix("data: ") }.last == "data: [DONE]")
            let parts = try events.filter { $0.hasPrefix("data: {") }.map { try json(Data($0.dropFirst(6).utf8)) }
            let deltas = parts.compactMap { ($0["choices"] as? [[String: Any]])?.first?["delta"] as? [String: Any] }
            #expect(deltas.compactMap { $0["content"] as? String }.joined() == text)
            // Older than TLS 1.2, and no TLS at all.
            for arguments in ["--tls-max 1.1 --cacert \(chain) https", "http"] {
                let said = try await Program.run(
                    "/bin/sh", ["-c", "! curl -sS --max-time 20 \(arguments)://127.0.0.1:\(client.port)/healthz 2>&1"])
                #expect(!said.contains("ok\n"))
            }
        }
    }

    @Test func `a renewed certificate holds from the next connection on, and one that is unfit changes nothing`()
        async throws
    {
        let files = try Certificates()
        defer { files.remove() }
        try await files.makeKey("key.pem")
        try await files.makeKey("new.pem")
        try await files.makeCertificate("chain.pem", of: "key.pem", called: "first")
        try await files.makeCertificate("second.pem", of: "new.pem", called: "second")
        let source = try CertificateSource(chain: files.path("chain.pem"), key: files.path("key.pem"))
        try await withWholeGateway(certificates: source) { client in
            #expect(try await shown(client.port).contains("first"))
            // Half of a renewal: the key is still the old one.
            try Data(contentsOf: URL(fileURLWithPath: files.path("second.pem"))).write(
                to: URL(fileURLWithPath: files.path("chain.pem")))
            source.reload()
            #expect(try await shown(client.port).contains("first"))
            #expect(source.fault?.contains("key.pem: the key does not belong to") == true)
            let status = try json(Data(try await status(client.port).utf8))
            #expect(status["certificates_fault"] as? String == source.fault)
            let watching = Task { await source.watch() }
            defer { watching.cancel() }
            try Data(contentsOf: URL(fileURLWithPath: files.path("new.pem"))).write(
                to: URL(fileURLWithPath: files.path("key.pem")))
            while source.fault != nil { try await Task.sleep(for: .milliseconds(20)) }
            #expect(try await shown(client.port).contains("second"))
            _ = try await chat(client.port, trusting: files.path("second.pem"))
        }
    }

    @Test func `what is wrong with a file is said, and what to do`() async throws {
        let files = try Certificates()
        defer { files.remove() }
        try await files.makeKey("key.pem")
        try await files.makeKey("other.pem")
        try await files.lock("key.pem", into: "locked.pem")
        try await files.makeCertificate("good.pem", of: "key.pem")
        try await files.makeCertificate("past.pem", of: "key.pem", to: "20210101")
        try await files.makeCertificate("future.pem", of: "key.pem", from: "20900101")
        try files.write("", to: "empty.pem")
        for (chain, key, blamed, words) in [
            ("none.pem", "key.pem", "none.pem", "no such file"), ("good.pem", "none.pem", "none.pem", "no such file"),
            ("key.pem", "key.pem", "key.pem", "--tls-certificate takes PEM"),
            ("empty.pem", "key.pem", "empty.pem", "no certificate"),
            ("good.pem", "good.pem", "good.pem", "--tls-key takes PEM"),
            ("good.pem", "locked.pem", "locked.pem", "passphrase"),
            ("good.pem", "other.pem", "other.pem", "does not belong to the first certificate of"),
            ("past.pem", "key.pem", "past.pem", "expired at 2021-01-01T00:00:00Z"),
            ("future.pem", "key.pem", "future.pem", "not valid before 2090-01-01T00:00:00Z"),
        ] {
            let error = #expect(throws: ConfigurationError.self, "\(chain) \(key)") {
                _ = try CertificateSource(chain: files.path(chain), key: files.path(key))
            }
            #expect(error?.file == files.path(blamed) && error?.message.contains(words) == true, "\(chain) \(key)")
        }
    }
}
