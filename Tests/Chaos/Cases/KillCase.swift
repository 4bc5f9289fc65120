import Foundation

/// Workers are killed at random; every fifth is frozen first, as on a machine that swaps.
struct KillCase: LocalCase {
    let name = "kill"

    func run(_ system: LocalFleet, for duration: Duration) async throws -> ChaosResult {
        let expected = try await Load.answers(system).map { Set([$0]) }
        let tally = Tally()
        try await tally.underLoad(expected, system) {
            var random = SplitMix(state: 20_251_125)
            let end = ContinuousClock.now + duration
            var kills = 0
            while true {
                try await Task.sleep(for: .milliseconds(Int.random(in: 300...700, using: &random)))
                guard .now < end else { return }
                // Those that hold work for long more often than those that answer at once.
                let kinds = ["text-model", "text-model", "diffusion", "diffusion", "tokenizer"]
                let kind = kinds.randomElement(using: &random) ?? ""
                let workers = await system.workers.filter { $0.key.hasPrefix(kind) }.sorted { $0.key < $1.key }
                guard let victim = workers.randomElement(using: &random) else { continue }
                kills += 1
                if kills % 5 == 0 {
                    kill(victim.value, SIGSTOP)
                    try await Task.sleep(for: .seconds(4))
                }
                kill(victim.value, SIGKILL)
                tally.count(victim.key)
            }
        }
        return tally.result
    }
}
