/// How often something is tried again, and when.
struct Patience: Sendable {
    /// Failures one after another that are borne.
    private static let limit = 6
    /// Failures in all, however much comes between them.
    private static let totalLimit = 100
    /// What a server may ask to be waited for.
    private static let longestPause: Duration = .seconds(300)

    /// Before the second try; it doubles from try to try.
    private let first: Duration
    private var failures = 0
    private var total = 0

    init(_ first: Duration) { self.first = first }

    /// Something came: what failed before does not count any more.
    mutating func reset() { failures = 0 }

    /// Waits until the next try.
    ///
    /// - Throws: the failure's error when it is not worth another one.
    mutating func pause(after failure: TransientFailure) async throws {
        failures += 1
        total += 1
        guard failures < Self.limit, total < Self.totalLimit else { throw failure.error }
        let own = min(.seconds(10), first * (1 << (failures - 1)))
        if let asked = failure.pause, asked > Self.longestPause {
            throw HubError(.unreachable, failure.error.message + " (it asks to be left alone for \(asked))")
        }
        try await Task.sleep(for: max(own, failure.pause ?? .zero))
    }

    /// Runs `body` until it succeeds or fails for good.
    static func retrying<Result>(_ first: Duration, _ body: () async throws -> Result) async throws -> Result {
        var patience = Patience(first)
        while true {
            do { return try await body() } catch let failure as TransientFailure {
                try await patience.pause(after: failure)
            }
        }
    }
}
