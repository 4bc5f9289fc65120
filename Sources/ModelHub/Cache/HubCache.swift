internal import Foundation

/// The hub's cache folder, laid out as `huggingface_hub` lays it out, so that what one has fetched the other finds:
/// `models--ORG--NAME/blobs/DIGEST`, `snapshots/COMMIT/PATH` (links to blobs), `refs/REVISION` (a commit each), and the locks
/// of blobs that are being fetched in `.locks`.
package struct HubCache: Sendable {
    let root: String

    package init(_ root: String) { self.root = root }

    private func name(_ reference: HubReference) -> String {
        "models--" + reference.repository.replacingOccurrences(of: "/", with: "--")
    }

    func folder(_ reference: HubReference) -> String { root + "/" + name(reference) }

    func blob(_ file: HubFile, _ reference: HubReference) -> String {
        folder(reference) + "/blobs/" + file.digest.text
    }

    func lock(_ file: HubFile, _ reference: HubReference) -> String {
        "\(root)/.locks/\(name(reference))/\(file.digest.text).lock"
    }

    package func snapshot(_ reference: HubReference, _ commit: String) -> String {
        folder(reference) + "/snapshots/" + commit
    }

    // MARK: What is there

    /// The commit that the revision was when it was last asked for; nil where it never was.
    package func commit(of reference: HubReference) -> String? {
        if HubReference.isCommit(reference.revision) { return reference.revision }
        let written = FileManager.default.contents(atPath: folder(reference) + "/refs/" + reference.revision)
        let commit = String(decoding: (written ?? Data()).prefix(64), as: UTF8.self).trimmingCharacters(
            in: .whitespacesAndNewlines)
        return HubReference.isCommit(commit) ? commit : nil
    }

    /// Whether a file's content is there, as a blob or in the snapshot itself.
    func has(_ file: HubFile, _ reference: HubReference, _ commit: String) -> Bool {
        [blob(file, reference), snapshot(reference, commit) + "/" + file.path].contains {
            Self.size(at: $0) == file.size
        }
    }

    /// A model as it is served, when all of it is there.
    package func model(_ reference: HubReference) -> PulledModel? {
        guard let commit = commit(of: reference) else { return nil }
        let snapshot = snapshot(reference, commit)
        guard let needed = try? NeededFiles(of: Self.files(below: snapshot), for: reference),
            Self.isComplete(needed, in: snapshot)
        else { return nil }
        return PulledModel(needed, snapshot: snapshot, commit: commit)
    }

    /// Whether nothing is missing that the files themselves speak of. A client that asks for file after file leaves such
    /// snapshots behind.
    private static func isComplete(_ needed: NeededFiles, in snapshot: String) -> Bool {
        struct Index: Decodable { var weight_map: [String: String] }
        struct Module: Decodable {
            var path: String
            var type: String
        }
        guard needed.file == nil else { return true }
        func read<Value: Decodable>(_ file: String, _ type: Value.Type) -> Value? {
            FileManager.default.contents(atPath: snapshot + "/" + file).flatMap {
                try? JSONDecoder().decode(type, from: $0)
            }
        }
        let paths = Set(needed.files.map(\.path))
        if paths.contains("model.safetensors.index.json"), !paths.contains("model.safetensors") {
            guard let index = read("model.safetensors.index.json", Index.self),
                Set(index.weight_map.values).isSubset(of: paths)
            else { return false }
        }
        for module in read("modules.json", [Module].self) ?? [] where !module.path.isEmpty {
            guard module.type.hasSuffix("Normalize") || paths.contains(module.path + "/config.json") else {
                return false
            }
        }
        let words = ["tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json"]
        return !paths.contains("config.json") || paths.contains("model_index.json")
            || paths.contains { words.contains($0) || $0.hasSuffix(".tiktoken") || $0.hasSuffix(".bpe.model") }
            || paths.contains { $0.hasPrefix("diffusion_pytorch_model") }
    }

    /// What lies below a folder; links that lead nowhere are not there.
    static func files(below folder: String) -> [HubFile] {
        let paths = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        return paths.prefix(HubAnswer.fileLimit).compactMap { path in
            guard let size = size(at: folder + "/" + path) else { return nil }
            return HubFile(path: path, size: size, digest: .gitBlob(""))
        }
    }

    /// A file's bytes, behind links; nil where no file is.
    static func size(at path: String) -> Int? {
        let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: real),
            attributes[.type] as? FileAttributeType == .typeRegular
        else { return nil }
        return (attributes[.size] as? NSNumber)?.intValue
    }

    // MARK: What is put in

    /// Makes the folders of a repository.
    ///
    /// - Throws: `HubError.disk`.
    func prepare(_ reference: HubReference) throws(HubError) {
        for part in ["blobs", "refs", "snapshots"] { try Self.make(folder(reference) + "/" + part) }
    }

    /// Lets a snapshot have a file whose blob is there.
    func place(_ file: HubFile, _ reference: HubReference, _ commit: String) throws(HubError) {
        let path = snapshot(reference, commit) + "/" + file.path
        // A copy is as good.
        if Self.size(at: path) == file.size { return }
        let depth = file.path.utf8.count { $0 == UInt8(ascii: "/") } + 2
        let target = String(repeating: "../", count: depth) + "blobs/" + file.digest.text
        let files = FileManager.default
        try Self.make(URL(fileURLWithPath: path).deletingLastPathComponent().path)
        do {
            if (try? files.destinationOfSymbolicLink(atPath: path)) != nil || files.fileExists(atPath: path) {
                try files.removeItem(atPath: path)
            }
            try files.createSymbolicLink(atPath: path, withDestinationPath: target)
        } catch {
            // Another process was a moment earlier.
            guard Self.size(at: path) == file.size else {
                throw HubError(
                    .disk,
                    "\(path) cannot be made a link to its blob (\(error.localizedDescription)); give HF_HUB_CACHE a "
                        + "folder on a file system that has links")
            }
        }
    }

    /// Notes what a revision is.
    func note(_ commit: String, for reference: HubReference) throws(HubError) {
        guard !HubReference.isCommit(reference.revision) else { return }
        let path = folder(reference) + "/refs/" + reference.revision
        try Self.make(URL(fileURLWithPath: path).deletingLastPathComponent().path)
        do { try Data(commit.utf8).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw HubError(.disk, "\(path) cannot be written: \(error.localizedDescription)")
        }
    }

    private static func make(_ folder: String) throws(HubError) {
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
            throw HubError(
                .disk, "the folder \(folder) cannot be made (\(error.localizedDescription)); HF_HUB_CACHE names another"
            )
        }
    }

    /// Bytes that are free where the cache is; nil where nobody knows.
    func freeBytes() -> Int? {
        var folder = root
        while !FileManager.default.fileExists(atPath: folder), folder.count > 1 {
            folder = URL(fileURLWithPath: folder).deletingLastPathComponent().path
        }
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder)
        return (attributes?[.systemFreeSize] as? NSNumber)?.intValue
    }
}

/// A model that lies in the cache.
package struct PulledModel: Sendable, Equatable {
    /// The folder of its files, or its GGUF file.
    package let path: String
    package let commit: String
    /// Of the model's files together, in bytes.
    package let byteCount: Int

    init(_ needed: NeededFiles, snapshot: String, commit: String) {
        path = needed.file.map { snapshot + "/" + $0 } ?? snapshot
        (self.commit, byteCount) = (commit, needed.byteCount)
    }
}
