import Foundation

/// The directory that a run writes to, held by one process at a time.
package final class RunDirectory {
    package let path: String
    private let lock: FileHandle

    /// - Throws: `TrainingError`: `unwritable` where it cannot be made, `inUse` where another run has it.
    package init(_ path: String) throws(TrainingError) {
        self.path = path
        let file = path + "/run.lock"
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            if !FileManager.default.fileExists(atPath: file) { try Data().write(to: URL(fileURLWithPath: file)) }
            lock = try FileHandle(forUpdating: URL(fileURLWithPath: file))
        } catch {
            throw TrainingError(.unwritable, "cannot write to \(path): \(error.localizedDescription)")
        }
        // The kernel frees it when its holder dies.
        guard flock(lock.fileDescriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw TrainingError(
                .inUse, "another run writes to \(path); give --output another directory, or wait for it")
        }
    }

    deinit { try? lock.close() }
}
