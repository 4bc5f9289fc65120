internal import Concurrency
internal import DequeModule
internal import Messages
internal import RPC
internal import Synchronization
internal import ZeroMQ

/// What other threads ask of the socket thread.
enum LoopCommand: Sendable {
    /// The peer's outbox has something; `route` is empty on a client's socket.
    case send(endpoint: UInt64, route: Route)
    case addClient(
        endpoint: UInt64, ZeroMQSocket, SocketMonitor, Outbox, any FrameReceiver, security: DialSecurity)
    case addServer(endpoint: UInt64, ZeroMQSocket, SocketMonitor, ServerAcceptor)
    case addAdmission(endpoint: UInt64, AdmissionSocket, BusKeys, RefusalLog)
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
    /// The keys whose holders may stay connected; nil where all may.
    let keys: BusKeys?
    let refusals: RefusalLog
}

/// A socket of the loop. Used under the loop's lock only.
protocol LoopEndpoint: AnyObject {
    /// Sends what is in the peer's outbox, as far as the peer has room.
    func send(_ route: Route) throws
    /// The same from another thread while the loop sleeps; calls no receiver.
    /// - Returns: whether that was all there is to do now: everything is sent and nothing has come in.
    func sendAhead(_ route: Route) -> Bool
    /// Sends what there was no room for.
    /// - Returns: whether something still waits.
    func flush() throws -> Bool
    /// Receives at most `limit` messages.
    /// - Returns: whether there may be more.
    func receive(limit: Int) throws -> Bool
    func receiveEvents() throws
    func tick(_ now: MonotonicInstant) -> MonotonicInstant
    func closePeer(_ route: Route)
    /// Tells all receivers.
    func close(_ reason: String)
    /// To be taken out of the loop once there is nothing more to receive.
    var isOver: Bool { get }
    var descriptor: Int32 { get }
    /// The monitor's, where there is one.
    var eventDescriptor: Int32? { get }
}

/// The one thread that serves all sockets of a transport.
///
/// A round: take the mailbox, send all of it, run a burst of jobs, receive from every socket that may have something,
/// and sleep only when nothing is left. While it sleeps, whoever has something to send does so itself (`transmit`): two
/// changes of thread less.
final class SocketLoop: Sendable {
    private let mailbox: Mailbox<LoopCommand>
    private let wakeup: Wakeup
    private let poller: SocketPoller
    /// Held by the socket thread while it is awake.
    private let sockets: Mutex<LoopSockets>

    private static let wakeupNumber = UInt64.max
    /// So many calls are made by tasks on this thread before what they wrote is sent, and so many answered: the other
    /// side works on them meanwhile. (64 calls in one packet went to and fro like a ball, one side idle: 1.5 times
    /// slower. Of 4 to 32, measured with 64 calls outstanding, these were the fastest.)
    static let burst = 32
    static let replyBurst = 8

    init() throws {
        let wakeup = try Wakeup()
        let poller = try SocketPoller()
        self.wakeup = wakeup
        self.poller = poller
        mailbox = Mailbox<LoopCommand>(wake: { wakeup.signal() })
        sockets = Mutex(LoopSockets(poller: poller))
    }

    func post(_ command: LoopCommand) {
        mailbox.post(command)
    }

    /// Sends what is in an outbox in the loop's next round or, unless it can wait, at once if the loop sleeps. From any
    /// thread, whatever locks it holds: no receiver is called.
    func transmit(_ endpoint: UInt64, _ route: Route, canWait: Bool) {
        guard !canWait, mailbox.claim() else { return mailbox.post(.send(endpoint: endpoint, route: route)) }
        let isDone = sockets.withLockIfAvailable { $0.sendAhead(endpoint, route) }
        // Without the lock the loop is just waking.
        if isDone != true { mailbox.post(.send(endpoint: endpoint, route: route)) }
        mailbox.handBack(mustWake: isDone != true)
    }

    /// - Parameter executor: its jobs come by the mailbox.
    func run(_ executor: LoopExecutor) {
        do { try poller.add(wakeup.descriptor, number: Self.wakeupNumber) } catch { return }
        var batch: [LoopCommand] = []
        var ready: [UInt64] = []
        /// Pieces of tasks that wait for their turn.
        var jobs: Deque<LoopExecutor.Job> = []
        var isStopped = false
        while !isStopped {
            mailbox.take(into: &batch)
            sockets.withLock { sockets in
                for command in batch {
                    switch command {
                    case .run(let job): jobs.append(job)
                    case .stop: isStopped = true
                    default: sockets.perform(command, self)
                    }
                }
            }
            batch.removeAll(keepingCapacity: true)
            for _ in 0..<min(Self.burst, jobs.count) { jobs.popFirst()?.run() }
            let timeout = sockets.withLock { sockets in
                sockets.receive()
                // Ticking may send: then there is something in the mailbox.
                return sockets.isIdle && jobs.isEmpty ? sockets.timeToSleep() : nil
            }
            guard let timeout, mailbox.prepareToSleep() else { continue }
            poller.wait(milliseconds: timeout, into: &ready)
            sockets.withLock { sockets in
                for number in ready {
                    if number == Self.wakeupNumber { wakeup.clear() } else { sockets.woken(number) }
                }
                sockets.resume()
            }
            ready.removeAll(keepingCapacity: true)
        }
        sockets.withLock { $0.closeAll() }
        executor.close()
        for job in jobs { job.run() }
        mailbox.take(into: &batch)
        for case .run(let job) in batch { job.run() }
    }
}
