import GGUF
package import Layers
package import Tensors

/// The identity of a generation's arithmetic: instances with equal ids continue each other's work.
package enum NumericsID {
    /// Over configuration, weights, tokenizer hash, precision and order of additions.
    ///
    /// - Parameters:
    ///   - directory: of the checkpoint, or its GGUF file.
    ///   - cache: remembers the files' digests.
    /// - Throws: `TextModelError.invalidCheckpoint` when a file cannot be read.
    package static func compute(
        directory: String, tokenizerHash: String, precision: Precision = .auto,
        activations: ActivationPrecision = .auto, cachePrecision: CachePrecision = .f32, cache: CacheDirectory? = nil
    ) throws(TextModelError) -> String {
        // Which tokens end a text stands in generation_config.json.
        try compute(
            "\(precision.rawValue) weights, \(activations.rawValue) activations, \(cachePrecision.rawValue) cache, "
                + "tokenizer \(tokenizerHash)",
            files: SentenceFiles.names(directory: directory).union(["config.json", "generation_config.json"]),
            directory: directory, cache: cache)
    }

    /// What packed weights are known by: configuration, weights and precision, and which layers they are of.
    ///
    /// - Throws: `TextModelError.invalidCheckpoint` when a file cannot be read.
    package static func packedKey(
        directory: String, layers: Range<Int>?, precision: Precision, cache: CacheDirectory
    ) throws(TextModelError) -> String {
        let part = layers.map { ", layers \($0.lowerBound)-\($0.upperBound - 1)" } ?? ""
        return try compute(
            "\(precision.rawValue) weights, packed\(part)", files: ["config.json"], directory: directory, cache: cache)
    }

    /// - Parameter files: those that count besides the weights'.
    private static func compute(
        _ kind: String, files: Set<String>, directory: String, cache: CacheDirectory?
    ) throws(TextModelError) -> String {
        var digest = NumericsDigest(kind, cache: cache)
        do {
            if let file = try GGUFLocation.file(at: directory) {
                for part in try GGUFParts.paths(of: file) { try digest.add(file: part) }
            } else {
                try digest.add(directory: directory) {
                    files.contains($0) || !$0.contains("/") && $0.hasSuffix(".safetensors")
                }
            }
        } catch let error as TensorError {
            throw TextModelError(error)
        } catch {
            throw TextModelError(.invalidCheckpoint, "\(error)")
        }
        return digest.finish()
    }

    /// The identity of a model that an adapter changes.
    ///
    /// - Parameters:
    ///   - base: of the model alone.
    ///   - contentID: the adapter's.
    package static func adapted(_ base: String, by contentID: String) -> String {
        NumericsDigest("\(base) with adapter \(contentID)").finish()
    }
}
