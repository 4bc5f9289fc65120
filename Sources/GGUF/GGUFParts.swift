import Foundation

/// The files of a model that llama.cpp's `llama-gguf-split` cut: `NAME-00001-of-00003.gguf` and so on. The first has the
/// metadata, each its own tensors.
package enum GGUFParts {
    /// The most parts that are looked for.
    private static let limit = 1_000
    private static let digits = 5

    /// What a part's name says; nil for a file that is no part.
    package struct Name {
        /// What stands before the number, with the directory.
        package var stem: String
        /// From 1 on.
        package var number: Int
        package var count: Int

        package init?(_ path: String) {
            guard path.hasSuffix(GGUFLocation.suffix) else { return nil }
            let pieces = path.dropLast(GGUFLocation.suffix.count).split(
                separator: "-", omittingEmptySubsequences: false)
            guard pieces.count > 3, pieces[pieces.count - 2] == "of" else { return nil }
            let (own, all) = (pieces[pieces.count - 3], pieces[pieces.count - 1])
            guard own.utf8.count == GGUFParts.digits, all.utf8.count == GGUFParts.digits, let number = Int(own),
                let count = Int(all), number >= 1, number <= count
            else { return nil }
            (self.number, self.count) = (number, count)
            stem = pieces.dropLast(3).joined(separator: "-")
        }

        /// The path of a part.
        package func path(_ number: Int) -> String {
            func padded(_ number: Int) -> String {
                let digits = String(number)
                return String(repeating: "0", count: max(0, GGUFParts.digits - digits.count)) + digits
            }
            return "\(stem)-\(padded(number))-of-\(padded(count))\(GGUFLocation.suffix)"
        }
    }

    /// The files of the model at `path`, the first one first.
    ///
    /// - Returns: `path` alone for a file that is no part.
    /// - Throws: `GGUFError` that names a part that is missing, or the first one where another is given.
    package static func paths(of path: String) throws(GGUFError) -> [String] {
        guard let name = Name(path), name.count > 1 else { return [path] }
        guard name.number == 1 else {
            throw GGUFError(
                .unsupported, "\(path) is part \(name.number) of \(name.count); name the first one, \(name.path(1))")
        }
        guard name.count <= limit else {
            throw GGUFError(.unsupported, "\(path) is one of \(name.count) parts; at most \(limit) are read")
        }
        let paths = (1...name.count).map(name.path)
        for part in paths where !FileManager.default.fileExists(atPath: part) {
            throw GGUFError(.unreadable, "\(part) is missing: \(path) is one of \(name.count) parts")
        }
        return paths
    }
}
