import Console
import Foundation
import GatewayClient
import NIOPosix
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

    @Test func `a prompt that kills whoever computes it fails alone`() async throws {
        // A token that no other request has.
        let poison: Int32 = 3_999
        let system = try LocalFleet(poison: poison)
        try await system.run { client in
            let mates = Load.requests.filter { $0.isOfTextModel }
            var expected: [Set<String>] = []
            for mate in mates { expected.append([try await mate.send(client).content]) }
            let tally = Tally()
            let end = ContinuousClock.now + .seconds(seconds)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    repeat {
                        let answer = try await Load.post(
                            client, "v1/completions",
                            "{\"model\": \"nephele-verse\", \"prompt\": [5, 6, \(poison)], \"max_tokens\": 8}")
                        #expect(answer.statusCode == 502)
                        #expect(answer.value(forHTTPHeaderField: "x-should-retry") == "false")
                        tally.note("poison given up")
                    } while .now < end
                }
                for index in mates.indices {
                    group.addTask { [expected] in
                        while .now < end { await tally.add(mates[index], expected[index], client) }
                    }
                }
                try await group.waitForAll()
            }
            let result = tally.result
            print(result.table("poison"))
            let requests = try await client.get(FleetStatus.self, "admin/status").requests
            print("\(requests.migrated_calls) calls moved, \(requests.given_up_calls) were given up")
            #expect(result.failures.isEmpty, "\(result.failures.prefix(5))")
            #expect(result.different == 0 && result.requests > 0)
            #expect(requests.given_up_calls == result.eventCount)
        }
    }

    @Test func `ten times what the system can do: what it cannot is refused at once, the rest goes on`() async throws {
        let system = try LocalFleet()
        try await system.run { client in
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let flood = Flood(
                client: FloodClient(
                    host: "127.0.0.1", port: try #require(client.address.port), group: group),
                // In a short run there is no time for long answers.
                tokens: seconds < 30 ? 40 : 400, timeoutMilliseconds: seconds < 30 ? 3_000 : 8_000)
            let seconds = Double(seconds) / 2
            _ = await flood.closedLoop(clients: 8, seconds: seconds / 2)
            let peak = await flood.closedLoop(clients: 32, seconds: seconds)
            // A short run may be over before much is answered, where other tests want the processor too.
            let isLong = seconds >= 15
            try #require(peak.goodput > 0 || !isLong, "nothing was answered in \(seconds) s")
            let before = await system.residentBytes
            let over = await flood.openLoop(rate: max(20, 10 * peak.goodput), seconds: seconds)
            let after = await system.residentBytes
            let recovered = await flood.closedLoop(clients: 1, seconds: 1)
            print(
                Self.table([("peak, 32 clients", peak), ("ten times that", over), ("afterwards, 1 client", recovered)]))
            for (name, bytes) in after.sorted(by: { $0.key < $1.key }) {
                print("\(name): \((before[name] ?? 0) >> 20) MiB before, \(bytes >> 20) MiB after")
            }
            #expect(over.goodput > 0 || !isLong)
            // 0: what was answered after the phase's end.
            #expect(Set(over.statuses.keys).isSubset(of: [0, 200, 429, 503, 504]), "\(over.statuses)")
            #expect((over.statuses[429] ?? 0) + (over.statuses[503] ?? 0) > 0)
            #expect(over.errors.isEmpty, "\(over.errors.prefix(3))")
            #expect(over.refusedWithoutRetryAfter == 0)
            #expect(
                Set(recovered.statuses.keys).isSubset(of: isLong ? [0, 200] : [0, 200, 429]), "\(recovered.statuses)")
            #expect(after.values.allSatisfy { $0 < 1 << 30 })
            try await group.shutdownGracefully()
        }
    }

    private static func table(_ phases: [(name: String, phase: Flood.Phase)]) -> String {
        var table = Table([
            "overload", "requests", "answered/s", "late", "429/503", "errors", "answered p50, p99",
            "refused p50, p90, p99",
        ])
        for (name, phase) in phases {
            let refused = (phase.statuses[429] ?? 0) + (phase.statuses[503] ?? 0)
            table.append([
                name, "\(phase.sent)", "\((phase.goodput * 10).rounded() / 10)", "\(phase.statuses[504] ?? 0)",
                "\(refused)", "\(phase.errors.count)",
                phase.percentile(phase.answered, 0.5) + ", " + phase.percentile(phase.answered, 0.99),
                [0.5, 0.9, 0.99].map { phase.percentile(phase.refused, $0) }.joined(separator: ", "),
            ])
        }
        return table.lines.joined(separator: "\n")
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
