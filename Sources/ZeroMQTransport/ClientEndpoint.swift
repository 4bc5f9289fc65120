internal import Concurrency
internal import Messages
internal import RPC
internal import ZeroMQ

/// How a server was dialled, to say what may be wrong.
enum DialSecurity: Sendable {
    /// Not over a network.
    case local
    /// Over tcp without keys.
    case open
    /// With the key of a host.
    case keyed(String)
}

/// A DEALER: one connection epoch to one server instance.
final class ClientEndpoint: LoopEndpoint {
    private let socket: ZeroMQSocket
    private let monitor: SocketMonitor
    private let receiver: any FrameReceiver
    private let outbox: Outbox
    private var isBlocked = false
    private(set) var isOver = false
    private var isClosed = false
    /// Why no connection came to be.
    private var failure: String?
    private let security: DialSecurity
    let descriptor: Int32
    let eventDescriptor: Int32?

    init(
        _ socket: ZeroMQSocket, _ monitor: SocketMonitor, _ outbox: Outbox, _ receiver: any FrameReceiver,
        security: DialSecurity
    ) throws {
        self.security = security
        self.socket = socket
        self.monitor = monitor
        self.outbox = outbox
        self.receiver = receiver
        descriptor = try socket.descriptor()
        eventDescriptor = try monitor.descriptor()
    }

    func send(_ route: Route) throws {
        isBlocked = try !outbox.flush { try $0.withSpan { try socket.send($0, more: false) } }
    }

    func sendAhead(_ route: Route) -> Bool {
        guard !isBlocked, !isClosed else { return false }
        let isSent = outbox.flush { packet in
            (try? packet.withSpan { try socket.send($0, more: false) }) ?? false
        }
        return isSent && !socket.mayReceive
    }

    func flush() throws -> Bool {
        if isBlocked { try send(.none) }
        return isBlocked
    }

    func receive(limit: Int) throws -> Bool {
        for _ in 0..<limit {
            guard !isClosed else { return false }
            let isReceived = try socket.receive(parts: 1) { [receiver] _, packet, _ in
                receiver.heard()
                Packet.forEachFrame(in: packet, receiver.receive)
            }
            guard isReceived else { return false }
        }
        return true
    }

    func receiveEvents() throws {
        while let event = try monitor.next() {
            switch event {
            case .disconnected, .connectFailed: isOver = true
            case .handshakeFailed(let reason):
                failure = explanation(reason)
                isOver = true
            case .accepted, .handshakeDone: break
            }
        }
    }

    /// What to do about it; nil where nothing is known. (A server that refuses by the first bytes may be gone before
    /// it has said anything: that is `ended`.)
    private func explanation(_ failure: SocketMonitor.HandshakeFailure) -> String? {
        switch (failure, security) {
        case (.notAdmitted, _):
            "the server does not let this key in: add the public key of this process's \(KeyFile.name) to the "
                + "server's \(KeyList.name)"
        case (.otherMechanism, .keyed):
            "the server has no keys and this process has: set NEPHELE_BUS_KEYS for the server too"
        case (.otherMechanism, _):
            "the server wants keys and this process has none: set NEPHELE_BUS_KEYS (`nephele keys` makes them)"
        case (_, .keyed(let host)):
            "no secure connection came about: the server has no keys (set NEPHELE_BUS_KEYS for it too), or another "
                + "key than \(KeyList.name) says for \(host), or it went away"
        case (_, .open):
            "the server ended the handshake: it wants keys and this process has none (set NEPHELE_BUS_KEYS; "
                + "`nephele keys` makes them), or it went away"
        case (_, .local): nil
        }
    }

    func tick(_ now: MonotonicInstant) -> MonotonicInstant { receiver.tick(now) }

    func closePeer(_ route: Route) {}

    func close(_ reason: String) {
        guard !isClosed else { return }
        isClosed = true
        try? send(.none)
        monitor.close()
        socket.close()
        outbox.close()
        receiver.linkDown(failure ?? reason)
    }
}
