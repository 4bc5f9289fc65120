import GGUF
package import Tensors

/// The identity of a generation's arithmetic: instances with equal ids continue each other's work.
package enum NumericsID {
    /// Over configuration, weights, tokenizer hash, precision and order of additions.
    ///
    /// - Parameter directory: of the checkpoint, or its GGUF file.
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
            if let file = try GGUFLocation.file(at: directory) {
                try digest.add(file: file)
            } else {
                try digest.add(directory: directory) {
                    !$0.contains("/") && ($0.hasSuffix(".safetensors") || $0 == "config.json")
                }
            }
        } catch let error as TensorError {
            throw TextModelError(error)
        } catch {
            throw TextModelError(.invalidCheckpoint, "\(error)")
        }
        return digest.finish()
    }
}
