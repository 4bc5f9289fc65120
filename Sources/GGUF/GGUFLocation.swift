import Foundation

/// Where a checkpoint's GGUF file is.
package enum GGUFLocation {
    package static let suffix = ".gguf"

    /// The file that `path` names: itself, or the only GGUF file of a directory without other weights. Of a file in parts it
    /// is the first.
    ///
    /// - Returns: nil where the checkpoint is no GGUF file.
    /// - Throws: `GGUFError.unsupported` for a directory with several, `.unreadable` where a part is missing.
    package static func file(at path: String) throws(GGUFError) -> String? {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            guard path.hasSuffix(suffix), FileManager.default.fileExists(atPath: path) else { return nil }
            return try GGUFParts.paths(of: path)[0]
        }
        let found = names.filter { $0.hasSuffix(suffix) && !$0.hasPrefix(".") }.sorted()
        guard let first = found.first, !names.contains(where: { $0.hasSuffix(".safetensors") }) else { return nil }
        let parts = try GGUFParts.paths(of: path + "/" + first)
        guard found.count == parts.count else {
            throw GGUFError(
                .unsupported,
                "\(path) holds \(found.count) GGUF files (\(found.joined(separator: ", "))); name one of them")
        }
        return parts[0]
    }
}
