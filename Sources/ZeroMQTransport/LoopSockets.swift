internal import Concurrency
internal import Messages
internal import RPC
internal import ZeroMQ

/// The sockets of a loop, and which of them want attention.
///
/// libzmq's descriptors are edge-triggered and sending consumes their signals too, so a socket is asked once more after
/// every send.
struct LoopSockets {
    private let poller: SocketPoller
    private var endpoints: [UInt64: any LoopEndpoint] = [:]
    private var active: Set<UInt64> = []
    /// Endpoints whose monitor has something to tell.
    private var eventful: Set<UInt64> = []
    private var backlogged: Set<UInt64> = []
    private var due: [UInt64: MonotonicInstant] = [:]
    /// Active since the last ticks: new frames may have brought earlier deadlines.
    private var touched: Set<UInt64> = []
    private var turn: [UInt64] = []

    private static let batch = 256

    init(poller: SocketPoller) {
        self.poller = poller
    }

    var isIdle: Bool { active.isEmpty }

    mutating func perform(_ command: LoopCommand, _ loop: SocketLoop) {
        switch command {
        case .send(let number, let route):
            guard let endpoint = endpoints[number] else { return }
            attempt(number, endpoint) { try endpoint.send(route) }
            active.insert(number)
        case .addClient(let number, let socket, let monitor, let outbox, let receiver, let security):
            add(number) {
                try ClientEndpoint(socket, monitor, outbox, receiver, security: security)
            } failed: {
                outbox.close()
                receiver.linkDown($0)
            }
        case .addServer(let number, let socket, let monitor, let acceptor):
            add(number) {
                try ServerEndpoint(number, socket, monitor, acceptor, loop)
            } failed: { _ in
            }
        case .addAdmission(let number, let socket, let keys, let log):
            add(number) {
                try AdmissionEndpoint(socket, keys, log)
            } failed: {
                log.problem("the bus cannot answer who may come in: \($0)")
            }
        case .closePeer(let number, let route): endpoints[number]?.closePeer(route)
        case .close(let number):
            if let endpoint = endpoints[number] { remove(number, endpoint, "closed from this side") }
        case .run, .stop: break
        }
    }

    /// - Returns: whether there is nothing left to do.
    mutating func sendAhead(_ number: UInt64, _ route: Route) -> Bool {
        endpoints[number]?.sendAhead(route) ?? true
    }

    private mutating func add(_ number: UInt64, _ make: () throws -> any LoopEndpoint, failed: (String) -> Void) {
        do {
            let endpoint = try make()
            try poller.add(endpoint.descriptor, number: number << 1)
            if let events = endpoint.eventDescriptor { try poller.add(events, number: number << 1 | 1) }
            endpoints[number] = endpoint
            active.insert(number)
            eventful.insert(number)
        } catch {
            failed("\(error)")
        }
    }

    /// A descriptor has become readable; the lowest bit tells the monitor's from the socket's.
    mutating func woken(_ number: UInt64) {
        active.insert(number >> 1)
        if number & 1 == 1 { eventful.insert(number >> 1) }
    }

    /// Lets connections that had no room try again.
    mutating func resume() {
        active.formUnion(backlogged)
    }

    /// Receives from every active socket.
    mutating func receive() {
        turn.append(contentsOf: active)
        touched.formUnion(turn)
        for number in turn { receive(number) }
        turn.removeAll(keepingCapacity: true)
    }

    private mutating func receive(_ number: UInt64) {
        active.remove(number)
        guard let endpoint = endpoints[number] else { return }
        let hasEvents = eventful.remove(number) != nil
        var hasMore = false
        var isBacklogged = false
        attempt(number, endpoint) {
            // First the events: what arrived before a disconnection is there to be received after its event.
            if hasEvents { try endpoint.receiveEvents() }
            hasMore = try endpoint.receive(limit: Self.batch)
            isBacklogged = try endpoint.flush()
        }
        guard endpoints[number] != nil else { return }
        if hasMore { active.insert(number) }
        if isBacklogged { backlogged.insert(number) } else { backlogged.remove(number) }
        if endpoint.isOver, !hasMore { remove(number, endpoint, "the connection is over") }
    }

    private mutating func attempt(_ number: UInt64, _ endpoint: any LoopEndpoint, _ body: () throws -> Void) {
        do {
            try body()
        } catch {
            remove(number, endpoint, "\(error)")
        }
    }

    private mutating func remove(_ number: UInt64, _ endpoint: any LoopEndpoint, _ reason: String) {
        endpoints[number] = nil
        due[number] = nil
        backlogged.remove(number)
        active.remove(number)
        eventful.remove(number)
        poller.remove(endpoint.descriptor)
        if let events = endpoint.eventDescriptor { poller.remove(events) }
        endpoint.close(reason)
    }

    mutating func closeAll() {
        let closed = endpoints
        endpoints = [:]
        for endpoint in closed.values { endpoint.close("the transport was stopped") }
    }

    /// Ticks the endpoints that are due, or touched.
    /// - Returns: milliseconds.
    mutating func timeToSleep() -> Int {
        let now = MonotonicInstant.now
        var next = now + .seconds(1)
        for (number, endpoint) in endpoints {
            if touched.contains(number) || due[number].map({ $0 <= now }) ?? true { due[number] = endpoint.tick(now) }
            if let due = due[number] { next = min(next, due) }
        }
        touched.removeAll(keepingCapacity: true)
        guard backlogged.isEmpty else { return 1 }
        let (seconds, attoseconds) = max(.zero, next - now).components
        return Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
