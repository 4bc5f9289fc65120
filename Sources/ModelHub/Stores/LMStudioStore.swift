internal import Foundation

/// LM Studio's store, read where it lies: `ORG/NAME/FILE.gguf`, or a folder as the hub lays it out.
package struct LMStudioStore: Sendable {
    package static let scheme = "lmstudio:"

    let roots: [String]

    package init(roots: [String]) { self.roots = roots }

    package init(environment: [String: String]) {
        let home = environment["HOME"] ?? ""
        roots = [home + "/.lmstudio/models", home + "/.cache/lm-studio/models"]
    }

    /// - Parameter text: `ORG/NAME`, `ORG/NAME:Q4_K_M` or `ORG/NAME/FILE.gguf`, with or without `lmstudio:`.
    /// - Returns: what the model is served as, and its folder or GGUF file.
    /// - Throws: `HubError` that says what there is.
    package func model(_ text: String) throws(HubError) -> (name: String, path: String) {
        let own = text.hasPrefix(Self.scheme) ? String(text.dropFirst(Self.scheme.count)) : text
        let reference = try HubReference(own)
        for root in roots {
            let folder = root + "/" + reference.repository
            let files = HubCache.files(below: folder)
            guard !files.isEmpty else { continue }
            let needed = try NeededFiles(of: files, for: reference)
            return (reference.servedName, needed.file.map { folder + "/" + $0 } ?? folder)
        }
        let there = roots.flatMap { root in
            ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).sorted().flatMap { organization in
                ((try? FileManager.default.contentsOfDirectory(atPath: root + "/" + organization)) ?? []).sorted().map {
                    organization + "/" + $0
                }
            }
        }
        throw HubError(
            .notFound,
            "LM Studio has no '\(reference.repository)' in \(roots.joined(separator: " or "))"
                + (there.isEmpty ? "" : "; there is: \(there.prefix(20).joined(separator: ", ").printable)"))
    }
}
