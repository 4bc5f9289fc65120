import Foundation
import GatewayClient
import Supervision
import Synchronization
import Testing

/// Seconds of each case.
private let seconds = ProcessInfo.processInfo.environment["NEPHELE_CHAOS_SECONDS"].flatMap { Int($0) } ?? 8

/// In a short run only one partition.
private let isLong = ProcessInfo.processInfo.environment["NEPHELE_CHAOS_SECONDS"] != nil

/// Real processes in network namespaces, mixed load, and what happens to networks. Clients must see none of it.
@Suite(
    .serialized, .timeLimit(.minutes(240)),
    .enabled(if: NetworkLab.isAvailable, "needs root, network namespaces, iproute2 and iptables"))
struct NetworkFaultTests {
    @Test(
        .enabled(
            if: isLong && NetworkLab.hasNetem, "runs where NEPHELE_CHAOS_SECONDS says how long and the kernel has netem"
        ))
    func `a network with 40 ms of latency and some jitter`() async throws {
        try await run("latency 40 ms") { fleet in try fleet.lab.set(.latency("40ms 10ms")) }
    }

    @Test(.enabled(if: isLong, "runs where NEPHELE_CHAOS_SECONDS says how long"))
    func `a network that loses three packets of a hundred`() async throws {
        try await run("loss 3%") { fleet in try fleet.lab.set(.loss(3)) }
    }

    @Test(.enabled(if: isLong, "runs where NEPHELE_CHAOS_SECONDS says how long"))
    func `a slow network, where packets queue`() async throws {
        try await run("2 Mbit/s") { fleet in try fleet.lab.set(.rate("2mbit")) }
    }

    @Test func `a partition between the gateway and a worker of each kind`() async throws {
        try await run("gateway | workers") { fleet in
            for node in ["tokenizer1", "first1", "diffusion1"] { try fleet.lab.part("gateway", node) }
        }
    }

    @Test(.enabled(if: isLong, "runs where NEPHELE_CHAOS_SECONDS says how long"))
    func `a partition between shards, of each later one in turn`() async throws {
        let rounds = Atomic(0)
        try await run("shard 0 | shard 1", rounds: 2) { fleet in
            let later = rounds.add(1, ordering: .relaxed).oldValue % 2 == 0 ? "later1" : "later2"
            for first in ["first1", "first2"] { try fleet.lab.part(first, later) }
        }
    }

    @Test(.enabled(if: isLong, "runs where NEPHELE_CHAOS_SECONDS says how long"))
    func `machines that lose their power leave half-open connections, and come back as others`() async throws {
        try await run("power cut") { fleet in
            for node in ["first1", "later2", "diffusion1"] {
                try fleet.lab.isolate(node)
                // No FIN and no RST gets out.
                kill(try await fleet.process(on: node), SIGKILL)
            }
        }
    }

    @Test(.enabled(if: isLong, "runs where NEPHELE_CHAOS_SECONDS says how long"))
    func `another model at the address of one that went is never taken for it`() async throws {
        try await run("another model") { fleet in
            try fleet.replaceModel(on: "first2")
            kill(try await fleet.process(on: "first2"), SIGKILL)
            // From here on it is there to be taken for the one that went.
            try await fleet.waitUntilServed("other")
        } healing: { fleet in
            try fleet.restoreModel(on: "first2")
            kill(try await fleet.process(on: "first2"), SIGKILL)
        }
    }

    /// Makes the fault for five seconds, heals it, and so on, under load.
    /// - Parameter rounds: at the least.
    private func run(
        _ name: String, rounds: Int = 1, fault: @escaping @Sendable (NetworkFleet) async throws -> Void,
        healing: @escaping @Sendable (NetworkFleet) async throws -> Void = { _ in }
    ) async throws {
        let fleet = try NetworkFleet()
        try await fleet.run { client in
            // A model that is cut has no adapters.
            let loads = Load.requests.filter { $0.name != "LoRA adapter" }
            var expected: [Set<String>] = []
            for load in loads { expected.append([try await load.send(client).content]) }
            let tally = Tally()
            let end = ContinuousClock.now + .seconds(seconds)
            let isOver = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { isOver.raise() }
                    var round = 0
                    while ContinuousClock.now < end || round < rounds {
                        round += 1
                        try await fault(fleet)
                        tally.note("fault")
                        try await Task.sleep(for: .seconds(5))
                        try fleet.lab.heal()
                        try await healing(fleet)
                        try await fleet.waitUntilAllAnswer()
                        tally.note("healed")
                    }
                }
                for (load, expected) in zip(loads, expected) {
                    group.addTask {
                        while !isOver.isRaised { await tally.add(load, expected, client) }
                    }
                }
                try await group.waitForAll()
            }
            let result = tally.result
            print(result.table(name))
            #expect(result.failures.isEmpty, "\(result.failures.prefix(5))")
            #expect(result.different == 0)
            #expect(result.requests > 0 && result.eventCount > 0)
        }
    }
}

/// Raised once.
private final class Flag: Sendable {
    private let state = Atomic(false)

    var isRaised: Bool { state.load(ordering: .relaxed) }
    func raise() { state.store(true, ordering: .relaxed) }
}
