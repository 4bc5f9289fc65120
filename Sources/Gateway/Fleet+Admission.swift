import Messages
import RPC
import Synchronization

/// Which requests have just been turned away: for a moment, others that have no more time are told so at once, before
/// anything is read or encoded for them.
final class RecentRefusals: Sendable {
    private struct Refusal {
        var until: ContinuousClock.Instant
        /// What the request had left, and the tokens that it asked for.
        var left: Duration
        var tokens: Int
        var retryAfter: Duration?
    }

    private let refusals = Mutex<[String: Refusal]>([:])
    /// At least so long nobody asks again, and at most: others may end sooner than was foreseen.
    private static let shortest: Duration = .milliseconds(50)
    private static let longest: Duration = .milliseconds(250)

    func note(_ model: String, left: Duration, tokens: Int, retryAfter: Duration?) {
        let moment = min(max((retryAfter ?? .zero) / 2, Self.shortest), Self.longest)
        refusals.withLock {
            $0[model] = Refusal(until: .now + moment, left: left, tokens: tokens, retryAfter: retryAfter)
        }
    }

    /// - Throws: `APIError`.
    func check(_ model: String, left: Duration, tokens: Int) throws {
        try refusals.withLock { refusals in
            guard let refusal = refusals[model] else { return }
            guard refusal.until > .now else {
                refusals[model] = nil
                return
            }
            // A little more time would not have helped either.
            if left <= refusal.left * 1.1, tokens >= refusal.tokens {
                throw APIError.tooBusy(retryAfter: refusal.retryAfter)
            }
        }
    }
}

extension Fleet {
    /// Turns a text request away at once that cannot be answered in time, by what instances say of their queues. Waiting
    /// happens there and nowhere else.
    ///
    /// - Parameter tokens: that are asked for, of all answers.
    /// - Throws: `APIError`, 429.
    func admit(_ model: ModelDescription, tokens: Int, until deadline: ContinuousClock.Instant) throws {
        let left = deadline - .now
        try refusals.check(model.name, left: left, tokens: tokens)
        let ready = (textModel?.instances ?? []).filter { instance in
            instance.state == .ready && instance.description.models.contains { $0.name == model.name && !$0.isRetiring }
        }
        // With none it is waited for, as long as there is time.
        guard !ready.isEmpty else { return }
        var soonest: Duration?
        for instance in ready {
            guard let time = instance.load.expectedWait else { return }
            soonest = min(soonest ?? time, time)
        }
        if let soonest, soonest > left {
            throw APIError.tooBusy(retryAfter: soonest - left)
        }
    }

    /// Remembers what a text-model has refused for its queue.
    func noteRefusal(
        _ error: RPCError, of calls: [Wire.GenerateRequest], _ model: ModelDescription,
        until deadline: ContinuousClock.Instant
    ) {
        guard error.code == .resourceExhausted else { return }
        refusals.note(
            model.name, left: deadline - .now,
            tokens: calls.reduce(0) { $0 + Wire.GenerateRequest.tokens(of: Int($1.maxTokens), choices: Int($1.n)) },
            retryAfter: error.retryAfter)
    }
}

extension Wire.GenerateRequest {
    /// Tokens of all choices; whatever a client writes there.
    static func tokens(of each: Int, choices: Int) -> Int { min(max(each, 0), 1 << 24) * min(max(choices, 1), 1 << 10) }
}

extension APIError {
    static func tooBusy(retryAfter: Duration?) -> APIError {
        APIError(
            status: .tooManyRequests,
            message: "So many requests wait that this one would not be answered before its deadline.",
            type: "rate_limit_error", code: "slow_down", retryAfter: retryAfter?.wholeSeconds ?? 1)
    }
}
