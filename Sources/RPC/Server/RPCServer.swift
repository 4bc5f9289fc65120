package import Messages
internal import Synchronization

/// Hosts services at one or more endpoints, as one instance.
///
/// Every server answers `nephele.v1.Bus/Describe` and `Health` by itself.
package final class RPCServer: Sendable {
    private let core: ServerCore
    private let transports: [any ServerTransport]
    private let isStarted = Atomic<Bool>(false)
    /// To be fed by the service, from any thread.
    package let gauge: LoadGauge

    package init(
        _ description: ServiceDescription, services: [any RPCService], transports: [any ServerTransport],
        gauge: LoadGauge? = nil, interceptors: [any ServerInterceptor] = [], limits: BusLimits = BusLimits(),
        timing: BusTiming = BusTiming()
    ) {
        let gauge = gauge ?? LoadGauge(capacity: description.capacity)
        var router = RPCRouter()
        router.interceptors = interceptors
        for service in services { service.register(with: &router) }
        let holder = CoreHolder()
        router.immediate(Bus.describe) { _, _ in ServerReply(try holder.get().description) }
        router.immediate(Bus.health) { _, _ in ServerReply(try holder.get().health) }
        core = ServerCore(description: description, router: router, gauge: gauge, limits: limits, timing: timing)
        holder.set(core)
        self.gauge = gauge
        self.transports = transports
    }

    package var description: ServiceDescription { core.description }
    package var runningCalls: Int { core.runningCalls }
    /// Clients connected now.
    package var peerCount: Int { core.peerCount }
    /// Clients dropped because of what they sent.
    package var refusedPeers: Int { core.refusedPeers }
    package var load: LoadReport { core.loadReport }

    /// Changes what the instance says it is; its clients ask again within a heartbeat.
    /// - Precondition: the instance id stays.
    package func update(_ change: (inout ServiceDescription) -> Void) {
        core.update(change)
    }

    /// Binds all transports.
    /// - Returns: their addresses, in order.
    /// - Throws: `RPCError`; then nothing is bound.
    @discardableResult
    package func start() throws -> [String] {
        precondition(!isStarted.exchange(true, ordering: .relaxed), "a server starts once; make another")
        var addresses: [String] = []
        for transport in transports {
            do {
                addresses.append(try transport.start { [core] link in core.accept(link) })
            } catch {
                for bound in transports.prefix(addresses.count) { bound.stop() }
                throw error
            }
        }
        return addresses
    }

    /// Takes no new calls, lets the running ones finish for `grace`, then stops.
    ///
    /// The clients close the connections, within two heartbeats of the last reply: a server that closed first could
    /// take replies back that TCP has not delivered yet.
    package func drain(grace: Duration) async {
        core.beginDraining()
        if await within(grace, core.idle) {
            core.goAway()
            _ = await within(core.timing.heartbeat * 2, core.deserted)
        }
        // Handlers that are still running are cancelled.
        stop()
    }

    /// - Returns: whether `event` came to pass.
    private func within(_ time: Duration, _ event: @escaping @Sendable () async -> Void) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await event()
                return true
            }
            group.addTask {
                try? await Task.sleep(for: time)
                return false
            }
            defer { group.cancelAll() }
            return await group.next() == true
        }
    }

    /// Drops every client and call at once.
    package func stop() {
        for transport in transports { transport.stop() }
        core.closeConnections()
    }

    /// Serves until the task is cancelled, then drains for `grace`.
    /// - Parameter started: gets the addresses once they are bound.
    package func run(
        grace: Duration = .seconds(30), started: @Sendable ([String]) -> Void = { _ in }
    ) async throws {
        started(try start())
        let (forever, stopped) = AsyncStream<Void>.makeStream()
        await withTaskCancellationHandler {
            for await _ in forever {}
        } onCancel: {
            stopped.finish()
        }
        await Task { await drain(grace: grace) }.value
    }
}

/// Ties the built-in methods to the core that is made after the router.
private final class CoreHolder: Sendable {
    private struct Weak: Sendable {
        weak var core: ServerCore?
    }

    private let core = Mutex(Weak())

    func set(_ core: ServerCore) {
        self.core.withLock { $0.core = core }
    }

    func get() throws -> ServerCore {
        guard let core = core.withLock({ $0.core }) else {
            throw RPCError(.unavailable, "the server has stopped", notStarted: true)
        }
        return core
    }
}
