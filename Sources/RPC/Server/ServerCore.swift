internal import Concurrency
internal import Messages
internal import Synchronization

/// What all connections of one server share.
final class ServerCore: Sendable {
    private struct State {
        var description: ServiceDescription
        var connections: [ObjectIdentifier: ServerConnection] = [:]
        var runningCalls = 0
        var isDraining = false
        /// Look again after every change that may end a drain.
        var waiters: [CheckedContinuation<Bool, Never>] = []
        var refusedPeers = 0
        var cancelledCalls = 0
    }

    let limits: BusLimits
    let timing: BusTiming
    private let router: RPCRouter
    private let gauge: LoadGauge
    private let state: Mutex<State>

    init(
        description: ServiceDescription, router: RPCRouter, gauge: LoadGauge, limits: BusLimits, timing: BusTiming
    ) {
        self.limits = limits
        self.timing = timing
        self.router = router
        self.gauge = gauge
        state = Mutex(State(description: description.with(epoch: 1)))
    }

    var description: ServiceDescription { state.withLock { $0.description } }
    var runningCalls: Int { state.withLock { $0.runningCalls } }
    var isDraining: Bool { state.withLock { $0.isDraining } }
    /// Peers dropped because of what they sent.
    var refusedPeers: Int { state.withLock { $0.refusedPeers } }
    var peerCount: Int { state.withLock { $0.connections.count } }

    /// Changes what Describe answers; the next PONG tells clients to ask again.
    func update(_ change: (inout ServiceDescription) -> Void) {
        state.withLock { state in
            var description = state.description
            change(&description)
            precondition(
                description.instanceID == state.description.instanceID,
                "an instance keeps its id; start another server for another instance")
            state.description = description.with(epoch: state.description.epoch + 1)
        }
    }

    var loadReport: LoadReport {
        var report = gauge.report
        state.withLock { state in
            report.runningCalls = state.runningCalls
            report.cancelledCalls = state.cancelledCalls
            report.isDraining = state.isDraining
            report.describeEpoch = state.description.epoch
        }
        return report
    }

    var health: HealthReply {
        let load = loadReport
        if load.isDraining { return HealthReply(state: .draining, load: load) }
        if load.isStuck(after: timing.stuck) { return HealthReply(state: .stuck, load: load) }
        return HealthReply(state: gauge.isReady ? .serving : .starting, load: load)
    }

    // MARK: Peers

    func accept(_ link: any FrameLink) -> ServerConnection {
        let connection = ServerConnection(link: link, core: self)
        let isDraining = state.withLock { state in
            state.connections[ObjectIdentifier(connection)] = connection
            return state.isDraining
        }
        if isDraining { connection.goAway("the instance is shutting down") }
        return connection
    }

    func forget(_ connection: ServerConnection) {
        state.withLock { $0.connections[ObjectIdentifier(connection)] = nil }
        wakeWaiters()
    }

    func peerRefused(_ what: String) {
        state.withLock { $0.refusedPeers += 1 }
    }

    // MARK: Calls

    func handler(_ method: String) -> RPCRouter.Handler? { router.handlers[method] }

    /// The handler of a call, if it may start.
    /// - Throws: `RPCError` with `notStarted`.
    func admit(_ frame: FrameHeader, _ start: CallStart, _ body: RawSpan) throws(RPCError) -> RPCRouter.Handler {
        guard frame.call != 0, frame.sequence == 0 else {
            throw .protocolViolation("a CALL with number \(frame.call), sequence \(frame.sequence)")
        }
        guard let handler = router.handlers[start.method] else {
            throw RPCError(
                .unimplemented, "no method \(start.method.prefix(256)) here; there are \(router.methods)",
                reason: "unknown_method", notStarted: true)
        }
        let needsSlot = if case .task = handler { true } else { !start.attachmentSizes.isEmpty }
        try state.withLock { state throws(RPCError) in
            try Self.checkAddress(start, state.description)
            guard !state.isDraining || start.method.hasPrefix(Bus.service.name) else {
                throw RPCError(
                    .unavailable, "the instance is shutting down; call another", reason: "draining", notStarted: true)
            }
            guard !needsSlot || state.runningCalls < limits.runningCalls else {
                throw RPCError(
                    .resourceExhausted, "\(state.runningCalls) calls are running, the limit is \(limits.runningCalls)",
                    reason: "call_queue_full", retryAfter: .seconds(1), notStarted: true)
            }
        }
        guard body.byteCount <= limits.messageBytes else {
            throw RPCError(
                .resourceExhausted,
                "a message of \(body.byteCount) bytes; the limit is \(limits.messageBytes): "
                    + "send large data as attachments", reason: "message_too_large", notStarted: true)
        }
        return handler
    }

    private static func checkAddress(_ start: CallStart, _ description: ServiceDescription) throws(RPCError) {
        if let id = start.instanceID, id != description.instanceID {
            throw RPCError(
                .failedPrecondition, "the call is for instance \(id.prefix(64)), this is \(description.instanceID)",
                reason: "instance_mismatch", notStarted: true)
        }
        if let id = start.numericsID, !description.models.contains(where: { $0.numericsID == id }) {
            throw RPCError(
                .failedPrecondition,
                "the call is for numerics id \(id.prefix(64)), this instance has "
                    + "\(description.models.map(\.numericsID))", reason: "numerics_mismatch", notStarted: true)
        }
    }

    func newCall(_ id: UInt64, deadline: MonotonicInstant?) -> ServerCall {
        state.withLock { $0.runningCalls += 1 }
        return ServerCall(id: id, deadline: deadline) { [weak self] in self?.callReleased(wasCancelled: $0) }
    }

    private func callReleased(wasCancelled: Bool) {
        let isIdle = state.withLock { state in
            state.runningCalls -= 1
            if wasCancelled { state.cancelledCalls += 1 }
            return state.runningCalls == 0
        }
        if isIdle { wakeWaiters() }
    }

    func intercepted<Result>(_ context: ServerContext, _ body: () throws -> Result) throws -> Result {
        for interceptor in router.interceptors { try interceptor.admit(context) }
        return try body()
    }

    func run(
        _ handler: RPCRouter.Handler, _ message: InboundMessage, _ context: ServerContext, _ sink: ReplySink
    ) async throws -> OutboundReply? {
        for interceptor in router.interceptors { try interceptor.admit(context) }
        switch handler {
        case .immediate(let handle):
            return try message.body.withSpan { try handle($0, message.attachments, context) }
        case .task(let handle): return try await handle(message, context, sink)
        }
    }

    // MARK: Shutting down

    func beginDraining() {
        state.withLock { $0.isDraining = true }
        goAway()
    }

    /// The first tells clients that no new calls are taken, the second that all are answered.
    func goAway() {
        for connection in state.withLock({ Array($0.connections.values) }) {
            connection.goAway("the instance is shutting down")
        }
    }

    /// Waits until no call runs or the task is cancelled.
    func idle() async {
        await wait { $0.runningCalls == 0 }
    }

    /// Waits until every client has gone or the task is cancelled.
    func deserted() async {
        await wait { $0.connections.isEmpty }
    }

    private func wait(until isMet: @Sendable (borrowing State) -> Bool) async {
        while await !isOver(isMet) {}
    }

    /// Whether the condition is met or the task cancelled; false after a change, when it has to be checked again.
    private func isOver(_ isMet: @Sendable (borrowing State) -> Bool) async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    let isOver = isMet(state) || Task.isCancelled
                    if !isOver { state.waiters.append(continuation) }
                    return isOver
                }
                if isOver { continuation.resume(returning: true) }
            }
        } onCancel: {
            wakeWaiters()
        }
    }

    private func wakeWaiters() {
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: false) }
    }

    func closeConnections() {
        let connections = state.withLock { Array($0.connections.values) }
        for connection in connections { connection.close() }
    }
}
