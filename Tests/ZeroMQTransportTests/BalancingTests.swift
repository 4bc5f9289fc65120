import Benchmarks
import Messages
import RPC
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(5)), .serialized)
struct BalancingTests {
    @Test("calls go to the instance that reports less load", arguments: TestedTransport.allCases)
    func byLoad(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let (busy, first) = try fixture.serve()
        let (idle, second) = try fixture.serve()
        defer {
            busy.stop()
            idle.stop()
        }
        busy.gauge.addOutstanding(1_000_000)
        let client = try fixture.client(first, second)
        try await client.waitUntil { $0.count == 2 && $0.contains { $0.load.outstanding == 1_000_000 } }
        // Two instances: both are drawn every time, the less loaded one wins.
        for _ in 0..<50 {
            #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest()).instanceID == idle.description.instanceID)
        }
        busy.gauge.addOutstanding(-1_000_000)
        idle.gauge.addOutstanding(1_000_000)
        try await client.waitUntil { instances in
            instances.contains { $0.id == idle.description.instanceID && $0.load.outstanding == 1_000_000 }
                && instances.contains { $0.id == busy.description.instanceID && $0.load.outstanding == 0 }
        }
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest()).instanceID == busy.description.instanceID)
    }

    @Test("a filter chooses by description", arguments: TestedTransport.allCases)
    func byDescription(_ wire: TestedTransport) async throws {
        let fixture = try Fixture(wire)
        let (a, first) = try fixture.serve { $0.models = [ModelDescription(name: "a")] }
        let (b, second) = try fixture.serve { $0.models = [ModelDescription(name: "b")] }
        defer {
            a.stop()
            b.stop()
        }
        let client = try fixture.client(first, second)
        for _ in 0..<10 {
            let options = CallOptions(filter: { $0.models.contains { $0.name == "b" } })
            #expect(
                try await client.call(Wire.Echo.echo, Wire.EchoRequest(), options).instanceID
                    == b.description.instanceID)
        }
    }

    @Test("equal affinity keys go to one instance, different ones spread")
    func affinity() async throws {
        let fixture = try Fixture(.inProcess)
        var servers: [RPCServer] = []
        var addresses: [String] = []
        for _ in 0..<4 {
            let (server, address) = try fixture.serve { $0.capacity = 1_000_000 }
            servers.append(server)
            addresses.append(address)
        }
        let client = try fixture.client(resolver: StaticResolver(addresses: addresses))
        try await client.waitUntil { $0.count == 4 }
        var used: Set<String> = []
        for key in UInt8(0)..<32 {
            var options = CallOptions()
            options.affinity = [key]
            let first = try await client.call(Wire.Echo.echo, Wire.EchoRequest(), options).instanceID
            let second = try await client.call(Wire.Echo.echo, Wire.EchoRequest(), options).instanceID
            #expect(first == second)
            used.insert(first)
        }
        #expect(used.count == 4)
        for server in servers { server.stop() }
    }

    @Test("a key keeps its instance until that has more to do than the rest by what the key is worth")
    func boundedAffinity() async throws {
        let fixture = try Fixture(.inProcess)
        let (a, first) = try fixture.serve { $0.capacity = 10 }
        let (b, second) = try fixture.serve { $0.capacity = 10 }
        defer {
            a.stop()
            b.stop()
        }
        let client = try fixture.client(resolver: StaticResolver(addresses: [first, second]))
        try await client.waitUntil { $0.count == 2 }
        var options = CallOptions()
        (options.affinity, options.affinityWorth) = ([1], 1_000)
        func chosen() async throws -> String {
            try await client.call(Wire.Echo.echo, Wire.EchoRequest(), options).instanceID
        }
        let preferred = try await chosen()
        let (own, other) = preferred == a.description.instanceID ? (a, b) : (b, a)
        // Of a pressure p beside none: p ≤ 0.625 p + 1 + 1,000 / 10 holds for p = 250, not for 300.
        for (outstanding, expected) in [(2_500, own), (3_000, other), (0, own)] {
            own.gauge.addOutstanding(outstanding - own.load.outstanding)
            try await client.waitUntil { instances in
                instances.contains { $0.id == own.description.instanceID && $0.load.outstanding == outstanding }
            }
            #expect(try await chosen() == expected.description.instanceID)
        }
        // Both are busy: it is the difference that counts.
        own.gauge.addOutstanding(9_000)
        other.gauge.addOutstanding(9_000)
        try await client.waitUntil { $0.allSatisfy { $0.load.outstanding == 9_000 } }
        #expect(try await chosen() == preferred)
    }

    @Test("a stuck instance takes no calls")
    func stuck() {
        var load = LoadReport()
        #expect(!load.isStuck(after: .seconds(30)))
        load.stepAge = .seconds(29)
        #expect(!load.isStuck(after: .seconds(30)))
        load.stepAge = .seconds(30)
        #expect(load.isStuck(after: .seconds(30)))
        load.slowestStep = .seconds(2)
        #expect(!load.isStuck(after: .seconds(30)))
        load.stepAge = .seconds(40)
        #expect(load.isStuck(after: .seconds(30)))
    }

    @Test("an instance found later is used, one that vanished from the names gets no new calls")
    func resolving() async throws {
        var timing = BusTiming()
        timing.resolve = .milliseconds(20)
        let fixture = try Fixture(.tcp, timing: timing)
        let (a, first) = try fixture.serve()
        let (b, second) = try fixture.serve()
        defer {
            a.stop()
            b.stop()
        }
        let names = Names([first])
        let client = try fixture.client(resolver: names)
        try await client.waitUntil { $0.map(\.id) == [a.description.instanceID] }
        names.set([first, second])
        try await client.waitUntil { $0.count == 2 }
        names.set([])
        // An empty answer keeps the last set.
        await names.asked(3)
        #expect(client.instances.count == 2)
        names.set([second])
        try await client.waitUntil { $0.map(\.id) == [b.description.instanceID] }
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest()).instanceID == b.description.instanceID)
    }
}

/// A resolver whose answer the test sets.
final class Names: Resolver {
    private struct State {
        var addresses: [String]
        var waiters: [(left: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state: Mutex<State>

    init(_ addresses: [String]) {
        state = Mutex(State(addresses: addresses))
    }

    func set(_ addresses: [String]) {
        state.withLock { $0.addresses = addresses }
    }

    /// Waits until the resolver was asked `times` more.
    func asked(_ times: Int) async {
        await withCheckedContinuation { continuation in state.withLock { $0.waiters.append((times, continuation)) } }
    }

    func resolve() -> [String] {
        let (addresses, done) = state.withLock { state in
            for index in state.waiters.indices { state.waiters[index].left -= 1 }
            let done = state.waiters.filter { $0.left == 0 }
            state.waiters.removeAll { $0.left == 0 }
            return (state.addresses, done)
        }
        for waiter in done { waiter.continuation.resume() }
        return addresses
    }
}
