import Foundation
import RPC

/// Lets processes that know the same file load their models one after the other: what one takes is taken before the next
/// looks whether there is room.
package struct LoadTurns: Sendable {
    /// One process's turn; it ends with `end`, or with the process.
    package final class Turn: Sendable {
        private let handle: FileHandle?

        fileprivate init(_ handle: FileHandle?) { self.handle = handle }

        /// May be called again.
        package func end() { try? handle?.close() }

        deinit { end() }
    }

    private let path: String?

    /// - Parameter file: is made where it is missing; nil: nobody waits.
    package init(file: String?) { path = file }

    /// Waits for its turn, on the thread that asks.
    ///
    /// - Throws: `RPCError` FAILED_PRECONDITION where the file cannot be made.
    package func take() throws -> Turn {
        guard let path else { return Turn(nil) }
        // Made where it is missing, and never anew: somebody may have the lock of the one that is there.
        try? Data().write(to: URL(fileURLWithPath: path), options: .withoutOverwriting)
        guard let handle = FileHandle(forUpdatingAtPath: path) else {
            throw RPCError(.failedPrecondition, "cannot open \(path), which --load-turns names")
        }
        // The kernel frees it when its holder dies.
        while flock(handle.fileDescriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                throw RPCError(.failedPrecondition, "cannot lock \(path), which --load-turns names")
            }
        }
        return Turn(handle)
    }
}
