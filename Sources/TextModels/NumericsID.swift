package import Tensors

/// The identity of a generation's arithmetic: instances with equal ids continue each other's work.
package enum NumericsID {
    /// Over configuration, weights, tokenizer hash, precision and order of additions.
    ///
    /// - Throws: `TextModelError.invalidCheckpoint` when a file cannot be read.
    package static func compute(
        directory: String, tokenizerHash: String, precision: Precision = .auto,
        cachePrecision: CachePrecision = .f32
    )
        throws(TextModelError) -> String
    {
        var digest = NumericsDigest(
            "\(precision.rawValue) weights, \(cachePrecision.rawValue) cache, tokenizer \(tokenizerHash)")
        do {
            try digest.add(directory: directory) {
                !$0.contains("/") && ($0.hasSuffix(".safetensors") || $0 == "config.json")
            }
        } catch {
            throw TextModelError(error)
        }
        return digest.finish()
    }

    /// Of a model that an adapter changes.
    ///
    /// - Parameters:
    ///   - base: of the model alone.
    ///   - contentID: the adapter's.
    package static func adapted(_ base: String, by contentID: String) -> String {
        NumericsDigest("\(base) with adapter \(contentID)").finish()
    }
}
