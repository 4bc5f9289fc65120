import Synchronization

/// Buckets of tokens by name: each holds a minute's worth and fills as time goes by.
package final class RateLimits: Sendable {
    package init() {}

    private struct Bucket {
        var level: Double
        var filled: ContinuousClock.Instant
    }

    /// What a bucket says to a request.
    package struct Answer: Sendable {
        package var isAllowed: Bool
        /// Whole tokens left.
        package var remaining: Int
        /// Until the bucket is full again, or, where it refused, until there is enough.
        package var wait: Duration
    }

    private let buckets = Mutex<[String: Bucket]>([:])
    /// Beyond this many buckets, full ones are forgotten.
    private static let bucketLimit = 16_384

    /// Takes `amount` from a bucket if it has so much. An amount beyond the whole bucket is allowed when that is full, so
    /// that no request is refused for ever.
    package func take(_ amount: Double, from name: String, perMinute limit: Double, now: ContinuousClock.Instant = .now)
        -> Answer
    {
        buckets.withLock { buckets in
            if buckets.count > Self.bucketLimit {
                buckets = buckets.filter { now - $0.value.filled < .seconds(60) }
            }
            var bucket = buckets[name] ?? Bucket(level: limit, filled: now)
            bucket.level = min(limit, bucket.level + max(0, (now - bucket.filled) / .seconds(60)) * limit)
            bucket.filled = now
            let isAllowed = bucket.level >= min(amount, limit)
            if isAllowed { bucket.level -= amount }
            buckets[name] = bucket
            let missing = isAllowed ? limit - bucket.level : min(amount, limit) - bucket.level
            return Answer(
                isAllowed: isAllowed, remaining: max(0, Int(bucket.level)), wait: .seconds(60 * missing / limit))
        }
    }

    /// Takes what is needed, as `take`, and up to `spare` of what is left then, half of it at most, so that others find
    /// something too.
    package func lease(
        _ needed: Double, spare: Double, from name: String, perMinute limit: Double, now: ContinuousClock.Instant = .now
    ) -> (granted: Double, answer: Answer) {
        let answer = take(needed, from: name, perMinute: limit, now: now)
        guard answer.isAllowed else { return (0, answer) }
        let more = min(spare, Double(answer.remaining) / 2).rounded(.down)
        guard more > 0 else { return (needed, answer) }
        return (needed + more, take(more, from: name, perMinute: limit, now: now))
    }

    /// Gives back what a request did not use, or takes what it used beyond its estimate: a bucket can be in debt.
    package func settle(_ amount: Double, in name: String, perMinute limit: Double) {
        buckets.withLock { buckets in
            guard var bucket = buckets[name] else { return }
            bucket.level = min(limit, bucket.level + amount)
            buckets[name] = bucket
        }
    }
}
