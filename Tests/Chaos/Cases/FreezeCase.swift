import Foundation

/// Each service stands still for a while and goes on: a suspended laptop, `docker pause`, a machine that swaps. Of each kind
/// one replica stands still alone, then all of them do; afterwards the system answers as before.
struct FreezeCase: LocalCase {
    let name = "freeze"

    func run(_ system: LocalFleet, for duration: Duration) async throws -> ChaosResult {
        let expected = try await Load.answers(system).map { Set([$0]) }
        let tally = Tally()
        try await tally.underLoad(expected, system) {
            for kind in ["tokenizer", "text-model", "diffusion"] {
                let workers = await system.workers.filter { $0.key.hasPrefix(kind) }.sorted { $0.key < $1.key }
                guard let first = workers.first else { continue }
                for victims in [[first], workers] {
                    for victim in victims { kill(victim.value, SIGSTOP) }
                    try? await Task.sleep(for: duration / 6)
                    for victim in victims {
                        kill(victim.value, SIGCONT)
                        tally.count(victim.key)
                    }
                    // What waited is answered before the next one stands still.
                    try await Task.sleep(for: .seconds(1))
                }
            }
        }
        return tally.result
    }
}
