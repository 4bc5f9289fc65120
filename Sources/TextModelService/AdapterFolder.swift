import Foundation
import RPC

/// The folder in which callers may name adapters: nothing outside of it is ever read for them, whatever dots and links
/// a path has.
struct AdapterFolder {
    private let folder: String

    init(_ folder: String) { self.folder = Self.resolved(folder) }

    /// Where an adapter lies.
    ///
    /// - Parameter path: within the folder, or an absolute one that leads there.
    /// - Throws: `RPCError` NOT_FOUND, the same for what lies outside and for what is not there.
    func directory(_ path: String) throws -> String {
        let directory = Self.resolved(path.hasPrefix("/") ? path : folder + "/" + path)
        let isDirectory = try? URL(fileURLWithPath: directory).resourceValues(forKeys: [.isDirectoryKey]).isDirectory
        guard !path.isEmpty, !path.utf8.contains(0), holds(directory),
            isDirectory == true,
            // The files may be links too, as they are in a cache of Hugging Face's.
            ["adapter_config.json", "adapter_model.safetensors"].allSatisfy({
                holds(Self.resolved(directory + "/" + $0))
            })
        else {
            throw RPCError(
                .notFound, "there is no adapter at \"\(path.prefix(200))\" in the folder of adapters",
                reason: "path_not_found", field: "path")
        }
        return directory
    }

    private func holds(_ path: String) -> Bool { path.hasPrefix(folder == "/" ? "/" : folder + "/") }

    private static func resolved(_ path: String) -> String {
        URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.path
    }
}
