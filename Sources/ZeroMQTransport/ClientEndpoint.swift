internal import Concurrency
internal import Messages
internal import RPC
internal import ZeroMQ

/// A DEALER: one connection epoch to one server instance.
final class ClientEndpoint: LoopEndpoint {
    private let socket: ZeroMQSocket
    private let monitor: SocketMonitor
    private let receiver: any FrameReceiver
    private let outbox: Outbox
    private var isBlocked = false
    private(set) var isOver = false
    private var isClosed = false
    let descriptor: Int32
    let eventDescriptor: Int32

    init(_ socket: ZeroMQSocket, _ monitor: SocketMonitor, _ outbox: Outbox, _ receiver: any FrameReceiver) throws {
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
            case .accepted, .handshakeDone: break
            }
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
        receiver.linkDown(reason)
    }
}
