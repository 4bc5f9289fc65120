import Foundation
import ModelHub

/// What a hub answers about a repository, and the choice among the files that it names.
struct HubTarget: FuzzTarget {
    let kind = SampleKind.text
    let samples: [[UInt8]]
    private let references: [HubReference]

    init() throws {
        references = try ["org/model", "org/model:Q4_K_M", "org/model:x/y.gguf", "org/model@v1"].map {
            try HubReference($0)
        }
        let (sha, oid) = (String(repeating: "a", count: 64), String(repeating: "b", count: 40))
        func file(_ path: String, isLarge: Bool = false) -> String {
            #"{"type":"file","oid":"\#(oid)","size":12,"path":"\#(path)""#
                + (isLarge ? #","lfs":{"oid":"\#(sha)","size":12,"pointerSize":134}}"# : "}")
        }
        let folder = #"{"type":"directory","oid":"\#(oid)","size":0,"path":"1_Pooling"}"#
        let model = [file("config.json"), file("tokenizer.json"), file("model.safetensors", isLarge: true), folder]
        let parts = (1...2).map { file("Q4_K_M/m-Q4_K_M-0000\($0)-of-00002.gguf", isLarge: true) }
        let whole = (model + [file("1_Pooling/config.json")]).joined(separator: ",")
        let quantized = (parts + [file("m-UD-Q8_0.gguf", isLarge: true), file("x/y.gguf")]).joined(separator: ", ")
        let information = #"{"id":"org/model","sha":"\#(oid)","siblings":[{"rfilename":"config.json"}]}"#
        let link =
            #"<https://h/api/models/org/model/tree/main?cursor=Zm9v&recursive=true>; rel="next", <x>; rel="prev""#
        let name = "org/model-GGUF@refs/pr/1:Q4_K_M/m-00001-of-00002.gguf"
        let all: [String] = ["[\(whole)]", "[\(quantized)]", information, link, name]
        samples = all.map { Array($0.utf8) }
    }

    mutating func run(_ input: [UInt8]) throws {
        _ = try? HubAnswer.commit(input)
        let text = String(decoding: input, as: UTF8.self)
        _ = HubAnswer.nextQuery(link: text)
        if let reference = try? HubReference(text) {
            try check(reference.repository)
            try check(reference.revision)
            _ = (reference.servedName, reference.description)
        }
        guard let files = try? HubAnswer.files(input) else { return }
        for file in files { try check(file.path) }
        for reference in references {
            guard let needed = try? NeededFiles(of: files, for: reference) else { continue }
            guard needed.file.map({ path in needed.files.contains { $0.path == path } }) ?? true else {
                throw FuzzFinding(description: "the file to load is not among those that are fetched")
            }
        }
    }

    /// No path that was let in leads out of its folder.
    private func check(_ path: String) throws {
        let base = "/base/folder"
        let real = URL(fileURLWithPath: base + "/" + path).standardizedFileURL.path
        guard real.utf8.starts(with: (base + "/").utf8), !path.utf8.contains(0) else {
            throw FuzzFinding(description: "'\(path)' leads out of its folder")
        }
    }
}

/// A manifest of Ollama's, and the parameters of a model.
struct OllamaTarget: FuzzTarget {
    let kind = SampleKind.text
    let samples: [[UInt8]]
    private let scratch: Scratch
    private static let manifest = "manifests/registry.ollama.ai/library/m/latest"
    private static let (model, parameters) = (String(repeating: "a", count: 64), String(repeating: "c", count: 64))
    private let whole: [UInt8]

    init() throws {
        scratch = try Scratch()
        for folder in ["manifests/registry.ollama.ai/library/m", "blobs"] {
            try FileManager.default.createDirectory(
                atPath: scratch.path + "/" + folder, withIntermediateDirectories: true)
        }
        try scratch.write(Array("GGUF".utf8), to: "blobs/sha256-\(Self.model)")
        func layer(_ kind: String, _ digest: String) -> String {
            #"{"mediaType":"application/vnd.ollama.image.\#(kind)","digest":"sha256:\#(digest)","size":4}"#
        }
        whole = Array(
            #"{"schemaVersion":2,"layers":[\#(layer("model", Self.model)),\#(layer("params", Self.parameters))]}"#.utf8)
        let more = ["template", "system", "license", "messages", "adapter", "projector"].map { layer($0, Self.model) }
        samples =
            [whole]
            + [
                #"{"schemaVersion":2,"config":{"size":1},"layers":[\#(more.joined(separator: ",")),\#(layer("model", Self.model))]}"#,
                #"{"stop":["<|im_end|>"],"temperature":0.7,"top_k":40,"top_p":0.9,"min_p":0.05,"num_ctx":4096}"#,
            ].map { Array($0.utf8) }
    }

    mutating func run(_ input: [UInt8]) throws {
        let store = OllamaStore(root: scratch.path)
        // As a manifest, then as parameters.
        for (manifest, parameters) in [(input, Array("{}".utf8)), (whole, input)] {
            try scratch.write(manifest, to: Self.manifest)
            try scratch.write(parameters, to: "blobs/sha256-\(Self.parameters)")
            guard let model = try? store.model("m") else { continue }
            guard model.file.hasPrefix(scratch.path + "/blobs/sha256-") else {
                throw FuzzFinding(description: "'\(model.file)' lies outside of the store")
            }
        }
    }
}
