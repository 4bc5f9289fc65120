import Foundation

/// A prompt that kills each text-model that computes it, beside others that must not notice.
struct PoisonCase: LocalCase {
    let name = "poison"
    /// A token that no other request has.
    private static let token = 3_999

    var fleet: LocalFleet.Options {
        var options = LocalFleet.Options()
        options.textModel = "poisonable-text-model"
        options.textArguments = ["--poison", "\(Self.token)"]
        options.hasAdapter = false
        options.hasPictures = false
        return options
    }

    func run(_ system: LocalFleet, for duration: Duration) async throws -> ChaosResult {
        let mates = Load.requests.filter { $0.isText && !$0.needsAdapter }
        let expected = try await Load.answers(system, to: mates).map { Set([$0]) }
        let tally = Tally()
        try await tally.underLoad(expected, requests: mates, system) {
            let end = ContinuousClock.now + duration
            repeat {
                let body = "{\"model\":\"nephele-verse\",\"prompt\":[5,6,\(Self.token)],\"max_tokens\":8}"
                let answer = try await PlainHTTP.answer(
                    to: PlainHTTP.post("/v1/completions", body), port: system.port())
                if answer.status == 502, answer.header("x-should-retry") == "false" {
                    tally.count("poison that was given up")
                } else {
                    tally.fail("poison was answered with \(answer.status)")
                }
            } while .now < end
        }
        let status = try await system.client().get(StatusRequests.self, "admin/status").requests
        tally.note("\(status.migrated_calls) calls moved, \(status.given_up_calls) were given up")
        return tally.result
    }

    private struct StatusRequests: Decodable {
        struct Requests: Decodable { var migrated_calls, given_up_calls: Int }
        var requests: Requests
    }
}
