package import Accounts

/// What a key may use a minute of.
package enum QuotaUnit: String, Sendable {
    case requests
    /// Of prompts and answers together.
    case tokens
}

/// Where accounts are: in a file of this gateway's, or with another gateway that has one.
///
/// - Throws: `AccountsError` of a file, `RPCError` of another gateway.
package protocol AccountSource: Sendable {
    /// The owner of the secret with this digest, and what the key has spent today; nil where it opens nothing.
    func find(digest: String) async throws -> (account: Account, spentToday: Double)?

    /// Takes from what an account may use in a minute.
    func take(_ amount: Double, _ unit: QuotaUnit, of account: Int64, perMinute limit: Int) async throws
        -> RateLimits.Answer

    /// Gives back what was taken and not used; with a negative amount, takes what was used beyond.
    func settle(_ amount: Double, _ unit: QuotaUnit, of account: Int64, perMinute limit: Int)

    /// By the price list; 0 where another gateway counts, nil where the list has to be read first.
    func knownCost(of usage: Consumption, model: String) -> Double?

    func cost(of usage: Consumption, model: String) async -> Double

    /// Writes usage down; with the same batch a second time it does nothing.
    func add(_ entries: [AccountStore.Entry], batch: String) async throws

    func usage(key: Int64?, days: ClosedRange<String>) async throws -> [UsageRow]

    func record(_ recording: Recording) async throws

    /// - Returns: whether the answer that is judged was recorded.
    func add(_ feedback: Feedback) async throws -> Bool

    /// Something to be done twice a second, and at the end.
    func tidy(isLast: Bool) async
}
