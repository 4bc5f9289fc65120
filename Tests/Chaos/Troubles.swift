import Foundation
import GatewayClient

/// Ends workers: most by `kill -9`; some are asked to stop; every fifth is frozen first, as on a machine that swaps.
struct Killer {
    private let random: SplitMix

    init(seed: UInt64) { random = SplitMix(state: seed) }

    func trouble(_ system: LocalFleet) -> ChaosTests.Trouble {
        { [random] end, tally in
            var random = random
            var kills = 0
            while true {
                try? await Task.sleep(for: .milliseconds(Int.random(in: 300...700, using: &random)))
                guard .now < end else { return }
                // Those that hold work for long more often than those that answer at once.
                let kinds = ["text-model", "text-model", "diffusion", "diffusion", "tokenizer"]
                let kind = kinds.randomElement(using: &random) ?? ""
                let workers = await system.workers.filter { $0.key.hasPrefix(kind) }.sorted { $0.key < $1.key }
                guard let victim = workers.randomElement(using: &random) else { continue }
                kills += 1
                if kills % 5 == 0, kills % 4 != 0 {
                    kill(victim.value, SIGSTOP)
                    try? await Task.sleep(for: .seconds(4))
                }
                kill(victim.value, kills % 4 == 0 ? SIGTERM : SIGKILL)
                tally.note("\(victim.key) killed")
            }
        }
    }
}

/// Asks every worker to stop, one after the other, and waits until another process has taken its place.
struct RollingRestart {
    func trouble(_ system: LocalFleet) -> ChaosTests.Trouble {
        { end, tally in
            while .now < end {
                for (name, process) in await system.workers.sorted(by: { $0.key < $1.key }) where .now < end {
                    kill(process, SIGTERM)
                    // Beyond the end too: what is under way is seen through.
                    while await system.workers[name].map({ $0 == process }) ?? true {
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    try await system.waitUntilAllAnswer()
                    tally.note("\(name) restarted")
                }
            }
        }
    }
}

/// Puts another revision of the text model where the old one is, and has it loaded.
struct Reloads {
    func trouble(_ system: LocalFleet, _ client: GatewayClient) -> ChaosTests.Trouble {
        { end, tally in
            while .now < end {
                try await system.changeRevision(client)
                tally.note("reloaded")
                try await Task.sleep(for: .milliseconds(300))
            }
        }
    }
}
