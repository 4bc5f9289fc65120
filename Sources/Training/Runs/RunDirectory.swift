import Foundation

/// The directory that a run writes to, held by one process at a time.
package final class RunDirectory {
    package let path: String
    private let lock: FileHandle?

    /// - Parameter locks: whether this process holds it; one that computes for another does not.
    /// - Throws: `TrainingError`: `unwritable` where it cannot be made, `inUse` where another run has it.
    package init(_ path: String, locks: Bool = true) throws(TrainingError) {
        self.path = path
        guard locks else {
            lock = nil
            return
        }
        let file = path + "/run.lock"
        let handle: FileHandle
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            if !FileManager.default.fileExists(atPath: file) { try Data().write(to: URL(fileURLWithPath: file)) }
            handle = try FileHandle(forUpdating: URL(fileURLWithPath: file))
        } catch {
            throw TrainingError(.unwritable, "cannot write to \(path): \(error.localizedDescription)")
        }
        lock = handle
        // The kernel frees it when its holder dies.
        guard flock(handle.fileDescriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw TrainingError(
                .inUse, "another run writes to \(path); give --output another directory, or wait for it")
        }
    }

    /// - Throws: `TrainingError.invalidOption` where a run is there already that is not to be gone on with.
    func checkIsFree(resumes: Bool) throws(TrainingError) {
        guard resumes || !RunCheckpoint.exists(in: self) else {
            throw TrainingError(
                .invalidOption,
                "\(path) holds a run already; --resume goes on with it, another --output begins a new one")
        }
    }

    deinit { try? lock?.close() }
}
