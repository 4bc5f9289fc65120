import Foundation

/// A directory for one run's sockets, which only its owner can enter.
package struct RunDirectory: Sendable {
    package let path: String
    /// What the kernel leaves for a socket's path (sockaddr_un), less a file name of ours.
    private static let longestPath = 107 - 40

    /// In `$XDG_RUNTIME_DIR/nephele`, else in the temporary folder.
    ///
    /// - Throws: `SupervisionError` when it cannot be made, or its path is too long for a socket.
    package init() throws(SupervisionError) {
        let environment = ProcessInfo.processInfo.environment
        let parent =
            environment["XDG_RUNTIME_DIR"].flatMap { $0.isEmpty ? nil : $0 + "/nephele" }
            ?? FileManager.default.temporaryDirectory.path
        path = parent + "/nephele-" + UUID().uuidString.prefix(8).lowercased()
        guard path.utf8.count <= Self.longestPath else {
            throw SupervisionError(
                "\(path) is too long for a socket; set TMPDIR or XDG_RUNTIME_DIR to a shorter directory")
        }
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw SupervisionError("cannot make \(path): \(error.localizedDescription)")
        }
    }

    package func remove() { try? FileManager.default.removeItem(atPath: path) }
}
