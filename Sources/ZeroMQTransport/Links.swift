internal import Messages
internal import RPC

/// The way to one client.
struct ServerLink: FrameLink {
    let endpoint: UInt64
    let route: Route
    let outbox: Outbox
    let loop: SocketLoop

    func send(encoded header: [UInt8], _ body: FrameBody, canWait: Bool) {
        if outbox.append(header, body) { loop.transmit(endpoint, route, canWait: canWait) }
    }

    func tickSoon() {
        loop.post(.send(endpoint: endpoint, route: route))
    }

    func close() {
        loop.post(.closePeer(endpoint: endpoint, route: route))
    }
}

/// The way to one server instance.
struct ClientLink: FrameLink {
    let endpoint: UInt64
    let outbox: Outbox
    let loop: SocketLoop

    func send(encoded header: [UInt8], _ body: FrameBody, canWait: Bool) {
        if outbox.append(header, body) { loop.transmit(endpoint, .none, canWait: canWait) }
    }

    func tickSoon() {
        loop.post(.send(endpoint: endpoint, route: .none))
    }

    func close() {
        loop.post(.close(endpoint: endpoint))
    }
}
