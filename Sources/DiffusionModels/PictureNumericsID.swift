import Foundation
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

    /// What the weights of a diffusers directory take, in bytes, as its files hold them.
    package static func weightsSize(directory: String) -> Int {
        let files = FileManager.default
        let paths = (try? files.subpathsOfDirectory(atPath: directory)) ?? []
        return paths.filter { $0.hasSuffix(".safetensors") }.reduce(0) { total, path in
            let attributes = try? files.attributesOfItem(atPath: directory + "/" + path)
            return total + (attributes?[.size] as? Int ?? 0)
        }
    }
}
