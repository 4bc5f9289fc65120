import Foundation
import Testing

@testable import ModelHub

private let tools = ["/usr/bin/python3", "/usr/bin/openssl"].allSatisfy(FileManager.default.isExecutableFile)

/// TLS with an authority of its own in front of the hub, and proxies on the way to it (`network.py`).
private final class Network: Sendable {
    struct Ports: Decodable, Sendable { var hub, store, proxy, guarded: Int }

    let ports: Ports
    let folder: String
    private let input: Pipe
    private let process: Process

    init(_ server: HubServer, _ folder: String) async throws {
        self.folder = folder
        (input, process) = (Pipe(), Process())
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/network.py"
        process.arguments = [script, folder, "\(server.ports.hub)", "\(server.ports.store)"]
        (process.standardInput, process.standardOutput) = (input, output)
        try process.run()
        let line = try await withCheckedThrowingContinuation { (done: CheckedContinuation<Data, any Error>) in
            Thread.detachNewThread {
                done.resume(returning: output.fileHandleForReading.availableData)
            }
        }
        ports = try JSONDecoder().decode(Ports.self, from: line)
        server.sendOn(toStoreAt: "https://localhost:\(ports.store)")
    }

    func end() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// What the proxies were asked: the line, whether it brought the hub's token along, and whether it was let through.
    var asked: [String] {
        (try? String(contentsOfFile: folder + "/proxy.log", encoding: .utf8))?.split(separator: "\n").map { String($0) }
            ?? []
    }
}

@Suite(.timeLimit(.minutes(5)), .enabled(if: tools, "no python3 or no openssl")) struct NetworkTests {
    private func withNetwork(
        _ body: @Sendable @escaping (HubServer, Network) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            try await HubServer(["org/model": repository()]).run { server in
                let network = try await Network(server, folder)
                defer { network.end() }
                try await body(server, network)
            }
        }
    }

    /// Pulls as a user's environment says.
    private func pull(_ network: Network, _ environment: [String: String]) async throws -> PulledModel {
        let all = [
            "HF_HUB_CACHE": network.folder + "/cache", "HF_HOME": network.folder, "HOME": network.folder,
            "HF_ENDPOINT": "https://localhost:\(network.ports.hub)", "SSL_CERT_FILE": network.folder + "/ca.pem",
        ].merging(environment) { $1 }
        var settings = try HubSettings(environment: all.filter { !$0.value.isEmpty })
        // What is tried again takes longer than the test may.
        settings.firstPause = .seconds(100)
        return try await ModelPull(settings).run(try HubReference("org/model"))
    }

    private func refusal(_ network: Network, _ environment: [String: String]) async -> String {
        do {
            _ = try await pull(network, environment)
            return ""
        } catch {
            return (error as? HubError).map { "\($0.code): \($0.message)" } ?? "\(error)"
        }
    }

    @Test func `a hub with a certificate of an authority that the user names is spoken to`() async throws {
        try await withNetwork { _, network in
            let model = try await pull(network, [:])
            #expect(Set(neededNames).isSubset(of: try FileManager.default.contentsOfDirectory(atPath: model.path)))
        }
    }

    @Test func `what is wrong with TLS is said at once, and what helps`() async throws {
        try await withNetwork { server, network in
            for (environment, words) in [
                (["SSL_CERT_FILE": ""], "SSL_CERT_FILE"),
                (["HF_ENDPOINT": "https://127.0.0.1:\(network.ports.hub)"], "another name"),
                (["HF_ENDPOINT": "https://localhost:\(server.ports.hub)"], "speaks no TLS"),
                (["SSL_CERT_FILE": network.folder + "/none.pem"], "none.pem, which SSL_CERT_FILE names"),
                (["SSL_CERT_FILE": network.folder + "/names"], "/names, which SSL_CERT_FILE names"),
            ] {
                let said = await refusal(network, environment)
                #expect(said.hasPrefix("refused: ") && said.contains(words), "\(said)")
            }
        }
    }

    @Test func `a proxy carries what is encrypted, and never sees the token`() async throws {
        try await withNetwork { server, network in
            let proxy = "http://127.0.0.1:\(network.ports.proxy)"
            _ = try await pull(network, ["HTTPS_PROXY": proxy, "HF_TOKEN": "hf_secret"])
            #expect(server.requests.contains { $0.authorization == "Bearer hf_secret" })
            let asked = network.asked
            #expect(asked.contains("CONNECT localhost:\(network.ports.hub) HTTP/1.1 False True"), "\(asked)")
            #expect(asked.contains { $0.hasPrefix("CONNECT localhost:\(network.ports.store)") })
            #expect(asked.allSatisfy { $0.hasPrefix("CONNECT ") && $0.hasSuffix(" False True") })
        }
    }

    @Test func `a proxy that wants a name gets it or is named, and NO_PROXY goes around it`() async throws {
        try await withNetwork { _, network in
            let place = "127.0.0.1:\(network.ports.guarded)"
            let unnamed = await refusal(network, ["HTTPS_PROXY": "http://" + place])
            #expect(unnamed.hasPrefix("refused: ") && unnamed.contains("NAME:PASSWORD"), "\(unnamed)")
            let wrong = await refusal(network, ["HTTPS_PROXY": "http://user:other@" + place])
            #expect(wrong.contains("NAME:PASSWORD") && !wrong.contains("other"), "\(wrong)")
            for exception in ["localhost", "*", "localhost:\(network.ports.hub),localhost:\(network.ports.store)"] {
                let count = network.asked.count
                _ = try await pull(
                    network,
                    [
                        "HTTPS_PROXY": "http://" + place, "NO_PROXY": exception,
                        "HF_HUB_CACHE": network.folder + "/\(exception.count)",
                    ])
                #expect(network.asked.count == count, "\(exception)")
            }
            _ = try await pull(network, ["HTTPS_PROXY": "http://user:pass@" + place])
            #expect(network.asked.last?.hasSuffix(" True") == true)
        }
    }
}
