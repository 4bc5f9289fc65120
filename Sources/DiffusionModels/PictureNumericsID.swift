import Tensors

/// The identity of a drawing's arithmetic: instances with equal ids draw the same pictures from the same seeds.
package enum PictureNumericsID {
    /// Over all configurations and weights of a diffusers directory, precision and order of additions.
    ///
    /// - Throws: `DiffusionError.invalidCheckpoint` when a file cannot be read.
    package static func compute(directory: String) throws(DiffusionError) -> String {
        var digest = NumericsDigest("f32")
        do {
            try digest.add(directory: directory) { $0.hasSuffix(".safetensors") || $0.hasSuffix(".json") }
        } catch {
            throw DiffusionError(error)
        }
        return digest.finish()
    }
}
