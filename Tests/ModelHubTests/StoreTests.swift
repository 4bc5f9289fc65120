import Foundation
import Testing

@testable import ModelHub

@Suite struct StoreTests {
    /// A store as `ollama pull` leaves it.
    private func withOllama(
        _ layers: [(kind: String, content: String)], at place: String = "registry.ollama.ai/library/smol/135m",
        _ body: (OllamaStore, String) async throws -> Void
    ) async throws {
        try await withFolder { root in
            let manifest = "\(root)/manifests/\(place)"
            for folder in [URL(fileURLWithPath: manifest).deletingLastPathComponent().path, root + "/blobs"] {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
            let entries = try layers.map { kind, content in
                let digest = sha256(Array(content.utf8))
                try content.write(toFile: "\(root)/blobs/sha256-\(digest)", atomically: true, encoding: .utf8)
                return #"{"mediaType":"application/vnd.ollama.image.\#(kind)","digest":"sha256:\#(digest)","#
                    + #""size":\#(content.utf8.count)}"#
            }
            let text =
                #"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","#
                + #""config":{"digest":"sha256:0","size":1},"layers":[\#(entries.joined(separator: ","))]}"#
            try text.write(toFile: manifest, atomically: true, encoding: .utf8)
            try await body(OllamaStore(root: root), manifest)
        }
    }

    @Test func `a model of Ollama's is its GGUF file, the defaults that mean the same, and what is not used`()
        async throws
    {
        let params =
            #"{"stop":["<|im_end|>"],"temperature":0.2,"top_k":40,"top_p":0.9,"num_ctx":4096,"repeat_penalty":1.1}"#
        try await withOllama([
            ("model", "GGUF…"), ("template", "{{ .Prompt }}"), ("params", params), ("system", "Be brief."),
            ("license", "Apache"), ("projector", "x"),
        ]) { store, _ in
            let model = try store.model("ollama:smol:135m")
            #expect(model.name == "smol:135m" && FileManager.default.contents(atPath: model.file) == Data("GGUF…".utf8))
            #expect(model.defaults.map(\.name) == ["temperature", "top_k", "top_p"])
            #expect(model.defaults.map(\.value) == ["0.2", "40", "0.9"])
            #expect(model.unused.count == 4 && model.unused.contains { $0.contains("stop, num_ctx, repeat_penalty") })
            #expect(try store.model("library/smol:135m").file == model.file)
            #expect(try store.model("registry.ollama.ai/library/smol:135m").file == model.file)
            let error = #expect(throws: HubError.self) { try store.model("other") }
            #expect(error?.code == .notFound && error?.message.contains("there is: smol:135m") == true)
        }
        try await withOllama([("model", "x")], at: "hf.co/org/name/latest") { store, _ in
            let model = try store.model("hf.co/org/name")
            #expect(model.name == "hf.co/org/name")
        }
    }

    @Test func `what would compute something else, or is not whole, is refused`() async throws {
        for layers in [[("model", "x"), ("adapter", "y")], [("template", "x")], [("model", "x"), ("model", "y")]] {
            try await withOllama(layers) { store, _ in
                let error = #expect(throws: HubError.self) { try store.model("smol:135m") }
                #expect(error?.code == .unsupported)
            }
        }
        try await withOllama([("model", "GGUF")]) { store, manifest in
            let text = try String(contentsOfFile: manifest, encoding: .utf8)
            for (old, new) in [
                ("\"size\":4", "\"size\":5"), ("\"size\":4", "\"size\":-4"), ("sha256:", "sha256:../../"),
                ("\"layers\"", "\"layer\""), ("vnd.ollama.image", "vnd.other"), ("{", ""),
            ] {
                try text.replacingOccurrences(of: old, with: new).write(
                    toFile: manifest, atomically: true, encoding: .utf8)
                let error = #expect(throws: HubError.self) { try store.model("smol:135m") }
                #expect(error?.code == .malformed, "\(new)")
            }
            for name in ["", "../x", "a/../b:c", "a:../../x", "a/b/c/d", "/etc/passwd", "a:\0", "ollama:"] {
                #expect(throws: HubError.self, "\(name)") { try store.model(name) }
            }
        }
    }

    @Test func `a model of LM Studio's is a file or a folder below its organization`() async throws {
        try await withFolder { root in
            let folder = root + "/org/Model-GGUF"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for name in ["Model-Q4_K_M.gguf", "Model-Q8_0.gguf", "mmproj-Model-f16.gguf"] {
                try "x".write(toFile: folder + "/" + name, atomically: true, encoding: .utf8)
            }
            let store = LMStudioStore(roots: [root + "/none", root])
            #expect(try store.model("lmstudio:org/Model-GGUF") == ("Model", folder + "/Model-Q4_K_M.gguf"))
            #expect(try store.model("org/Model-GGUF:q8_0") == ("Model", folder + "/Model-Q8_0.gguf"))
            #expect(try store.model("org/Model-GGUF/Model-Q8_0.gguf") == ("Model-Q8_0", folder + "/Model-Q8_0.gguf"))
            let error = #expect(throws: HubError.self) { try store.model("org/other") }
            #expect(error?.message.contains("there is: org/Model-GGUF") == true)
        }
    }
}
