internal import CLinux
internal import Glibc

/// Waits on file descriptors, each with a number of the caller's. One thread waits.
package final class SocketPoller: @unchecked Sendable {  // only its descriptor is shared; epoll is thread-safe
    private let descriptor: Int32
    private let events: UnsafeMutablePointer<epoll_event>
    private static let capacity = 64

    package init() throws {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw ZeroMQError(operation: "epoll_create1", number: errno) }
        events = .allocate(capacity: Self.capacity)
    }

    deinit {
        Glibc.close(descriptor)
        events.deallocate()
    }

    package func add(_ file: Int32, number: UInt64) throws {
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(u64: number))
        guard epoll_ctl(descriptor, EPOLL_CTL_ADD, file, &event) == 0 else {
            throw ZeroMQError(operation: "epoll_ctl", number: errno)
        }
    }

    /// To be called before the file is closed.
    package func remove(_ file: Int32) {
        var event = epoll_event()
        epoll_ctl(descriptor, EPOLL_CTL_DEL, file, &event)
    }

    /// Waits until something is readable or the time is over; appends the numbers of what is.
    package func wait(milliseconds: Int, into ready: inout [UInt64]) {
        let count = epoll_wait(descriptor, events, Int32(Self.capacity), Int32(clamping: milliseconds))
        guard count > 0 else { return }
        for index in 0..<Int(count) { ready.append(events[index].data.u64) }
    }
}
