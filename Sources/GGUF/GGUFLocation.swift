import Foundation

/// Where a checkpoint's GGUF file is.
package enum GGUFLocation {
    package static let suffix = ".gguf"

    /// The file that `path` names: itself, or the only GGUF file of a directory without other weights.
    ///
    /// - Returns: nil where the checkpoint is no GGUF file.
    /// - Throws: `GGUFError.unsupported` for a directory with several.
    package static func file(at path: String) throws(GGUFError) -> String? {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            return path.hasSuffix(suffix) && FileManager.default.fileExists(atPath: path) ? path : nil
        }
        let found = names.filter { $0.hasSuffix(suffix) && !$0.hasPrefix(".") }.sorted()
        guard let first = found.first, !names.contains(where: { $0.hasSuffix(".safetensors") }) else { return nil }
        guard found.count == 1 else {
            throw GGUFError(
                .unsupported,
                "\(path) holds \(found.count) GGUF files (\(found.joined(separator: ", "))); name one of them")
        }
        return path + "/" + first
    }
}
