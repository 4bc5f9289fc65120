internal import Concurrency
internal import Messages
internal import Synchronization

/// The instances behind one target: resolves, dials, describes, redials; one thread of its own does the waiting, another
/// resolves, since a name without an address may block it for many seconds.
final class ClientChannel: Sendable {
    /// One address and the connection epoch to it.
    struct Slot {
        enum Phase {
            case waiting(until: MonotonicInstant)
            case connecting(ClientConnection?)
            case ready(ClientConnection)
        }

        var phase: Phase
        /// Counts the dials, so that a late event of an old connection is known as such.
        var epoch: UInt64 = 0
        var failures = 0
        /// The resolver names it still.
        var isWanted = true
        var isDescribing = false
        var instance: Instance?

        var connection: ClientConnection? {
            switch phase {
            case .waiting: nil
            case .connecting(let connection): connection
            case .ready(let connection): connection
            }
        }
    }

    struct Ready: Sendable {
        let address: String
        let connection: ClientConnection
        var instance: Instance
    }

    struct State {
        var slots: [String: Slot] = [:]
        /// The slots that take calls.
        var ready: [Ready] = []
        var generation: UInt64 = 0
        var waiters: [(deadline: MonotonicInstant, continuation: CheckedContinuation<Void, Never>)] = []
        var lastProblem = ""
        var hasResolved = false
        var isClosed = false
    }

    let target: String
    let limits: BusLimits
    let timing: BusTiming
    let state = Mutex(State())
    private let resolver: any Resolver
    private let transport: any ClientTransport
    private let signal = ThreadSignal()
    private let resolverSignal = ThreadSignal()

    init(
        target: String, resolver: any Resolver, transport: any ClientTransport, limits: BusLimits, timing: BusTiming
    ) throws {
        self.target = target
        self.resolver = resolver
        self.transport = transport
        self.limits = limits
        self.timing = timing
        // The thread holds the channel until `close`.
        _ = try DedicatedThread(name: "bus-channel") { self.manage() }
        do { _ = try DedicatedThread(name: "bus-resolver") { self.keepResolving() } } catch {
            close()
            throw error
        }
    }

    func close() {
        let (connections, waiters) = state.withLock { state in
            state.isClosed = true
            state.ready = []
            defer {
                state.waiters = []
                state.slots = [:]
            }
            return (state.slots.values.compactMap(\.connection), state.waiters)
        }
        for connection in connections { connection.close("the client was closed") }
        for waiter in waiters { waiter.continuation.resume() }
        signal.signal()
        resolverSignal.signal()
    }

    // MARK: The channel's threads

    private func keepResolving() {
        while !state.withLock({ $0.isClosed }) {
            resolve()
            signal.signal()
            // While there is no instance to call, one that starts is found soon.
            let isDeserted = state.withLock { $0.ready.isEmpty }
            resolverSignal.wait(until: .now + (isDeserted ? min(timing.redial, timing.resolve) : timing.resolve))
        }
    }

    private func manage() {
        while !state.withLock({ $0.isClosed }) {
            let now = MonotonicInstant.now
            for (address, epoch) in dialsDue(now) { dial(address, epoch) }
            let (due, late) = state.withLock { state in
                let late = state.waiters.filter { $0.deadline <= now }
                state.waiters.removeAll { $0.deadline <= now }
                var due = state.waiters.reduce(now + timing.resolve) { min($0, $1.deadline) }
                for slot in state.slots.values {
                    if case .waiting(let until) = slot.phase { due = min(due, until) }
                }
                return (due, late)
            }
            for waiter in late { waiter.continuation.resume() }
            signal.wait(until: due)
        }
    }

    private func resolve() {
        let addresses: [String]
        do {
            addresses = try resolver.resolve()
        } catch {
            change { $0.lastProblem = "resolving failed: \(error)" }
            return
        }
        // An empty answer keeps the last set.
        guard !addresses.isEmpty else {
            change {
                $0.hasResolved = true
                $0.lastProblem = "no address yet"
            }
            return
        }
        let idle = change { state -> [ClientConnection] in
            // An answer may come long after `close`.
            if state.isClosed { return [] }
            state.hasResolved = true
            for address in addresses {
                if state.slots[address] == nil { state.slots[address] = Slot(phase: .waiting(until: .now)) }
            }
            let wanted = Set(addresses)
            var idle: [ClientConnection] = []
            for address in Array(state.slots.keys) {
                state.slots[address]?.isWanted = wanted.contains(address)
                guard !wanted.contains(address) else { continue }
                // A vanished address finishes its calls; then its connection goes. One that is being dialled at this moment
                // stays, so that its epochs are counted on.
                switch state.slots[address]?.phase {
                case .connecting(let connection?), .ready(let connection):
                    if connection.runningCalls == 0 { idle.append(connection) }
                case .waiting: state.slots[address] = nil
                case .connecting(nil), nil: break
                }
            }
            return idle
        }
        for connection in idle { connection.close("the address is gone") }
    }

    private func dialsDue(_ now: MonotonicInstant) -> [(address: String, epoch: UInt64)] {
        state.withLock { state in
            var due: [(address: String, epoch: UInt64)] = []
            for (address, slot) in state.slots {
                guard case .waiting(let until) = slot.phase, until <= now, slot.isWanted else { continue }
                let epoch = slot.epoch + 1
                state.slots[address]?.epoch = epoch
                state.slots[address]?.phase = .connecting(nil)
                due.append((address, epoch))
            }
            return due
        }
    }

    private func dial(_ address: String, _ epoch: UInt64) {
        let made = Mutex<ClientConnection?>(nil)
        do {
            try transport.dial(address) { link in
                let connection = ClientConnection(link: link, limits: limits, timing: timing) { [weak self] event in
                    self?.handle(event, address, epoch)
                }
                made.withLock { $0 = connection }
                return connection
            }
        } catch {
            handle(.ended(RPCError(converting: error)), address, epoch)
            return
        }
        guard let connection = made.withLock({ $0 }) else { return }
        let isCurrent = state.withLock { state in
            guard state.slots[address]?.epoch == epoch, case .connecting = state.slots[address]?.phase else {
                return false
            }
            state.slots[address]?.phase = .connecting(connection)
            return true
        }
        guard isCurrent else {
            connection.close("the client was closed")
            return
        }
        describe(connection, address, epoch)
    }

    // MARK: Events

    private func handle(_ event: ClientConnection.Event, _ address: String, _ epoch: UInt64) {
        switch event {
        case .pong(let load):
            let mustDescribe = change { state -> ClientConnection? in
                guard let slot = state.slots[address], slot.epoch == epoch, var instance = slot.instance,
                    case .ready(let connection) = slot.phase
                else { return nil }
                instance.load = load
                state.slots[address]?.instance = instance
                if let index = state.ready.firstIndex(where: { $0.connection === connection }) {
                    state.ready[index].instance.startedSinceReport = 0
                }
                guard load.describeEpoch != instance.description.epoch, !slot.isDescribing else { return nil }
                state.slots[address]?.isDescribing = true
                return connection
            }
            if let mustDescribe { describe(mustDescribe, address, epoch) }
        case .goAway:
            change { state in
                guard state.slots[address]?.epoch == epoch else { return }
                state.slots[address]?.instance?.load.isDraining = true
            }
        case .ended(let error):
            change { state in
                guard let slot = state.slots[address], slot.epoch == epoch else { return }
                state.lastProblem = "\(address): \(error.message)"
                let failures = slot.failures
                let wait = min(timing.redial * (1 << min(failures, 10)), timing.redialLimit)
                state.slots[address]?.failures += 1
                state.slots[address]?.instance = nil
                state.slots[address]?.isDescribing = false
                state.slots[address]?.phase = .waiting(until: .now + wait)
            }
            signal.signal()
        }
    }

    private func describe(_ connection: ClientConnection, _ address: String, _ epoch: UInt64) {
        Task { [weak self, limits] in
            do {
                let inbox = ReplyInbox()
                let start = CallStart(
                    method: Bus.describe.path, creditMessages: limits.windowMessages, creditBytes: limits.windowBytes)
                _ = try connection.start(
                    start, body: DescribeRequest().encoded(), attachments: [], inbox: inbox,
                    deadline: .now + (self?.timing.silence ?? .seconds(3)))
                guard let reply = try await inbox.next() else { return }
                let description = try ServiceDescription(decoding: reply.body)
                self?.described(description, connection, address, epoch)
            } catch {
                // Without a description no call may go there: dial anew.
                connection.close("Describe failed: \(error)")
            }
        }
    }

    private func described(
        _ description: ServiceDescription, _ connection: ClientConnection, _ address: String, _ epoch: UInt64
    ) {
        change { state in
            guard let slot = state.slots[address], slot.epoch == epoch else { return }
            var instance =
                slot.instance
                ?? Instance(address: address, description: description, load: LoadReport(), state: .ready)
            if slot.instance == nil {
                instance.load.capacity = description.capacity
                instance.load.describeEpoch = description.epoch
                instance.load.isDraining = connection.isDraining
            }
            instance.description = description
            state.slots[address]?.instance = instance
            state.slots[address]?.isDescribing = false
            state.slots[address]?.failures = 0
            state.slots[address]?.phase = .ready(connection)
        }
    }

    /// Changes the set, works out which instances take calls, and wakes the tasks that wait for a change.
    @discardableResult
    private func change<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
        let (result, waiters) = state.withLock { state in
            let result = body(&state)
            state.generation += 1
            var ready: [Ready] = []
            for (address, slot) in state.slots {
                guard var instance = slot.instance, case .ready(let connection) = slot.phase else { continue }
                instance.state = instance.load.isStuck(after: timing.stuck) ? .stuck : .ready
                if instance.load.isDraining || !slot.isWanted { instance.state = .draining }
                // What was started since the report stands in the ready list.
                instance.startedSinceReport =
                    state.ready.first { $0.connection === connection }?.instance.startedSinceReport ?? 0
                state.slots[address]?.instance = instance
                if instance.state == .ready {
                    ready.append(Ready(address: address, connection: connection, instance: instance))
                }
            }
            state.ready = ready
            defer { state.waiters = [] }
            return (result, state.waiters)
        }
        for waiter in waiters { waiter.continuation.resume() }
        return result
    }
}

// MARK: What calls need

extension ClientChannel {
    var instances: [Instance] {
        state.withLock { state in
            state.slots.values.compactMap(\.instance).sorted { $0.address < $1.address }
        }
    }

    /// Those that take calls, with what was started since they reported.
    var ready: [Instance] { state.withLock { $0.ready.map(\.instance) } }

    /// A ready instance for a call, and the number of the set's state it was chosen from.
    func choose(_ options: CallOptions) -> (chosen: (connection: ClientConnection, id: String)?, generation: UInt64) {
        state.withLock { state in
            guard let index = Self.index(for: options, in: state.ready) else { return (nil, state.generation) }
            state.ready[index].instance.startedSinceReport += options.cost
            return ((state.ready[index].connection, state.ready[index].instance.id), state.generation)
        }
    }

    private static func index(for options: CallOptions, in ready: [Ready]) -> Int? {
        if ready.count == 1, options.isUnconditional { return 0 }
        let candidates = ready.indices.filter { options.accepts(ready[$0].instance.description) }
        let pressure = { (index: Int) in ready[index].instance.pressure }
        if let affinity = options.affinity {
            let capacity = candidates.map { ready[$0].instance.load.capacity }.min() ?? 1
            return Balancer.choose(
                candidates, affinity: affinity, slack: 1 + Double(options.affinityWorth) / Double(max(1, capacity)),
                id: { ready[$0].instance.id }, pressure)
        }
        var random = SystemRandomNumberGenerator()
        return Balancer.choose(candidates, pressure, using: &random)
    }

    /// Waits until the set has changed since `generation`, the deadline has passed, or the task is cancelled.
    func changed(since generation: UInt64, until deadline: MonotonicInstant) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    let isOver = state.generation != generation || state.isClosed || Task.isCancelled
                    if !isOver { state.waiters.append((deadline, continuation)) }
                    return isOver
                }
                if isOver { continuation.resume() } else { signal.signal() }
            }
        } onCancel: {
            // All waiters look again; those that are not cancelled wait on.
            change { _ in }
        }
    }

    func noInstance(_ options: CallOptions) -> RPCError {
        state.withLock { state in
            let known = state.slots.count
            let problem = state.lastProblem.isEmpty ? "" : "; last problem: \(state.lastProblem)"
            let wanted = options.instanceID.map { ", instance \($0)" } ?? ""
            return RPCError(
                .unavailable,
                "no suitable instance of \(target)\(wanted): \(known) addresses, \(state.ready.count) ready"
                    + problem, reason: state.isClosed ? "client_closed" : "no_instance", notStarted: true)
        }
    }
}
