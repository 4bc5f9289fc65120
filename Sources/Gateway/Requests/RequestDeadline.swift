import Hummingbird

/// How long a request may take, from its client to the loop that computes.
enum RequestDeadline {
    private static let defaultMilliseconds = 600_000
    private static let longestMilliseconds = 86_400_000

    /// Where the client names no time.
    static var standard: ContinuousClock.Instant { .now + .milliseconds(defaultMilliseconds) }

    /// - Throws: `APIError` for an `X-Request-Timeout-Ms` that is no such number.
    static func of(_ request: Request) throws -> ContinuousClock.Instant {
        var milliseconds = defaultMilliseconds
        if let given = request.headers[own: FieldName.timeout] {
            guard let number = Int(given), (1...longestMilliseconds).contains(number) else {
                throw APIError.invalidRequest(
                    "X-Request-Timeout-Ms is '\(given.prefix(40))'; it takes 1 to \(longestMilliseconds).",
                    parameter: "X-Request-Timeout-Ms")
            }
            milliseconds = number
        }
        return .now + .milliseconds(milliseconds)
    }
}
