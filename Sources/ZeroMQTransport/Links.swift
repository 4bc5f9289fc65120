internal import Concurrency
internal import Messages
internal import RPC

/// The way to one client.
struct ServerLink: FrameLink {
    let endpoint: UInt64
    let route: Route
    let mailbox: Mailbox<LoopCommand>

    func send(encoded header: [UInt8], _ body: FrameBody) {
        mailbox.post(.send(endpoint: endpoint, route: route, header: header, body: body))
    }

    func close() {
        mailbox.post(.closePeer(endpoint: endpoint, route: route))
    }
}

/// The way to one server instance.
struct ClientLink: FrameLink {
    let endpoint: UInt64
    let mailbox: Mailbox<LoopCommand>

    func send(encoded header: [UInt8], _ body: FrameBody) {
        mailbox.post(.send(endpoint: endpoint, route: .none, header: header, body: body))
    }

    func close() {
        mailbox.post(.close(endpoint: endpoint))
    }
}
