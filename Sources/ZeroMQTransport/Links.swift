internal import Concurrency
internal import Messages
internal import RPC

/// The way to one client.
struct ServerLink: FrameLink {
    let endpoint: UInt64
    let route: Route
    let outbox: Outbox
    let mailbox: Mailbox<LoopCommand>

    func send(encoded header: [UInt8], _ body: FrameBody) {
        if outbox.append(header, body) { mailbox.post(.send(endpoint: endpoint, route: route)) }
    }

    func close() {
        mailbox.post(.closePeer(endpoint: endpoint, route: route))
    }
}

/// The way to one server instance.
struct ClientLink: FrameLink {
    let endpoint: UInt64
    let outbox: Outbox
    let mailbox: Mailbox<LoopCommand>

    func send(encoded header: [UInt8], _ body: FrameBody) {
        if outbox.append(header, body) { mailbox.post(.send(endpoint: endpoint, route: .none)) }
    }

    func close() {
        mailbox.post(.close(endpoint: endpoint))
    }
}
