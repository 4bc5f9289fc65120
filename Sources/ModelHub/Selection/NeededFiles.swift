internal import GGUF

/// Which files of a repository a model is made of.
package struct NeededFiles: Sendable {
    package let files: [HubFile]
    /// The file to load, within the repository; nil for its folder.
    package let file: String?

    package var byteCount: Int { files.reduce(0) { $0.addingReportingOverflow($1.size).partialValue } }

    /// - Parameters:
    ///   - all: everything that the repository holds.
    ///   - reference: names it, and what of it is meant.
    /// - Throws: `HubError` that says what is there in the place of what is looked for.
    package init(of all: [HubFile], for reference: HubReference) throws(HubError) {
        let ggufs = all.filter { $0.name.lowercased().hasSuffix(".gguf") && !Self.isCompanion($0) }
        if let selection = reference.selection {
            if let file = all.first(where: { $0.path == selection }) {
                files = try Self.parts(of: file, among: all)
                self.file = files[0].path
                return
            }
            guard !ggufs.isEmpty else {
                throw HubError(
                    .notFound, "\(reference.repository) holds no file '\(selection)' and no GGUF files to choose among")
            }
            files = try Self.choice(selection, among: ggufs, reference)
            file = files[0].path
            return
        }
        var weights = all.filter(Self.isWeight)
        // A layer's weights alone are no model.
        if !weights.contains(where: { $0.folder.isEmpty || $0.folder == "unet" }) { weights = [] }
        if weights.isEmpty, !ggufs.isEmpty {
            files = try Self.choice(nil, among: ggufs, reference)
            file = files[0].path
            return
        }
        guard !weights.isEmpty else { throw Self.nothing(in: all, reference) }
        files = weights + all.filter(Self.isDescription)
        file = nil
        guard files.contains(where: { Self.configurations.contains($0.path) }) else {
            throw HubError(
                .unsupported,
                "\(reference.repository) has weights and none of \(Self.configurations.joined(separator: ", ")): nothing "
                    + "says what model they are")
        }
    }

    private static let configurations = ["config.json", "adapter_config.json", "model_index.json"]

    // MARK: Safetensors

    /// The model's own weights in safetensors: at the root, a sentence-transformers layer's, or a diffusers part's. Copies
    /// in other precisions (`model.fp16.safetensors`) and Mistral's `consolidated` one are left.
    private static func isWeight(_ file: HubFile) -> Bool {
        let name = file.name
        guard name.hasSuffix(".safetensors") else { return false }
        let stem = name.dropLast(".safetensors".count)
        let plain = ["model", "diffusion_pytorch_model", "adapter_model"]
        guard file.folder.isEmpty || isLayer(file.folder) || file.folder == "unet" else { return false }
        return plain.contains { own in
            stem == own || (stem.hasPrefix(own + "-") && stem.contains("-of-") && !stem.contains("."))
        }
    }

    /// What a model's own files say beside its weights.
    private static func isDescription(_ file: HubFile) -> Bool {
        let name = String(file.name)
        if name.hasSuffix(".safetensors.index.json") {
            let stem = name.dropLast(".safetensors.index.json".count)
            return !stem.contains(".") && stem != "consolidated"
        }
        switch file.folder {
        case "":
            return descriptions.contains(name) || name.hasSuffix(".tiktoken")
                || (name.hasPrefix("sentence_") && name.hasSuffix("_config.json"))
        case "additional_chat_templates": return name.hasSuffix(".jinja")
        case "unet", "scheduler": return name.hasSuffix(".json")
        default: return isLayer(file.folder) && name == "config.json"
        }
    }

    private static let descriptions: Set<String> = [
        "config.json", "generation_config.json", "adapter_config.json", "model_index.json", "scheduler_config.json",
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
        "merges.txt", "vocab.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "tekken.json",
        "chat_template.jinja", "chat_template.json", "modules.json", "config_sentence_transformers.json",
        "quantize_config.json", "quant_config.json",
    ]

    /// A folder of one layer after sentence-transformers: `1_Pooling`, `2_Dense`.
    private static func isLayer(_ folder: String) -> Bool {
        let number = folder.prefix { $0.isNumber }
        return !number.isEmpty && folder.dropFirst(number.count).hasPrefix("_") && !folder.contains("/")
    }

    private static func nothing(in all: [HubFile], _ reference: HubReference) -> HubError {
        let kinds = [".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".npz", ".safetensors"]
        let others = all.map(\.path).filter { path in kinds.contains { path.hasSuffix($0) } }.sorted()
        let there =
            others.isEmpty
            ? "none at all" : others.prefix(6).joined(separator: ", ").printable + (others.count > 6 ? ", …" : "")
        return HubError(
            .unsupported,
            "\(reference.repository) has no weights in safetensors or GGUF where a model has them; it has \(there). Look "
                + "for a conversion of it, or name a file: \(reference.repository):FILE")
    }

    // MARK: GGUF

    /// What is no model by itself: the eyes of one, statistics for quantizing, adapters.
    private static func isCompanion(_ file: HubFile) -> Bool {
        let name = file.name.lowercased()
        return name.contains("mmproj") || name.contains("imatrix") || name.contains("lora")
    }

    /// All parts of the quantization that is meant.
    private static func choice(
        _ wanted: String?, among all: [HubFile], _ reference: HubReference
    ) throws(HubError) -> [HubFile] {
        // One entry a model: its first part.
        let models = all.filter { GGUFParts.Name($0.path).map { $0.number == 1 } ?? true }
        func named(_ quantization: String) -> [HubFile] {
            let exact = models.filter {
                GGUFName($0.path).quantization.caseInsensitiveEquals(quantization)
            }
            if !exact.isEmpty { return exact }
            return models.filter {
                let stem = GGUFName($0.path).stem.lowercased()
                return ["-", ".", "_"].contains { stem.hasSuffix($0 + quantization.lowercased()) }
            }
        }
        // As llama.cpp and Ollama choose where nothing is said.
        var found = wanted.map(named) ?? named("Q4_K_M")
        if wanted == nil, found.isEmpty, models.count == 1 { found = models }
        guard found.count == 1, let file = found.first else {
            let there = Set(
                (found.isEmpty ? models : found).map {
                    found.isEmpty ? GGUFName($0.path).quantization : $0.path
                }
            ).sorted().joined(separator: ", ").printable
            if found.count > 1 {
                throw HubError(
                    .notFound, "several files of \(reference.repository) are \(wanted ?? "Q4_K_M"): \(there); name one")
            }
            throw HubError(
                .notFound,
                wanted.map { "\(reference.repository) has no \($0); it has: \(there)" }
                    ?? "\(reference.repository) has several models; name one, \(reference.repository):… of: \(there)")
        }
        return try parts(of: file, among: all)
    }

    /// A file, and the others where it is a part.
    private static func parts(of file: HubFile, among all: [HubFile]) throws(HubError) -> [HubFile] {
        guard let name = GGUFParts.Name(file.path), name.count > 1 else { return [file] }
        guard name.count <= all.count else {
            throw HubError(.notFound, "'\(file.path)' is one of \(name.count) parts, which are not all there")
        }
        let byPath = Dictionary(all.map { ($0.path, $0) }) { first, _ in first }
        var parts: [HubFile] = []
        for number in 1...name.count {
            guard let part = byPath[name.path(number)] else {
                throw HubError(
                    .notFound, "'\(name.path(number))' is missing: '\(file.path)' is one of \(name.count) parts")
            }
            parts.append(part)
        }
        return parts
    }
}

extension String {
    fileprivate func caseInsensitiveEquals(_ other: String) -> Bool { lowercased() == other.lowercased() }
}
