internal import Concurrency
internal import DequeModule
internal import Messages
internal import RPC
internal import ZeroMQ

/// What other threads ask of the socket thread.
enum LoopCommand: Sendable {
    /// The peer's outbox has something; `route` is empty on a client's socket.
    case send(endpoint: UInt64, route: Route)
    case addClient(endpoint: UInt64, ZeroMQSocket, SocketMonitor, Outbox, any FrameReceiver)
    case addServer(endpoint: UInt64, ZeroMQSocket, SocketMonitor, ServerAcceptor)
    case closePeer(endpoint: UInt64, route: Route)
    case close(endpoint: UInt64)
    /// A piece of a task that prefers this thread.
    case run(LoopExecutor.Job)
    case stop
}

/// The name that a ROUTER gave to a peer: five bytes. Peers that chose their own are refused.
struct Route: Sendable, Hashable {
    static let none = Route(bytes: [])
    static let size = 5

    let bytes: [UInt8]
    private let key: UInt64

    init(bytes: [UInt8]) {
        self.bytes = bytes
        key = bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    init?(_ span: RawSpan) {
        guard span.byteCount == Self.size else { return nil }
        self.init(bytes: [UInt8](copying: span))
        guard bytes.first == 0 else { return nil }
    }

    static func == (left: Route, right: Route) -> Bool { left.key == right.key }

    func hash(into hasher: inout Hasher) { hasher.combine(key) }
}

/// Makes the receiver of a new peer.
struct ServerAcceptor: Sendable {
    let accept: @Sendable (any FrameLink) -> any FrameReceiver
    let silence: Duration
}

/// A socket of the loop. Lives on the socket thread only.
protocol LoopEndpoint: AnyObject {
    /// Sends what is in the peer's outbox, as far as the peer has room.
    func send(_ route: Route) throws
    /// Sends what there was no room for.
    /// - Returns: whether something still waits.
    func flush() throws -> Bool
    /// Receives at most `limit` messages.
    /// - Returns: whether there may be more.
    func receive(limit: Int) throws -> Bool
    func receiveEvents() throws
    func tick(_ now: ContinuousClock.Instant) -> ContinuousClock.Instant
    func closePeer(_ route: Route)
    /// Tells all receivers.
    func close(_ reason: String)
    /// To be taken out of the loop once there is nothing more to receive.
    var isOver: Bool { get }
    var descriptor: Int32 { get }
    /// The monitor's.
    var eventDescriptor: Int32 { get }
}

/// The one thread that owns all sockets of a transport.
///
/// A round: take the mailbox, send all of it, run a burst of jobs, receive from every socket that may have something,
/// and sleep only when nothing is left. libzmq's descriptors are edge-triggered and sending consumes their signals too,
/// so a socket is asked once more after every send.
final class SocketLoop {
    private let mailbox: Mailbox<LoopCommand>
    private let wakeup: Wakeup
    private let poller: SocketPoller
    private var endpoints: [UInt64: any LoopEndpoint] = [:]
    private var active: Set<UInt64> = []
    /// Endpoints whose monitor has something to tell.
    private var eventful: Set<UInt64> = []
    private var backlogged: Set<UInt64> = []
    private var due: [UInt64: ContinuousClock.Instant] = [:]
    /// Pieces of tasks that wait for their turn.
    private var jobs: Deque<LoopExecutor.Job> = []
    private var isStopped = false

    private static let wakeupNumber = UInt64.max
    private static let batch = 256
    /// So many calls are answered, or made by tasks on this thread, before what they wrote is sent: the other side works
    /// on them meanwhile. (64 calls in one packet went to and fro like a ball, one side idle: 1.5 times slower.)
    static let burst = 32

    private let executor: LoopExecutor

    init(mailbox: Mailbox<LoopCommand>, wakeup: Wakeup, poller: SocketPoller, executor: LoopExecutor) {
        self.executor = executor
        self.mailbox = mailbox
        self.wakeup = wakeup
        self.poller = poller
    }

    func run() {
        do { try poller.add(wakeup.descriptor, number: Self.wakeupNumber) } catch { return }
        var batch: [LoopCommand] = []
        var ready: [UInt64] = []
        var turn: [UInt64] = []
        var touched: Set<UInt64> = []
        while !isStopped {
            mailbox.take(into: &batch)
            for command in batch { perform(command) }
            batch.removeAll(keepingCapacity: true)
            for _ in 0..<min(Self.burst, jobs.count) { jobs.popFirst()?.run() }
            turn.append(contentsOf: active)
            touched.formUnion(turn)
            for number in turn { receive(number) }
            turn.removeAll(keepingCapacity: true)
            guard active.isEmpty, jobs.isEmpty, mailbox.prepareToSleep() else { continue }
            let timeout = timeToSleep(touched)
            touched.removeAll(keepingCapacity: true)
            // Ticking may have sent: then the mailbox has woken us already.
            poller.wait(milliseconds: timeout, into: &ready)
            for number in ready {
                if number == Self.wakeupNumber {
                    wakeup.clear()
                    continue
                }
                // The lowest bit tells the monitor's descriptor from the socket's.
                active.insert(number >> 1)
                if number & 1 == 1 { eventful.insert(number >> 1) }
            }
            ready.removeAll(keepingCapacity: true)
            for number in backlogged { active.insert(number) }
        }
        for endpoint in endpoints.values { endpoint.close("the transport was stopped") }
        executor.close()
        for job in jobs { job.run() }
        mailbox.take(into: &batch)
        for case .run(let job) in batch { job.run() }
    }

    private func perform(_ command: LoopCommand) {
        switch command {
        case .send(let number, let route):
            guard let endpoint = endpoints[number] else { return }
            attempt(number, endpoint) { try endpoint.send(route) }
            active.insert(number)
        case .addClient(let number, let socket, let monitor, let outbox, let receiver):
            add(number) {
                try ClientEndpoint(socket, monitor, outbox, receiver)
            } failed: {
                outbox.close()
                receiver.linkDown($0)
            }
        case .addServer(let number, let socket, let monitor, let acceptor):
            add(number) {
                try ServerEndpoint(number, socket, monitor, acceptor, mailbox)
            } failed: { _ in
            }
        case .closePeer(let number, let route): endpoints[number]?.closePeer(route)
        case .close(let number):
            if let endpoint = endpoints[number] { remove(number, endpoint, "closed from this side") }
        case .run(let job): jobs.append(job)
        case .stop: isStopped = true
        }
    }

    private func add(_ number: UInt64, _ make: () throws -> any LoopEndpoint, failed: (String) -> Void) {
        do {
            let endpoint = try make()
            try poller.add(endpoint.descriptor, number: number << 1)
            try poller.add(endpoint.eventDescriptor, number: number << 1 | 1)
            endpoints[number] = endpoint
            active.insert(number)
            eventful.insert(number)
        } catch {
            failed("\(error)")
        }
    }

    private func receive(_ number: UInt64) {
        active.remove(number)
        guard let endpoint = endpoints[number] else { return }
        attempt(number, endpoint) {
            // First the events: what arrived before a disconnection is there to be received after its event.
            if eventful.remove(number) != nil { try endpoint.receiveEvents() }
            let hasMore = try endpoint.receive(limit: Self.batch)
            let isBacklogged = try endpoint.flush()
            if hasMore { active.insert(number) }
            if isBacklogged { backlogged.insert(number) } else { backlogged.remove(number) }
        }
        if endpoint.isOver, !active.contains(number) { remove(number, endpoint, "the connection is over") }
    }

    private func attempt(_ number: UInt64, _ endpoint: any LoopEndpoint, _ body: () throws -> Void) {
        do {
            try body()
        } catch {
            remove(number, endpoint, "\(error)")
        }
    }

    private func remove(_ number: UInt64, _ endpoint: any LoopEndpoint, _ reason: String) {
        endpoints[number] = nil
        due[number] = nil
        backlogged.remove(number)
        active.remove(number)
        eventful.remove(number)
        poller.remove(endpoint.descriptor)
        poller.remove(endpoint.eventDescriptor)
        endpoint.close(reason)
    }

    /// Ticks the endpoints that are due, or `touched`: new frames may have brought earlier deadlines.
    private func timeToSleep(_ touched: Set<UInt64>) -> Int {
        let now = ContinuousClock.now
        var next = now + .seconds(1)
        for (number, endpoint) in endpoints {
            if touched.contains(number) || due[number].map({ $0 <= now }) ?? true { due[number] = endpoint.tick(now) }
            if let due = due[number] { next = min(next, due) }
        }
        guard backlogged.isEmpty else { return 1 }
        let (seconds, attoseconds) = max(.zero, next - now).components
        return Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
