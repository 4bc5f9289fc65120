internal import Foundation

/// A lock that one process at a time has, by `flock` on a file; the kernel frees it when its holder dies.
final class FileLock: Sendable {
    private let handle: FileHandle

    /// - Returns: nil while another process has it.
    /// - Throws: `HubError.disk` where the file cannot be made.
    static func taking(_ path: String) throws(HubError) -> FileLock? {
        let files = FileManager.default
        do {
            try files.createDirectory(
                atPath: URL(fileURLWithPath: path).deletingLastPathComponent().path, withIntermediateDirectories: true)
            // Its holder's file stays the one that is there.
            if !files.fileExists(atPath: path) {
                try? Data().write(to: URL(fileURLWithPath: path), options: .withoutOverwriting)
            }
            let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            guard flock(handle.fileDescriptor, LOCK_EX | LOCK_NB) == 0 else { return nil }
            // Who had it may have removed the file, as some do.
            let name = try files.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(handle.fileDescriptor)")
            return name.hasSuffix(" (deleted)") ? nil : FileLock(handle)
        } catch {
            throw HubError(.disk, "the lock \(path) cannot be made: \(error.localizedDescription)")
        }
    }

    private init(_ handle: FileHandle) { self.handle = handle }

    deinit { try? handle.close() }
}
