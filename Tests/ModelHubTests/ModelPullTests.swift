import Foundation
import Testing

@testable import ModelHub

/// A folder for the time of a test.
func withFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.path + "/nephele-hub-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try await body(folder)
}

/// Bytes that look like nothing, the same for the same seed.
func noise(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed &+ 0x9E37_79B9_7F4A_7C15
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}

/// A repository as they are: a model in two formats, and files that nobody needs.
func repository(weights: Int = 300_000) -> HubServer.Repository {
    HubServer.Repository([
        "config.json": Array(#"{"model_type":"llama"}"#.utf8), "tokenizer.json": noise(30_000, seed: 1),
        "tokenizer_config.json": Array("{}".utf8), "README.md": Array("# A model".utf8),
        "model.safetensors": noise(weights, seed: 2), "pytorch_model.bin": noise(50_000, seed: 3),
        "onnx/model.onnx": noise(40_000, seed: 4), "generation_config.json": [],
    ])
}

let neededNames = [
    "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
]

@Suite(.timeLimit(.minutes(5))) struct ModelPullTests {
    private func settings(_ server: HubServer, _ folder: String, token: String? = nil) -> HubSettings {
        var settings = HubSettings(cache: folder, endpoint: server.address, token: token)
        settings.firstPause = .milliseconds(5)
        settings.rangeSize = 64 << 10
        return settings
    }

    /// Serves one repository, `org/model`, and pulls from it.
    private func withHub(
        _ repository: HubServer.Repository, pageSize: Int = 1_000,
        _ body: @Sendable @escaping (HubServer, String) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            try await HubServer(["org/model": repository], pageSize: pageSize).run { try await body($0, folder) }
        }
    }

    private func pull(
        _ server: HubServer, _ folder: String, _ reference: String = "org/model", token: String? = nil
    ) async throws -> PulledModel {
        try await ModelPull(settings(server, folder, token: token)).run(try HubReference(reference))
    }

    private func names(below folder: String) -> [String] {
        (FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []).sorted()
    }

    @Test func `what a model needs comes whole, into the hub's own layout, and nothing else`() async throws {
        let repository = repository()
        try await withHub(repository, pageSize: 3) { server, folder in
            let model = try await pull(server, folder)
            #expect(model.commit == repository.commit)
            #expect(model.path == "\(folder)/models--org--model/snapshots/\(repository.commit)")
            #expect(names(below: model.path) == neededNames)
            for name in neededNames {
                #expect(
                    FileManager.default.contents(atPath: model.path + "/" + name).map { Array($0) }
                        == repository.files[name])
            }
            let weights = repository.files["model.safetensors"] ?? []
            #expect(
                try FileManager.default.destinationOfSymbolicLink(atPath: model.path + "/model.safetensors")
                    == "../../blobs/\(sha256(weights))")
            let main = folder + "/models--org--model/refs/main"
            #expect(try String(contentsOfFile: main, encoding: .utf8) == repository.commit)
            // Nothing is left of the way there.
            #expect(!names(below: folder + "/models--org--model/blobs").contains { $0.contains("nephele") })
            // In ranges, side by side; a page of files after the other.
            let ranges = server.requests.filter { $0.isStore && $0.path.contains(sha256(weights)) }
            #expect(ranges.count == 5 && ranges.allSatisfy { $0.range != nil })
            #expect(server.requests.count { $0.path.contains("/tree/") } == 3)
            // What is there is not fetched again, and needs no network.
            let before = server.requests.count
            #expect(try await pull(server, folder) == model)
            #expect(server.requests.count == before + 4)
            #expect(HubCache(folder).model(try HubReference("org/model")) == model)
        }
    }

    @Test func `a new commit brings what has changed, and the old snapshot stays`() async throws {
        try await withHub(repository()) { server, folder in
            let first = try await pull(server, folder)
            server.change("org/model") {
                $0.files["config.json"] = Array("{ }".utf8)
                let old = $0.commit
                $0 = HubServer.Repository($0.files)
                $0.refs = [old: old]
            }
            let before = server.requests.count
            let second = try await pull(server, folder)
            #expect(second.commit != first.commit && names(below: first.path) == neededNames)
            #expect(server.requests.dropFirst(before).count { $0.path.contains("/resolve/") } == 1)
            #expect(FileManager.default.contents(atPath: second.path + "/config.json") == Data("{ }".utf8))
            #expect(try await pull(server, folder, "org/model@\(first.commit)").path == first.path)
        }
    }

    @Test func `branches, pull requests and commits are revisions`() async throws {
        var repository = repository()
        repository.refs = ["refs/pr/1": repository.commit, "v1.0": repository.commit]
        try await withHub(repository) { server, folder in
            for revision in ["refs/pr/1", "v1.0", "main"] {
                _ = try await pull(server, folder, "org/model@" + revision)
                let ref = "\(folder)/models--org--model/refs/\(revision)"
                #expect(FileManager.default.fileExists(atPath: ref), "\(revision)")
            }
            let error = await #expect(throws: HubError.self) { try await pull(server, folder, "org/model@nope") }
            #expect(error?.code == .notFound && error?.message.contains("revision") == true)
        }
    }

    // MARK: Tokens

    @Test func `the token goes to the hub and to nobody else`() async throws {
        var repository = repository()
        repository.token = "hf_secret"
        try await withHub(repository) { server, folder in
            let refused = await #expect(throws: HubError.self) { try await pull(server, folder) }
            #expect(refused?.code == .notFound && refused?.message.contains("HF_TOKEN") == true)
            let wrong = await #expect(throws: HubError.self) { try await pull(server, folder, token: "hf_wrong") }
            #expect(wrong?.message.contains("hf_wrong") == false)
            _ = try await pull(server, folder, token: "hf_secret")
            let requests = server.requests
            #expect(requests.contains { $0.isStore } && requests.contains { $0.authorization == "Bearer hf_secret" })
            #expect(requests.allSatisfy { !$0.isStore || $0.authorization == nil })
        }
    }

    @Test func `a gated model says what is to be done`() async throws {
        var repository = repository()
        repository.isGated = true
        try await withHub(repository) { server, folder in
            let error = await #expect(throws: HubError.self) { try await pull(server, folder) }
            #expect(error?.code == .refused && error?.message.contains("terms") == true)
        }
    }

    // MARK: Faults

    @Test func `what fails for a while is tried again, and goes on where it broke off`() async throws {
        try await withHub(repository()) { server, folder in
            server.fail("/api/models", .status(503))
            server.fail("/tree/", .status(429, ["Retry-After": "0"]))
            server.fail("/resolve/", .status(502), times: 2)
            server.fail("/blobs/", .breakOff(after: 10_000), times: 3)
            let model = try await pull(server, folder)
            #expect(names(below: model.path) == neededNames)
            let ranges = server.requests.filter(\.isStore).compactMap(\.range)
            #expect(ranges.contains { $0.hasPrefix("bytes=10000-") || $0.hasPrefix("bytes=75536-") })
        }
    }

    @Test func `what never comes back ends with what it was, and the next try goes on from there`() async throws {
        let repository = repository()
        try await withHub(repository) { server, folder in
            server.fail("/resolve/\(repository.commit)/tokenizer.json", .status(500), times: 6)
            let error = await #expect(throws: HubError.self) { try await pull(server, folder) }
            #expect(error?.code == .unreachable && error?.message.contains("HTTP 500") == true)
            // Nobody sees a half of a model.
            #expect(names(below: folder + "/models--org--model/snapshots").isEmpty)
            #expect(HubCache(folder).model(try HubReference("org/model")) == nil)
            _ = try await pull(server, folder)
        }
    }

    @Test func `a pull that was ended goes on with the ranges that are missing`() async throws {
        let repository = repository(weights: 2_000_000)
        try await withHub(repository) { server, folder in
            let weights = sha256(repository.files["model.safetensors"] ?? [])
            let progress = PullProgress()
            let first = Task {
                try await ModelPull(settings(server, folder)).run(try HubReference("org/model"), progress: progress)
            }
            while progress.state.received < 700_000 { try await Task.sleep(for: .milliseconds(1)) }
            first.cancel()
            _ = await first.result
            let blob = "\(folder)/models--org--model/blobs/\(weights)"
            try #require(!FileManager.default.fileExists(atPath: blob), "it was done before it was ended")
            let partial = try PartialFile(blob: blob, size: 2_000_000, rangeSize: 64 << 10)
            let missing = partial.missing.count
            #expect(missing > 0 && missing < partial.rangeCount)
            let before = server.requests.count
            let model = try await pull(server, folder)
            #expect(server.requests.dropFirst(before).count { $0.path.contains(weights) } == missing)
            #expect(
                FileManager.default.contents(atPath: model.path + "/model.safetensors")
                    == Data(repository.files["model.safetensors"] ?? []))
        }
    }

    @Test func `a server without ranges gives a file in one`() async throws {
        try await withHub(repository()) { server, folder in
            server.fail("/blobs/", .noRanges, times: 1_000)
            let model = try await pull(server, folder)
            #expect(names(below: model.path) == neededNames)
        }
    }

    @Test func `content that is not what its digest says is thrown away`() async throws {
        let repository = repository()
        try await withHub(repository) { server, folder in
            server.fail(sha256(repository.files["model.safetensors"] ?? []), .corrupt)
            let error = await #expect(throws: HubError.self) { try await pull(server, folder) }
            #expect(error?.code == .mismatch && error?.message.contains("model.safetensors") == true)
            let weights = sha256(repository.files["model.safetensors"] ?? [])
            #expect(!names(below: folder + "/models--org--model/blobs").contains { $0.hasPrefix(weights) })
            server.fail("/resolve-cache/", .corrupt, times: 1)
            let small = await #expect(throws: HubError.self) { try await pull(server, folder + "/other") }
            #expect(small?.code == .mismatch)
            _ = try await pull(server, folder)
        }
    }

    @Test func `ranges of an earlier run that went bad meanwhile are fetched anew`() async throws {
        let repository = repository()
        try await withHub(repository) { server, folder in
            let content = repository.files["model.safetensors"] ?? []
            let blob = "\(folder)/models--org--model/blobs/\(sha256(content))"
            try FileManager.default.createDirectory(
                atPath: URL(fileURLWithPath: blob).deletingLastPathComponent().path, withIntermediateDirectories: true)
            let partial = try PartialFile(blob: blob, size: content.count, rangeSize: 64 << 10)
            try partial.finish(0)  // which is nothing but zeros
            let model = try await pull(server, folder)
            #expect(FileManager.default.contents(atPath: model.path + "/model.safetensors") == Data(content))
        }
    }

    @Test func `sizes that lie and bodies without an end are refused`() async throws {
        let repository = repository()
        try await withHub(repository) { server, folder in
            server.fail("/blobs/", .endless)
            let endless = await #expect(throws: HubError.self) { try await pull(server, folder) }
            #expect(endless?.code == .malformed)
            let hash = sha256(repository.files["model.safetensors"] ?? [])
            for size in ["17", "-1", "1e99", "99999999999999999999", "\"many\"", "null"] {
                server.fail(
                    "/tree/",
                    .body(
                        #"[{"type":"file","path":"config.json","oid":"\#(gitHash([]))","size":0},{"type":"file","oid":"\#(hash)","#
                            + #""path":"model.safetensors","size":1,"lfs":{"oid":"\#(hash)","size":\#(size)}}]"#))
                let error = await #expect(throws: HubError.self) { try await pull(server, folder) }
                #expect(error?.code == .malformed, "\(size)")
            }
            // More than any disk has.
            server.fail(
                "/tree/",
                .body(
                    #"[{"type":"file","path":"config.json","oid":"\#(gitHash([]))","size":0},{"type":"file","oid":"\#(hash)","#
                        + #""path":"model.safetensors","size":1,"lfs":{"oid":"\#(hash)","size":\#(1 << 49)}}]"#))
            let full = await #expect(throws: HubError.self) { try await pull(server, folder) }
            #expect(full?.code == .disk && full?.message.contains("536870912 MiB") == true)
        }
    }

    @Test(arguments: [
        "../evil", "/etc/passwd", "a/../../b", "a//b", "a\\u0000b", "./a", "a/.", "..", "a\\\\b", "", "../\u{301}evil",
        "a/\u{301}/../\u{301}../x",
    ]) func `a path that leads elsewhere is refused`(path: String) async throws {
        try await withHub(repository()) { server, folder in
            server.fail(
                "/tree/",
                .body(#"[{"type":"file","path":"\#(path)","oid":"\#(gitHash([]))","size":0}]"#))
            let error = await #expect(throws: HubError.self) { try await pull(server, folder) }
            #expect(error?.code == .malformed && error?.message.contains("\0") == false)
            #expect(names(below: folder).isEmpty)
        }
    }

    @Test func `answers that are none are refused`() async throws {
        try await withHub(repository()) { server, folder in
            for body in [
                "", "<html>", "[]", #"{"sha":"../../x"}"#, #"{"sha":1}"#, String(repeating: "[", count: 10_000),
            ] {
                server.fail("/revision/", .body(body))
                let error = await #expect(throws: HubError.self) { try await pull(server, folder) }
                #expect(error?.code == .malformed, "\(body.prefix(20))")
            }
            server.fail("/resolve/", .status(302, ["Location": "/org/model/resolve/round"]))
            server.fail("/resolve/round", .status(302, ["Location": "/org/model/resolve/round"]), times: 100)
            let round = await #expect(throws: HubError.self) { try await pull(server, folder) }
            #expect(round?.code == .malformed)
            server.fail("/revision/", .status(429, ["Retry-After": "86400"]))
            let late = await #expect(throws: HubError.self) { try await pull(server, folder) }
            #expect(late?.code == .unreachable)
        }
    }

    // MARK: Other processes, and none

    @Test func `two pulls at once fetch each file once`() async throws {
        let repository = repository(weights: 1_000_000)
        try await withHub(repository) { server, folder in
            async let first = pull(server, folder)
            async let second = pull(server, folder)
            let (one, other) = try await (first, second)
            #expect(one == other)
            let weights = sha256(repository.files["model.safetensors"] ?? [])
            #expect(server.requests.count { $0.isStore && $0.path.contains(weights) } == 16)
        }
    }

    @Test func `without a network there is what is there`() async throws {
        try await withHub(repository()) { server, folder in
            var offline = settings(server, folder)
            offline.isOffline = true
            let error = await #expect(throws: HubError.self) {
                try await ModelPull(offline).run(try HubReference("org/model"))
            }
            #expect(error?.code == .offline && server.requests.isEmpty)
            let model = try await pull(server, folder)
            let before = server.requests.count
            #expect(try await ModelPull(offline).run(try HubReference("org/model")) == model)
            #expect(server.requests.count == before)
            var nowhere = settings(server, folder)
            nowhere.endpoint = "http://127.0.0.1:9"
            let unreachable = await #expect(throws: HubError.self) {
                try await ModelPull(nowhere).run(try HubReference("org/model"))
            }
            #expect(unreachable?.code == .unreachable && unreachable?.message.contains("HF_ENDPOINT") == true)
        }
    }

    @Test func `a snapshot that lacks what its own files speak of is not served`() async throws {
        try await withFolder { folder in
            let commit = String(repeating: "a", count: 40)
            let snapshot = folder + "/models--org--model/snapshots/" + commit
            try FileManager.default.createDirectory(atPath: snapshot, withIntermediateDirectories: true)
            func write(_ name: String, _ text: String) throws {
                try text.write(toFile: snapshot + "/" + name, atomically: true, encoding: .utf8)
            }
            func isThere() throws -> Bool { HubCache(folder).model(try HubReference("org/model@" + commit)) != nil }
            try write("config.json", "{}")
            try write("tokenizer.json", "{}")
            #expect(try !isThere())
            try write("model-00001-of-00002.safetensors", "x")
            try write(
                "model.safetensors.index.json",
                #"{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}"#)
            #expect(try !isThere())
            try write("model-00002-of-00002.safetensors", "x")
            #expect(try isThere())
            try write("modules.json", #"[{"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}]"#)
            #expect(try !isThere())
        }
    }
}
