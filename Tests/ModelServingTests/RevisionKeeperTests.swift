import Concurrency
import Messages
import ModelServing
import Synchronization
import Testing

@testable import RPC

/// A revision that is nothing but its id.
private struct Numbered: ModelRevision {
    var id: String
    /// Lives as long as the revision does.
    var token = Token()

    final class Token: Sendable {}

    var models: [ModelDescription] {
        var model = ModelDescription(name: "m")
        (model.numericsID, model.revision) = (id, id)
        return [model]
    }
}

/// Answers with the revision that a call got, after it was let go on.
private final class Instance: RPCService, Sendable {
    let keeper: RevisionKeeper<Numbered>
    private let gates = Mutex<[String: AsyncStream<Void>.Continuation]>([:])
    private let arrivals: AsyncStream<String>
    private let arrived: AsyncStream<String>.Continuation

    init(_ keeper: RevisionKeeper<Numbered>) {
        self.keeper = keeper
        (arrivals, arrived) = AsyncStream.makeStream()
    }

    func register(with router: inout RPCRouter) {
        router.unary(Wire.Echo.echoLater) { [self] request, context in
            try await keeper.use(context) { revision in
                let name = String(decoding: request.message.payload, as: UTF8.self)
                if name.hasPrefix("slow") {
                    let (open, gate) = AsyncStream<Void>.makeStream()
                    gates.withLock { $0[name] = gate }
                    arrived.yield(name)
                    for await _ in open {}
                }
                return ServerReply(Wire.EchoReply(payload: Array(revision.id.utf8)))
            }
        }
        router.unary(Wire.Revisions.reload) { [self] _, _ in ServerReply(try await keeper.reload()) }
    }

    /// Waits for a slow call.
    func arrival() async { for await _ in arrivals { return } }

    func letGo(_ name: String) { gates.withLock { $0[name] }?.finish() }
}

@Suite(.timeLimit(.minutes(10))) struct RevisionKeeperTests {
    private func serve(
        linger: Duration = .zero, keepsPrevious: Bool = false, _ load: RevisionKeeper<Numbered>.Loader?,
        _ body: (RPCClient, Instance, RPCServer) async throws -> Void
    ) async throws {
        let network = try InProcessNetwork()
        let keeper = RevisionKeeper(
            "m", Numbered(id: "one"), linger: linger, keepsPrevious: keepsPrevious, load: load)
        let instance = Instance(keeper)
        var description = ServiceDescription(service: "test")
        description.models = keeper.models
        let server = RPCServer(description, services: [instance], transports: [network.server("a")])
        keeper.onChange { [weak server] in server?.update { $0.models = keeper.models } }
        try server.start()
        let client = try RPCClient(
            target: "a", resolver: StaticResolver(addresses: ["a"]), transport: network.client)
        defer {
            client.close()
            server.stop()
        }
        try await client.waitUntil { !$0.isEmpty }
        try await body(client, instance, server)
    }

    private func ask(_ client: RPCClient, _ name: String = "", numericsID: String? = nil) async throws -> String {
        var options = CallOptions()
        options.numericsID = numericsID
        options.readyTimeout = .seconds(5)
        let request = Wire.EchoRequest(payload: Array(name.utf8))
        return String(
            decoding: try await client.call(Wire.Echo.echoLater, request, options).message.payload, as: UTF8.self)
    }

    @Test func `new calls get the new revision, running ones end on the old, which then goes`() async throws {
        let weakToken = Mutex<Weak>(Weak())
        try await serve({ current in
            weakToken.withLock { $0.token = current.token }
            return Numbered(id: "two")
        }) { client, instance, server in
            async let slow = ask(client, "slow")
            await instance.arrival()
            let reply = try await client.call(Wire.Revisions.reload, Wire.ReloadRequest(model: "m")).message
            #expect(reply.revision == "two" && reply.previous == "one")
            #expect(try await ask(client) == "two")
            #expect(server.description.models.map(\.numericsID) == ["two", "one"])
            #expect(server.description.models.map(\.isRetiring) == [false, true])
            #expect(weakToken.withLock { $0.token } != nil)
            // A call that resumes what began on the old one finds it there.
            try await client.waitUntil { $0.first?.description.models.count == 2 }
            #expect(try await ask(client, numericsID: "one") == "one")
            instance.letGo("slow")
            let late = try await slow
            #expect(late == "one")
            try await client.waitUntil { $0.first?.description.models.map(\.numericsID) == ["two"] }
            #expect(weakToken.withLock { $0.token } == nil)
        }
    }

    private struct Weak: Sendable { weak var token: Numbered.Token? }

    @Test func `a replaced revision takes calls of clients that have not heard of it yet`() async throws {
        try await serve(linger: .seconds(600), { _ in Numbered(id: "two") }) { client, instance, _ in
            _ = try await instance.keeper.reload()
            // The client knows nothing but the first description.
            #expect(try await ask(client, numericsID: "one") == "one")
            #expect(try await ask(client) == "two")
        }
    }

    @Test func `what cannot be loaded changes nothing, and what has not changed is not replaced`() async throws {
        let results = Mutex<[Result<Numbered?, RPCError>]>([
            .failure(RPCError(.resourceExhausted, "no memory", reason: "insufficient_memory")), .success(nil),
        ])
        try await serve({ _ in try results.withLock { $0.removeFirst() }.get() }) { client, instance, server in
            let error = await #expect(throws: RPCError.self) {
                try await client.call(Wire.Revisions.reload, Wire.ReloadRequest(model: "m"))
            }
            #expect(error?.reason == "insufficient_memory")
            let reply = try await instance.keeper.reload()
            #expect(reply.revision == "one" && reply.previous == "one")
            #expect(try await ask(client) == "one")
            #expect(server.description.models.count == 1)
        }
    }

    @Test func `one is loaded at a time, and none where nothing loads`() async throws {
        let (entered, enter) = AsyncStream<Void>.makeStream()
        // The loader has a thread of its own, which may block.
        let gate = BoundedQueue<Numbered>(capacity: 1)
        try await serve({ _ in
            enter.yield()
            return gate.take()
        }) { client, instance, _ in
            async let first = instance.keeper.reload()
            for await _ in entered { break }
            let error = await #expect(throws: RPCError.self) { try await instance.keeper.reload() }
            #expect(error?.code == .aborted && error?.reason == "reload_in_progress")
            #expect(gate.offer(Numbered(id: "two")) == .accepted)
            let reply = try await first
            #expect(reply.revision == "two")
        }
        try await serve(nil) { _, instance, _ in
            let error = await #expect(throws: RPCError.self) { try await instance.keeper.reload() }
            #expect(error?.code == .unimplemented)
        }
    }

    @Test func `a kept predecessor stays until the next one comes`() async throws {
        let names = Mutex(["two", "three"])
        try await serve(keepsPrevious: true, { _ in Numbered(id: names.withLock { $0.removeFirst() }) }) {
            client, instance, server in
            _ = try await instance.keeper.reload()
            #expect(server.description.models.map(\.numericsID) == ["two", "one"])
            _ = try await instance.keeper.reload()
            #expect(server.description.models.map(\.numericsID) == ["three", "two"])
        }
    }

    @Test func `a report holds all engines behind a server, as long as they live`() {
        let gauge = LoadGauge(capacity: 4)
        gauge.addOutstanding(5)
        do {
            let part = gauge.part()
            part.addOutstanding(7)
            part.beginStep()
            #expect(gauge.report.outstanding == 12 && gauge.report.stepAge != nil)
        }
        #expect(gauge.report.outstanding == 5 && gauge.report.stepAge == nil)
        #expect(gauge.report.capacity == 4)
    }

    @Test func `what does not fit is refused with both numbers`() throws {
        try MemoryRoom.unknown.require(.max, for: "it")
        try MemoryRoom { 17 << 20 }.require(16 << 20, for: "it")
        let error = #expect(throws: RPCError.self) { try MemoryRoom { 17 << 20 }.require(17 << 20, for: "it") }
        #expect(error?.code == .resourceExhausted && error?.reason == "insufficient_memory")
        #expect(error?.message.contains("17 MiB beside") == true)
        #expect(throws: RPCError.self) { try MemoryRoom { .max }.require(.max, for: "it") }
    }
}

@Suite(.timeLimit(.minutes(10))) struct StuckInstanceTests {
    /// Waits until it is let go of, or says who it is.
    private struct Waiting: RPCService {
        let arrived: @Sendable () -> Void

        func register(with router: inout RPCRouter) {
            router.unary(Wire.Echo.echoLater) { request, context in
                guard request.message.payload == [1] else { return ServerReply(Wire.EchoReply(payload: [])) }
                let (forever, gone) = AsyncStream<Void>.makeStream()
                context.onCancel { gone.finish() }
                arrived()
                for await _ in forever {}
                throw RPCError(.cancelled, "given up")
            }
        }
    }

    @Test func `calls of an instance that does not come out of a step fail, and it takes new ones once it goes on`()
        async throws
    {
        var timing = BusTiming()
        (timing.stuck, timing.heartbeat) = (.milliseconds(50), .milliseconds(10))
        let network = try InProcessNetwork()
        let gauge = LoadGauge()
        let (arrivals, arrived) = AsyncStream<Void>.makeStream()
        let server = RPCServer(
            ServiceDescription(service: "test"), services: [Waiting { arrived.yield() }],
            transports: [network.server("a")], gauge: gauge, timing: timing)
        try server.start()
        let client = try RPCClient(
            target: "a", resolver: StaticResolver(addresses: ["a"]), transport: network.client, timing: timing)
        defer {
            client.close()
            server.stop()
        }
        async let call = client.call(Wire.Echo.echoLater, Wire.EchoRequest(payload: [1]))
        for await _ in arrivals { break }
        #expect(client.instances.first?.state == .ready)
        gauge.beginStep()
        do {
            _ = try await call
            Issue.record("the call came through")
        } catch let error as RPCError {
            #expect(error.code == .unavailable && error.reason == "instance_stuck" && !error.notStarted)
        }
        try await client.waitUntil { $0.first?.state == .stuck }
        // Nobody waits for it any more.
        await server.drained()
        gauge.endStep()
        _ = try await client.call(Wire.Echo.echoLater, Wire.EchoRequest(payload: []))
        #expect(client.instances.first?.state == .ready)
    }
}

extension RPCServer {
    /// Waits until no call runs.
    fileprivate func drained() async {
        while runningCalls > 0 { await Task.yield() }
    }
}
