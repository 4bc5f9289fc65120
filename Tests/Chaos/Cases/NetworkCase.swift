import Foundation

/// A fault of the network between real processes in namespaces of their own: made for five seconds, healed, and so on.
struct NetworkCase: ChaosCase {
    let name: String
    var isAvailable: Bool { NetworkLab.isAvailable && (!needsNetem || NetworkLab.hasNetem) }
    var isLong = true
    private var needsNetem = false
    /// At the least.
    private var rounds = 1
    private let fault: @Sendable (NetworkFleet, _ round: Int) async throws -> Void
    private var healing: @Sendable (NetworkFleet) async throws -> Void = { _ in }

    private init(_ name: String, fault: @escaping @Sendable (NetworkFleet, _ round: Int) async throws -> Void) {
        (self.name, self.fault) = (name, fault)
    }

    static let all = [partition, shardPartition, latency, loss, slow, powerCut, otherModel]

    /// Between the gateway and a worker of each kind.
    private static var partition: NetworkCase {
        var partition = NetworkCase("partition") { fleet, _ in
            for node in ["tokenizer1", "first1", "diffusion1"] { try fleet.lab.part("gateway", node) }
        }
        partition.isLong = false
        return partition
    }

    /// Between shards, of each later one in turn.
    private static var shardPartition: NetworkCase {
        var partition = NetworkCase("shard-partition") { fleet, round in
            for first in ["first1", "first2"] { try fleet.lab.part(first, round % 2 == 0 ? "later1" : "later2") }
        }
        partition.rounds = 2
        return partition
    }

    /// 40 ms, and some jitter.
    private static var latency: NetworkCase {
        var latency = NetworkCase("latency") { fleet, _ in try fleet.lab.set(.latency("40ms 10ms")) }
        latency.needsNetem = true
        return latency
    }

    /// Three packets of a hundred.
    private static let loss = NetworkCase("loss") { fleet, _ in try fleet.lab.set(.loss(3)) }

    /// 2 Mbit/s, where packets queue.
    private static let slow = NetworkCase("slow-network") { fleet, _ in try fleet.lab.set(.rate("2mbit")) }

    /// Machines that lose their power leave half-open connections, and come back as others.
    private static let powerCut = NetworkCase("power-cut") { fleet, _ in
        for node in ["first1", "later2", "diffusion1"] {
            try fleet.lab.isolate(node)
            // No FIN and no RST gets out.
            kill(try await fleet.process(on: node), SIGKILL)
        }
    }

    /// Another model at the address of one that went is never taken for it.
    private static var otherModel: NetworkCase {
        var other = NetworkCase("other-model") { fleet, _ in
            try fleet.replaceModel(on: "first2")
            kill(try await fleet.process(on: "first2"), SIGKILL)
            // From here on it is there to be taken for the one that went.
            try await fleet.waitUntilServed("other")
        }
        other.healing = { fleet in
            try fleet.restoreModel(on: "first2")
            kill(try await fleet.process(on: "first2"), SIGKILL)
        }
        return other
    }

    func run(for duration: Duration) async throws -> ChaosResult {
        // A model that is cut has no adapters.
        let requests = Load.requests.filter { !$0.needsAdapter }
        return try await NetworkFleet.run { fleet in
            let expected = try await Load.answers(fleet, to: requests).map { Set([$0]) }
            let tally = Tally()
            try await tally.underLoad(expected, requests: requests, clients: 1, fleet) {
                let end = ContinuousClock.now + duration
                var round = 0
                while .now < end || round < rounds {
                    try await fault(fleet, round)
                    tally.count("faults")
                    try await Task.sleep(for: .seconds(5))
                    try fleet.lab.heal()
                    try await healing(fleet)
                    try await fleet.waitUntilAllAnswer()
                    round += 1
                }
            }
            return tally.result
        }
    }
}
