internal import CLinux
internal import Glibc

/// A file descriptor that becomes readable when signalled, for a thread that waits in `poll` or `epoll`.
package final class Wakeup: Sendable {
    /// To wait on; owned by this object.
    package let descriptor: Int32

    package init() throws {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard descriptor >= 0 else {
            throw ConcurrencyError(
                message: "eventfd failed (errno \(errno)); raise the limit of open files (ulimit -n)")
        }
    }

    deinit {
        close(descriptor)
    }

    package func signal() {
        // Fails only when the counter is full: then it is signalled already.
        _ = eventfd_write(descriptor, 1)
    }

    package func clear() {
        var count: eventfd_t = 0
        _ = eventfd_read(descriptor, &count)
    }
}
