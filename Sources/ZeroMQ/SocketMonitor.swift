internal import CZeroMQ
internal import Synchronization

/// Tells what happens to the connections of one socket.
package final class SocketMonitor: Sendable {
    package enum Event: Sendable, Equatable {
        /// A server accepted a connection; its file descriptor.
        case accepted(Int32)
        case handshakeDone(Int32)
        /// A connection is lost, or could not be made.
        case disconnected(Int32)
        case connectFailed
    }

    private let socket: ZeroMQSocket
    private let watched: ZeroMQSocket
    private static let count = Atomic<UInt64>(0)

    /// Starts to watch `watched`; before it binds or connects, so that nothing is missed.
    package init(_ context: ZeroMQContext, watching watched: ZeroMQSocket) throws {
        let name = "inproc://nephele-monitor-\(Self.count.add(1, ordering: .relaxed).newValue)"
        let events =
            ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED
            | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
            | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
        try check("zmq_socket_monitor") { zmq_socket_monitor(watched.handle, name, events) }
        self.watched = watched
        socket = try ZeroMQSocket(context, .pair)
        // libzmq's I/O thread blocks on a monitor that takes no more, and with it every socket of the process.
        try socket.setHighWaterMarks(0)
        try socket.connect(name)
    }

    package func descriptor() throws -> Int32 { try socket.descriptor() }

    /// Stops to watch; before the watched socket is closed. (Events to a reader that is gone would block libzmq's
    /// I/O thread for ever, so the watching ends first.)
    package func close() {
        if watched.isOpen { zmq_socket_monitor(watched.handle, nil, 0) }
        socket.close()
    }

    /// The next event, without waiting; `nil` when there is none.
    package func next() throws -> Event? {
        while true {
            var event: Event?
            let isReceived = try socket.receive(parts: 2) { header, _, _ in
                guard header.byteCount >= 6 else { return }
                let number = Int32(header.unsafeLoadUnaligned(as: UInt16.self))
                let value = Int32(truncatingIfNeeded: header.unsafeLoadUnaligned(fromByteOffset: 2, as: UInt32.self))
                event = Self.event(number, value)
            }
            guard isReceived else { return nil }
            if let event { return event }
        }
    }

    private static func event(_ number: Int32, _ value: Int32) -> Event? {
        switch number {
        case ZMQ_EVENT_ACCEPTED: .accepted(value)
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: .handshakeDone(value)
        case ZMQ_EVENT_DISCONNECTED: .disconnected(value)
        case ZMQ_EVENT_CLOSED, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
            ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            .connectFailed
        default: nil
        }
    }
}
