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
            guard path.hasSuffix(suffix), FileManager.default.fileExists(atPath: path) else { return nil }
            try refusePart(path)
            return path
        }
        let found = names.filter { $0.hasSuffix(suffix) && !$0.hasPrefix(".") }.sorted()
        guard let first = found.first, !names.contains(where: { $0.hasSuffix(".safetensors") }) else { return nil }
        try refusePart(path + "/" + first)
        guard found.count == 1 else {
            throw GGUFError(
                .unsupported,
                "\(path) holds \(found.count) GGUF files (\(found.joined(separator: ", "))); name one of them")
        }
        return path + "/" + first
    }

    /// `m-00001-of-00002.gguf` is a part of a file.
    private static func refusePart(_ path: String) throws(GGUFError) {
        let name = (path as NSString).lastPathComponent
        let parts = name.dropLast(suffix.count).split(separator: "-").suffix(3)
        guard parts.count == 3, parts.dropFirst().first == "of", let last = parts.last, Int(last) ?? 1 > 1,
            let first = parts.first, Int(first) != nil
        else { return }
        throw GGUFError(
            .unsupported,
            "\(path) is one part of a split file; join its \(Int(last) ?? 0) parts (llama-gguf-split --merge FIRST WHOLE)"
        )
    }
}
