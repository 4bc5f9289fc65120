internal import Concurrency
internal import Messages
internal import Synchronization

/// Servers and clients of one process, without sockets: frames are encoded and decoded as on any wire.
///
/// One network is one set of addresses and one thread that carries all frames.
package final class InProcessNetwork: Sendable {
    fileprivate struct Delivery: Sendable {
        let target: Endpoint
        let content: Content

        enum Content: Sendable {
            case frame([UInt8], FrameBody)
            case down(String)
            case opened
        }
    }

    private struct State {
        var servers: [String: @Sendable (any FrameLink) -> any FrameReceiver] = [:]
        /// Server-side ends, by the address they came in at.
        var accepted: [String: [Endpoint]] = [:]
        var isStopped = false
    }

    private let state = Mutex(State())
    fileprivate let mailbox: Mailbox<Delivery>
    private let wakeup: ThreadSignal

    package init() throws {
        let signal = ThreadSignal()
        wakeup = signal
        let mailbox = Mailbox<Delivery>(wake: { signal.signal() })
        self.mailbox = mailbox
        _ = try DedicatedThread(name: "bus-inprocess") { [weak self] in
            var endpoints: [Endpoint] = []
            var batch: [Delivery] = []
            while self?.isStopped == false {
                mailbox.take(into: &batch)
                for delivery in batch { delivery.target.handle(delivery.content, &endpoints) }
                batch.removeAll(keepingCapacity: true)
                let now = MonotonicInstant.now
                var due = now + .milliseconds(200)
                endpoints.removeAll { $0.isClosed }
                for endpoint in endpoints { due = min(due, endpoint.tick(now)) }
                if mailbox.prepareToSleep() { signal.wait(until: due) }
            }
        }
    }

    deinit {
        state.withLock { $0.isStopped = true }
        wakeup.signal()
    }

    private var isStopped: Bool { state.withLock { $0.isStopped } }

    /// A server's place in the network.
    package func server(_ address: String) -> any ServerTransport {
        InProcessServerTransport(network: self, address: address)
    }

    package var client: any ClientTransport { InProcessClientTransport(network: self) }

    fileprivate func bind(_ address: String, _ accept: @escaping @Sendable (any FrameLink) -> any FrameReceiver) throws
    {
        try state.withLock { state in
            guard state.servers[address] == nil else {
                throw RPCError(.alreadyExists, "address \(address) is bound already; choose another")
            }
            state.servers[address] = accept
        }
    }

    fileprivate func unbind(_ address: String) {
        let accepted = state.withLock { state in
            state.servers[address] = nil
            return state.accepted.removeValue(forKey: address) ?? []
        }
        for endpoint in accepted { endpoint.close() }
    }

    fileprivate func dial(_ address: String, _ receiver: (any FrameLink) -> any FrameReceiver) throws {
        let near = Endpoint(network: self)
        let far = Endpoint(network: self)
        near.connect(to: far)
        far.connect(to: near)
        near.receiver(receiver(InProcessLink(endpoint: near)))
        let accept = state.withLock { state in
            if state.servers[address] != nil { state.accepted[address, default: []].append(far) }
            return state.servers[address]
        }
        guard let accept else {
            mailbox.post(Delivery(target: near, content: .down("nothing listens at \(address)")))
            return
        }
        far.receiver(accept(InProcessLink(endpoint: far)))
        mailbox.post(Delivery(target: near, content: .opened))
        mailbox.post(Delivery(target: far, content: .opened))
    }
}

/// One end of a connection within the process.
private final class Endpoint: Sendable {
    private struct State {
        var receiver: (any FrameReceiver)?
        weak var peer: Endpoint?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let network: Mailbox<InProcessNetwork.Delivery>

    init(network: InProcessNetwork) {
        self.network = network.mailbox
    }

    func connect(to peer: Endpoint) {
        state.withLock { $0.peer = peer }
    }

    func receiver(_ receiver: any FrameReceiver) {
        state.withLock { $0.receiver = receiver }
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    func send(encoded header: [UInt8], _ body: FrameBody) {
        guard let peer = state.withLock({ $0.isClosed ? nil : $0.peer }) else { return }
        network.post(.init(target: peer, content: .frame(header, body)))
    }

    /// Closes both ends; the other one is notified.
    func close() {
        let peer = state.withLock { state -> Endpoint? in
            defer {
                state.isClosed = true
                state.receiver = nil
            }
            return state.isClosed ? nil : state.peer
        }
        if let peer { network.post(.init(target: peer, content: .down("the peer closed the connection"))) }
    }

    /// On the network's thread only.
    func handle(_ content: InProcessNetwork.Delivery.Content, _ endpoints: inout [Endpoint]) {
        switch content {
        case .opened: endpoints.append(self)
        case .frame(let header, let body):
            guard let receiver = state.withLock({ $0.isClosed ? nil : $0.receiver }) else { return }
            receiver.heard()
            header.withSpan { header in body.withSpan { receiver.receive(header, $0) } }
        case .down(let reason):
            let receiver = state.withLock { state in
                defer {
                    state.isClosed = true
                    state.receiver = nil
                }
                return state.receiver
            }
            receiver?.linkDown(reason)
        }
    }

    func tick(_ now: MonotonicInstant) -> MonotonicInstant {
        state.withLock { $0.receiver }?.tick(now) ?? now + .seconds(1)
    }
}

private struct InProcessLink: FrameLink {
    let endpoint: Endpoint

    func send(encoded header: [UInt8], _ body: FrameBody, canWait: Bool) {
        endpoint.send(encoded: header, body)
    }

    /// All are ticked after every delivery.
    func tickSoon() {}

    func close() {
        endpoint.close()
    }
}

private struct InProcessServerTransport: ServerTransport {
    let network: InProcessNetwork
    let address: String

    func start(accept: @escaping @Sendable (any FrameLink) -> any FrameReceiver) throws -> String {
        try network.bind(address, accept)
        return address
    }

    func stop() {
        network.unbind(address)
    }
}

private struct InProcessClientTransport: ClientTransport {
    let network: InProcessNetwork

    func dial(_ address: String, _ receiver: (any FrameLink) -> any FrameReceiver) throws {
        try network.dial(address, receiver)
    }
}
