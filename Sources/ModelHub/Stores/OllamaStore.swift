internal import Foundation
internal import JSON

/// Ollama's store, read where it lies: `manifests/HOST/NAMESPACE/NAME/TAG` names a model's layers, `blobs/sha256-…` are they.
package struct OllamaStore: Sendable {
    package static let scheme = "ollama:"
    private static let manifestLimit = 1 << 20

    let root: String

    package init(root: String) { self.root = root }

    /// Where the environment says, or where Ollama's own programs have it: the user's, or the service's.
    package init(environment: [String: String]) {
        let own = environment["OLLAMA_MODELS"].flatMap { $0.isEmpty ? nil : $0 }
        let places = [(environment["HOME"] ?? "") + "/.ollama/models", "/usr/share/ollama/.ollama/models"]
        root = own ?? places.first { FileManager.default.fileExists(atPath: $0 + "/manifests") } ?? places[0]
    }

    /// A model of the store.
    package struct Model: Sendable, Equatable {
        /// As it is called: `smollm2`, or with a tag that is not `latest`, `smollm2:135m`.
        package var name: String
        /// The GGUF file; its name has no suffix.
        package var file: String
        /// What requests get that say nothing, by the names of `generation_config.json`.
        package var defaults: [(name: String, value: String)] = []
        /// What of the model is not used, a sentence each.
        package var unused: [String] = []

        package static func == (one: Model, other: Model) -> Bool {
            one.name == other.name && one.file == other.file && one.unused == other.unused
                && one.defaults.map(\.name) == other.defaults.map(\.name)
                && one.defaults.map(\.value) == other.defaults.map(\.value)
        }
    }

    /// - Parameter text: `NAME`, `NAME:TAG`, `NAMESPACE/NAME:TAG` or `HOST/NAMESPACE/NAME:TAG`, with or without `ollama:`.
    /// - Throws: `HubError` that names the model, or the manifest at fault.
    package func model(_ text: String) throws(HubError) -> Model {
        let own = text.hasPrefix(Self.scheme) ? String(text.dropFirst(Self.scheme.count)) : text
        let slash = own.lastIndex(of: "/")
        let last = slash.map { own[own.index(after: $0)...] } ?? own[...]
        let colon = last.firstIndex(of: ":")
        let tag = colon.map { String(own[own.index(after: $0)...]) } ?? "latest"
        let path = colon.map { String(own[..<$0]) } ?? own
        var parts = path.split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
        guard (1...3).contains(parts.count), (parts + [tag]).allSatisfy({ HubFile.isSafe($0) && !$0.contains(" ") })
        else {
            throw HubError(
                .invalidName, "'\(text.prefix(200).printable)' names no model of Ollama; write NAME or NAME:TAG")
        }
        if parts.count == 1 { parts.insert("library", at: 0) }
        if parts.count == 2 { parts.insert("registry.ollama.ai", at: 0) }
        let manifest = "\(root)/manifests/\(parts.joined(separator: "/"))/\(tag)"
        guard let size = HubCache.size(at: manifest), size <= Self.manifestLimit,
            let data = FileManager.default.contents(atPath: manifest)
        else {
            throw HubError(
                .notFound,
                "Ollama has no '\(own)' in \(root)\(names()); OLLAMA_MODELS names another store, `ollama pull` fetches one"
            )
        }
        var model = Model(name: tag == "latest" ? path : own, file: "")
        for layer in try Self.layers(Array(data), of: manifest) {
            try take(layer, into: &model, manifest)
        }
        guard !model.file.isEmpty else {
            throw HubError(
                .unsupported, "\(manifest) has no layer of weights in GGUF; another format of Ollama's is not read")
        }
        return model
    }

    /// What there is, for messages.
    private func names() -> String {
        let library = root + "/manifests/registry.ollama.ai/library"
        let found = ((try? FileManager.default.contentsOfDirectory(atPath: library)) ?? []).sorted().flatMap { name in
            ((try? FileManager.default.contentsOfDirectory(atPath: library + "/" + name)) ?? []).sorted().map {
                name + ":" + $0
            }
        }
        return found.isEmpty ? "" : " (there is: \(found.prefix(20).joined(separator: ", ").printable))"
    }

    // MARK: Manifest

    /// One layer of a manifest.
    package struct Layer: Sendable, Equatable {
        /// Behind `application/vnd.ollama.image.`: `model`, `template`, `params`, …
        package var kind: String
        /// SHA-256, 64 digits.
        package var digest: String
        package var size: Int
    }

    /// - Throws: `HubError.malformed`.
    package static func layers(_ manifest: [UInt8], of path: String) throws(HubError) -> [Layer] {
        let document: JSONValue
        do throws(JSONError) { document = try JSONParser.parse(manifest) } catch {
            throw HubError(.malformed, "\(path) is not JSON: \(error.problem.prefix(200))")
        }
        guard let entries = document["layers"]?.elements, entries.count <= 1_000 else {
            throw HubError(.malformed, "\(path) is no manifest of Ollama's: it has no \"layers\"")
        }
        var layers: [Layer] = []
        for entry in entries {
            let prefix = "application/vnd.ollama.image."
            guard let type = entry["mediaType"]?.text, type.hasPrefix(prefix) else {
                throw HubError(.malformed, "\(path) has a layer whose \"mediaType\" is none of Ollama's")
            }
            guard let digest = entry["digest"]?.text, digest.hasPrefix("sha256:"), digest.utf8.count == 71,
                String(digest.dropFirst(7)).isLowercaseHexadecimal,
                case .number(let number)? = entry["size"], let size = number.integer(Int.self), size >= 0
            else { throw HubError(.malformed, "\(path) has a layer without a SHA-256 \"digest\" or a \"size\"") }
            layers.append(
                Layer(
                    kind: String(type.dropFirst(prefix.count)).prefix(100).printable,
                    digest: String(digest.dropFirst(7)),
                    size: size))
        }
        return layers
    }

    private func take(_ layer: Layer, into model: inout Model, _ manifest: String) throws(HubError) {
        let blob = "\(root)/blobs/sha256-\(layer.digest)"
        switch layer.kind {
        case "model":
            guard model.file.isEmpty else {
                throw HubError(.unsupported, "\(manifest) has weights in several layers, which is not supported")
            }
            guard HubCache.size(at: blob) == layer.size else {
                throw HubError(
                    .malformed, "\(blob) has not the \(layer.size) bytes that \(manifest) says; `ollama pull` it again")
            }
            model.file = blob
        case "adapter":
            throw HubError(
                .unsupported,
                "\(manifest) has a layer of adapters, which would be left out; serve its base model and give "
                    + "the adapter with --adapter")
        case "params": try takeParameters(blob, into: &model)
        case "template":
            model.unused.append("its template in Go's language is not used; the chat template in the GGUF file is")
        case "system": model.unused.append("its system prompt is not used; a preset of --routes gives one")
        case "messages": model.unused.append("its messages are not used; a request gives its own")
        case "projector": model.unused.append("its part for pictures is not used: prompts have no pictures")
        case "license": break
        default: model.unused.append("its layer '\(layer.kind)' is not known and not used")
        }
    }

    /// What Ollama calls a parameter, and what `generation_config.json` calls the same.
    private static let defaults = ["temperature": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p"]

    private func takeParameters(_ blob: String, into model: inout Model) throws(HubError) {
        guard let size = HubCache.size(at: blob), size <= Self.manifestLimit,
            let data = FileManager.default.contents(atPath: blob), let parsed = try? JSONParser.parse(Array(data)),
            case .object(let object) = parsed
        else { throw HubError(.malformed, "\(blob), the model's parameters, cannot be read; `ollama pull` it again") }
        var others: [String] = []
        for (name, value) in object.members {
            if let own = Self.defaults[name], case .number(let number) = value, number.double.isFinite {
                model.defaults.append((own, number.text))
            } else {
                others.append(String(name.prefix(40)).printable)
            }
        }
        guard !others.isEmpty else { return }
        model.unused.append(
            "of its parameters \(others.prefix(20).joined(separator: ", ")) are not used; requests give their own")
    }
}
