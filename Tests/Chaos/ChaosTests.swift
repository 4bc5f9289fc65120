import Foundation
import GatewayClient
import Testing

/// Seconds of each case.
private let seconds = ProcessInfo.processInfo.environment["NEPHELE_CHAOS_SECONDS"].flatMap { Int($0) } ?? 8

/// Real processes, mixed load, and what happens to systems in operation. Clients must see none of it.
@Suite(.serialized, .timeLimit(.minutes(240))) struct ChaosTests {
    @Test func `workers are killed and frozen at random, and no client sees any of it`() async throws {
        try await run("kill") { system, _ in Killer(seed: 20_251_125).trouble(system) }
    }

    @Test func `every worker is asked to stop in turn, as in a rolling restart, and no client sees any of it`()
        async throws
    {
        try await run("drain") { system, _ in RollingRestart().trouble(system) }
    }

    @Test func `a model is loaded again and again, and every answer is one revision's`() async throws {
        try await run("reload", revisions: 2) { system, client in Reloads().trouble(system, client) }
    }

    /// What is done to the system until a moment.
    typealias Trouble = @Sendable (_ until: ContinuousClock.Instant, Tally) async throws -> Void

    /// - Parameters:
    ///   - revisions: of the text model, each of which may answer.
    ///   - trouble: makes the trouble.
    private func run(
        _ name: String, revisions: Int = 1, _ trouble: @escaping @Sendable (LocalFleet, GatewayClient) -> Trouble
    ) async throws {
        let system = try LocalFleet()
        try await system.run { client in
            // 1. What each request gives when nothing happens.
            var expected = [Set<String>](repeating: [], count: Load.requests.count)
            for revision in 0..<revisions {
                if revision > 0 { try await system.changeRevision(client) }
                for (index, request) in Load.requests.enumerated() {
                    expected[index].insert(try await request.send(client).content)
                }
            }
            #expect(revisions == 1 || expected.contains { $0.count == revisions }, "the revisions answer alike")
            // 2. The same, in trouble.
            let tally = Tally()
            let end = ContinuousClock.now + .seconds(seconds)
            let trouble = trouble(system, client)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await trouble(end, tally) }
                // Two clients for each kind of request.
                for number in 0..<2 * Load.requests.count {
                    let index = number % Load.requests.count
                    group.addTask { [expected] in
                        while .now < end { await tally.add(Load.requests[index], expected[index], client) }
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
