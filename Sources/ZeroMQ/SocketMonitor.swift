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
        /// Two that do not understand each other; `disconnected` follows.
        case handshakeFailed(HandshakeFailure)
    }

    /// Why two did not come together.
    package enum HandshakeFailure: Sendable, Equatable {
        /// The peer went away, or said nothing in time.
        case ended
        /// One side has keys and the other has none.
        case otherMechanism
        /// What the peer sent cannot be deciphered: it took somebody else's key for ours.
        case wrongServerKey
        /// The server does not let the peer's key in.
        case notAdmitted
        case malformed
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
        case ZMQ_EVENT_CLOSED: .connectFailed
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: .handshakeFailed(.ended)
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: .handshakeFailed(.notAdmitted)
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: .handshakeFailed(failure(value))
        default: nil
        }
    }

    private static func failure(_ code: Int32) -> HandshakeFailure {
        switch code {
        case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH: .otherMechanism
        case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC: .wrongServerKey
        default: .malformed
        }
    }
}
