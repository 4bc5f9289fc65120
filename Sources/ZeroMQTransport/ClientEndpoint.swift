internal import Messages
internal import RPC
internal import ZeroMQ

/// A DEALER: one connection epoch to one server instance.
final class ClientEndpoint: LoopEndpoint {
    private let socket: ZeroMQSocket
    private let monitor: SocketMonitor
    private let receiver: any FrameReceiver
    private var backlog = FrameBacklog()
    private(set) var isOver = false
    private var isClosed = false
    let descriptor: Int32
    let eventDescriptor: Int32

    init(_ socket: ZeroMQSocket, _ monitor: SocketMonitor, _ receiver: any FrameReceiver) throws {
        self.socket = socket
        self.monitor = monitor
        self.receiver = receiver
        descriptor = try socket.descriptor()
        eventDescriptor = try monitor.descriptor()
    }

    func send(_ route: Route, _ header: [UInt8], _ body: FrameBody) throws {
        if !backlog.isEmpty {
            backlog.append(header, body)
        } else if try !transmit(header, body) {
            backlog.append(header, body)
        }
    }

    private func transmit(_ header: [UInt8], _ body: FrameBody) throws -> Bool {
        guard try header.withSpan({ try socket.send($0, more: true) }) else { return false }
        // libzmq takes a message's later parts whenever it took its first.
        return try body.withSpan { try socket.send($0, more: false) }
    }

    func flush() throws -> Bool {
        try backlog.flush { try transmit($0, $1) }
        return !backlog.isEmpty
    }

    func receive(limit: Int) throws -> Bool {
        for _ in 0..<limit {
            guard !isClosed else { return false }
            let received = try socket.receive(parts: 2) { [receiver] _, header, body, _ in
                receiver.receive(header, body)
            }
            if received == nil { return false }
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

    func tick(_ now: ContinuousClock.Instant) -> ContinuousClock.Instant { receiver.tick(now) }

    func closePeer(_ route: Route) {}

    func close(_ reason: String) {
        guard !isClosed else { return }
        isClosed = true
        monitor.close()
        socket.close()
        receiver.linkDown(reason)
    }
}

/// Frames that libzmq has no room for.
struct FrameBacklog {
    private var frames: [(header: [UInt8], body: FrameBody)] = []

    var isEmpty: Bool { frames.isEmpty }

    mutating func append(_ header: [UInt8], _ body: FrameBody) {
        frames.append((header, body))
    }

    /// Sends in order until `transmit` says that there is no room.
    mutating func flush(_ transmit: ([UInt8], FrameBody) throws -> Bool) throws {
        guard !frames.isEmpty else { return }
        var sent = 0
        for frame in frames {
            guard try transmit(frame.header, frame.body) else { break }
            sent += 1
        }
        frames.removeFirst(sent)
    }
}
