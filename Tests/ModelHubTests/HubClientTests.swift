import Foundation
import Testing

@testable import ModelHub

/// `huggingface_hub` itself against the same server, and the two caches read by each other. They need a Python that has the
/// package: `NEPHELE_PYTHON`, or `python3`.
@Suite(
    .timeLimit(.minutes(5)),
    .enabled(if: HubPython.executable != nil, "no Python with huggingface_hub; set NEPHELE_PYTHON"))
struct HubClientTests {
    private let weights = noise(3_000_000, seed: 9)

    private func withHub(_ body: @Sendable @escaping (HubServer, String) async throws -> Void) async throws {
        var repository = repository()
        repository.files["model.safetensors"] = weights
        try await withFolder { folder in
            try await HubServer(["org/model": repository], pageSize: 4).run { try await body($0, folder) }
        }
    }

    @Test func `huggingface_hub downloads from the server, and what it has is served without a network`() async throws {
        try await withHub { server, folder in
            let lines = try await HubPython.run(["download", "org/model"], server, folder)
            let all = repository()
            #expect(lines.first != nil && lines.count == all.files.count + 1)
            #expect(lines.contains("model.safetensors \(sha256(weights))"))
            let model = try #require(HubCache(folder + "/hub").model(try HubReference("org/model")))
            #expect(model.commit == lines.first)
            let pulled = Data(weights)
            #expect(FileManager.default.contents(atPath: model.path + "/model.safetensors") == pulled)
            // The whole of it is there: pulling fetches no content.
            let before = server.requests.count
            let settings = HubSettings(cache: folder + "/hub", endpoint: server.address)
            #expect(try await ModelPull(settings).run(try HubReference("org/model")) == model)
            #expect(!server.requests.dropFirst(before).contains { $0.path.contains("/resolve/") })
        }
    }

    @Test func `what was pulled, huggingface_hub finds without a network`() async throws {
        try await withHub { server, folder in
            let settings = HubSettings(cache: folder + "/hub", endpoint: server.address)
            let model = try await ModelPull(settings).run(try HubReference("org/model"))
            let before = server.requests.count
            let lines = try await HubPython.run(["local", "org/model"], server, folder)
            #expect(
                lines.first == model.commit
                    && lines.dropFirst().map { $0.split(separator: " ")[0] }.sorted()
                        == neededNames.map { Substring($0) }
            )
            #expect(lines.contains("model.safetensors \(sha256(weights))"))
            let one = try await HubPython.run(["local", "org/model", "model.safetensors"], server, folder)
            #expect(one.last == "model.safetensors \(sha256(weights))" && server.requests.count == before)
            // And with a network it fetches only what it lacks.
            let all = try await HubPython.run(["download", "org/model"], server, folder)
            #expect(all.count == repository().files.count + 1)
            #expect(
                !server.requests.contains {
                    $0.isStore && $0.method == "GET" && $0.path.contains(sha256(weights)) && $0.range == nil
                })
        }
    }

    @Test func `huggingface_hub sends no token to the store either`() async throws {
        try await withHub { server, folder in
            _ = try await HubPython.run(
                ["download", "org/model", "model.safetensors"], server, folder, environment: ["HF_TOKEN": "hf_secret"])
            let requests = server.requests
            #expect(requests.contains { $0.authorization == "Bearer hf_secret" } && requests.contains(where: \.isStore))
            #expect(requests.allSatisfy { !$0.isStore || $0.authorization == nil })
        }
    }
}

enum HubPython {
    static let executable: String? = {
        let given = ProcessInfo.processInfo.environment["NEPHELE_PYTHON"]
        return [given, "/usr/bin/python3"].compactMap { $0 }.first { path in
            let process = Process()
            process.executableURL = URL(fileURLWithPath: path)
            process.arguments = [
                "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('huggingface_hub') is None)",
            ]
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { return false }
            process.waitUntilExit()
            return process.terminationStatus == 0
        }
    }()

    /// Runs `hub_client.py`, and gives back its lines.
    static func run(
        _ arguments: [String], _ server: HubServer, _ folder: String, environment: [String: String] = [:]
    ) async throws -> [String] {
        // A file, not a pipe: the threads that serve must not wait for what the script says.
        let output = URL(fileURLWithPath: folder + "/said-\(UUID().uuidString)")
        try Data().write(to: output)
        defer { try? FileManager.default.removeItem(at: output) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(executable))
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/hub_client.py"
        process.arguments = [script] + arguments
        process.environment = [
            "HF_ENDPOINT": server.address, "HF_HUB_CACHE": folder + "/hub", "HF_HOME": folder + "/home", "HOME": folder,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_XET": "1", "PATH": "/usr/bin:/bin",
            "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "*",
        ].merging(environment) { $1 }
        process.standardOutput = try FileHandle(forWritingTo: output)
        let status = try await withCheckedThrowingContinuation { (done: CheckedContinuation<Int32, any Error>) in
            process.terminationHandler = { done.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { done.resume(throwing: error) }
        }
        try #require(status == 0, "hub_client.py \(arguments) failed")
        return try String(contentsOf: output, encoding: .utf8).split(separator: "\n").map { String($0) }
    }
}
