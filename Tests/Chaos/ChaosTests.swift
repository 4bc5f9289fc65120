import Console
import Foundation
import Testing

/// Seconds of random kills.
private let seconds = ProcessInfo.processInfo.environment["NEPHELE_CHAOS_SECONDS"].flatMap { Int($0) } ?? 8

/// Real processes, mixed load, `kill -9`.
@Suite(.timeLimit(.minutes(90))) struct ChaosTests {
    @Test func `workers are killed and frozen at random, and no client sees any of it`() async throws {
        let system = try LocalFleet()
        try await system.run { client in
            // 1. What each request gives when nothing happens.
            var expected: [String] = []
            for request in Load.requests { expected.append(try await request.send(client).content) }
            // 2. The same, while workers die.
            let tally = Tally()
            let end = ContinuousClock.now + .seconds(seconds)
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await Killer(seed: 20_251_125).run(system, until: end, tally) }
                // Two clients for each kind of request.
                for number in 0..<2 * Load.requests.count {
                    let index = number % Load.requests.count
                    group.addTask { [expected] in
                        while .now < end { await tally.add(Load.requests[index], expected[index], client) }
                    }
                }
            }
            let result = tally.result
            print(result.table)
            #expect(result.failures.isEmpty, "\(result.failures.prefix(5))")
            #expect(result.different == 0)
            #expect(result.requests > 0 && result.kills > 0)
        }
    }
}

/// Ends workers: most by `kill -9`; some are asked to stop, as in a rolling restart; every fifth is frozen first, as on
/// a machine that swaps.
private struct Killer {
    private let random: SplitMix

    init(seed: UInt64) { random = SplitMix(state: seed) }

    func run(_ system: LocalFleet, until end: ContinuousClock.Instant, _ tally: Tally) async {
        var random = random
        var kills = 0
        while true {
            try? await Task.sleep(for: .milliseconds(Int.random(in: 300...700, using: &random)))
            guard .now < end else { return }
            // Those that hold work for long more often than those that answer at once.
            let kind = ["text-model", "text-model", "diffusion", "diffusion", "tokenizer"].randomElement(using: &random)
            let workers = await system.workers.filter { $0.key.hasPrefix(kind ?? "") }.sorted { $0.key < $1.key }
            guard let victim = workers.randomElement(using: &random) else { continue }
            kills += 1
            if kills % 5 == 0, kills % 4 != 0 {
                kill(victim.value, SIGSTOP)
                try? await Task.sleep(for: .seconds(4))
            }
            kill(victim.value, kills % 4 == 0 ? SIGTERM : SIGKILL)
            tally.killed(victim.key)
        }
    }
}
