import Messages
import RPC

/// Refusing at once what would not be answered in time.
extension Fleet {
    /// Looks at the load of a model's instances.
    ///
    /// - Parameter cost: tokens or denoising steps that the request asks for; 0 where it does not say.
    /// - Throws: `APIError` 429, with the time after which another try makes sense, when no instance would be done
    ///   before the deadline.
    func checkCapacity(
        of model: ModelDescription, cost: Int, until deadline: ContinuousClock.Instant
    ) throws {
        guard let client = model.modality == "text" ? textModel : diffusion else { return }
        let instances = client.readyInstances.filter { instance in
            instance.description.models.contains { $0.name == model.name }
        }
        // With none it waits for one; and where nothing is known of one, it may be in time.
        let times = instances.map { $0.timeToFinish(cost) }
        guard let soonest = times.compactMap({ $0 }).min(), !times.contains(nil) else { return }
        // An estimate: a request that is taken and not in time would have cost others theirs.
        let late = soonest * 1.2 + .milliseconds(100) - (deadline - .now)
        guard late > .zero else { return }
        counters.countRefused()
        let seconds = max(1, min(Int((late / .seconds(1)).rounded(.up)), 600))
        throw APIError(
            status: .tooManyRequests,
            message: "The request would be answered in \(Int((soonest / .milliseconds(1)).rounded())) ms, after its "
                + "deadline (X-Request-Timeout-Ms).",
            type: "rate_limit_error", code: "slow_down", retryAfter: seconds)
    }
}
