import Foundation

/// The checkpoints of both models change, and the gateway has them reloaded, again and again between two revisions.
struct ReloadCase: LocalCase {
    let name = "reload"

    func run(_ system: LocalFleet, for duration: Duration) async throws -> ChaosResult {
        let first = try await Load.answers(system)
        try await change(system, nil)
        let second = try await Load.answers(system)
        let tally = Tally()
        // Which of both a request gets is a matter of time; it gets one of them whole.
        try await tally.underLoad(zip(first, second).map { [$0, $1] }, system) {
            let end = ContinuousClock.now + duration
            repeat { try await change(system, tally) } while .now < end
        }
        if zip(first, second).contains(where: { $0 == $1 && !$0.hasPrefix("[") }) {
            tally.note("some answers are the same in both revisions")
        }
        return tally.result
    }

    private func change(_ system: LocalFleet, _ tally: Tally?) async throws {
        try system.turnSigns("nephele-verse", "model.safetensors")
        try system.turnSigns("nephele-pixel", "unet/diffusion_pytorch_model.safetensors")
        for model in ["nephele-verse", "nephele-pixel"] {
            let outcome = try await system.client().reload(model)
            guard outcome.outcome == "reloaded" else {
                throw ChaosError("the reload of \(model) ended as \(outcome)")
            }
            for replica in outcome.replicas where replica.outcome == "reloaded" { tally?.count(replica.service) }
        }
    }
}
