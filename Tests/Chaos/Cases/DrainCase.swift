import Foundation

/// A rolling restart: each service is asked to stop (SIGTERM), the next one when its successor serves; the gateway
/// last.
struct DrainCase: LocalCase {
    let name = "drain"

    func run(_ system: LocalFleet, for duration: Duration) async throws -> ChaosResult {
        let expected = try await Load.answers(system).map { Set([$0]) }
        let tally = Tally()
        try await tally.underLoad(expected, system) {
            let end = ContinuousClock.now + duration
            repeat {
                for name in await system.workers.keys.sorted() + ["gateway"] {
                    try await system.restart(name)
                    tally.count(name)
                }
            } while .now < end
        }
        return tally.result
    }
}
