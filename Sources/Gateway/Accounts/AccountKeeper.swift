package import Accounts
import Foundation
import Logging
import Synchronization

/// The accounts of this gateway's clients: who they are, what they may, what they use.
///
/// Keys are remembered for a second, so that one that is revoked is out a second later; usage is written in batches.
package final class AccountKeeper: Sendable {
    private struct Known {
        var account: Account?
        var until: ContinuousClock.Instant
    }

    private struct State {
        var known: [String: Known] = [:]
        var prices: [String: Price] = [:]
        var pricesUntil = ContinuousClock.now
        /// Of each key today, as the file told a moment ago, and what was used since.
        var spending: [Int64: Spending] = [:]
        var pending: [AccountStore.Entry] = []
        /// Being written now, by number.
        var leaving: [Int: [AccountStore.Entry]] = [:]
        var batches = 0

        func unwritten(of key: Int64) -> Double {
            (leaving.values.joined() + pending).reduce(0) { $1.key == key ? $0 + $1.usage.cost : $0 }
        }
    }

    private struct Spending {
        var amount: Double
        var until: ContinuousClock.Instant
    }

    package let store: AccountStore
    /// Whether requests and answers are kept.
    let isRecording: Bool
    private let state = Mutex(State())
    private let rates = RateLimits()
    private let logger = Logger(label: "nephele-gateway")

    private static let memory: Duration = .seconds(1)
    private static let knownLimit = 10_000
    private static let pendingLimit = 100_000

    package init(store: AccountStore, isRecording: Bool = false) {
        (self.store, self.isRecording) = (store, isRecording)
    }

    // MARK: Who

    /// The owner of a secret; nil where it opens nothing.
    ///
    /// - Throws: `AccountsError` when the store cannot be read.
    func account(secret: String) async throws -> Account? {
        let digest = APIKey.digest(of: secret)
        let remembered = state.withLock { $0.known[digest].flatMap { $0.until > .now ? $0 : nil } }
        if let remembered { return remembered.account }
        let account = try await store.account(digest: digest)
        state.withLock { state in
            // Guesses must not fill the memory.
            if state.known.count >= Self.knownLimit { state.known.removeAll() }
            state.known[digest] = Known(account: account, until: .now + Self.memory)
        }
        return account
    }

    // MARK: What they may

    /// Counts a request against its account's limits.
    ///
    /// - Returns: what it has left of its requests; nil where they are not limited.
    /// - Throws: `APIError` 429 when a limit is reached.
    func admit(_ account: Account) async throws -> RateLimits.Answer? {
        if let limit = account.limits.spendingPerDay, try await spending(of: account.id) >= limit {
            throw APIError(
                status: .tooManyRequests,
                message: "The key '\(account.name)' has spent what it may in a day (\(limit)).",
                type: "insufficient_quota", code: "insufficient_quota", retryAfter: Self.secondsOfDayLeft)
        }
        guard let limit = account.limits.requestsPerMinute else { return nil }
        let answer = rates.take(1, from: "\(account.id) requests", perMinute: Double(limit))
        guard answer.isAllowed else { throw Self.refusal(account, "\(limit) requests", answer) }
        return answer
    }

    /// Takes what a request will probably need.
    ///
    /// - Throws: `APIError` 429.
    func reserve(_ tokens: Int, for account: Account) throws -> RateLimits.Answer? {
        guard let limit = account.limits.tokensPerMinute else { return nil }
        let answer = rates.take(Double(tokens), from: "\(account.id) tokens", perMinute: Double(limit))
        guard answer.isAllowed else { throw Self.refusal(account, "\(limit) tokens", answer) }
        return answer
    }

    func giveBack(_ tokens: Int, to account: Account) {
        guard tokens > 0, let limit = account.limits.tokensPerMinute else { return }
        rates.settle(Double(tokens), in: "\(account.id) tokens", perMinute: Double(limit))
    }

    private static func refusal(_ account: Account, _ limit: String, _ answer: RateLimits.Answer) -> APIError {
        APIError(
            status: .tooManyRequests,
            message: "The key '\(account.name)' may use \(limit) a minute; try again in \(answer.wait.wholeSeconds) s.",
            type: "rate_limit_error", code: "rate_limit_exceeded", retryAfter: answer.wait.wholeSeconds)
    }

    /// Of today, other gateways' included that have the same file: it is read again each second. What is being written at
    /// that moment may count twice until the next time, and never not at all.
    private func spending(of key: Int64) async throws -> Double {
        let known = state.withLock { $0.spending[key].flatMap { $0.until > .now ? $0.amount : nil } }
        if let known { return known }
        let before = state.withLock { $0.unwritten(of: key) }
        let amount = try await store.spending(key: key, on: AccountStore.today) + before
        state.withLock { $0.spending[key] = Spending(amount: amount, until: .now + Self.memory) }
        return amount
    }

    private static var secondsOfDayLeft: Int {
        86_400 - Int(Date().timeIntervalSince1970) % 86_400
    }

    // MARK: What they used

    /// - Parameter reserved: tokens that were taken for the request beforehand.
    func settle(_ account: Account, model: String, _ usage: Consumption, reserved: Int) async {
        if let limit = account.limits.tokensPerMinute {
            let used = usage.promptTokens + usage.completionTokens
            rates.settle(Double(reserved - used), in: "\(account.id) tokens", perMinute: Double(limit))
        }
        let prices = await prices()
        var usage = usage
        usage.cost = prices[model]?.cost(of: usage) ?? 0
        let entry = AccountStore.Entry(key: account.id, model: model, usage: usage)
        state.withLock { state in
            state.pending.append(entry)
            state.spending[account.id]?.amount += usage.cost
        }
    }

    private func prices() async -> [String: Price] {
        let known = state.withLock { $0.pricesUntil > .now ? $0.prices : nil }
        if let known { return known }
        do {
            let prices = try await store.prices()
            state.withLock { ($0.prices, $0.pricesUntil) = (prices, .now + Self.memory) }
            return prices
        } catch {
            logger.error("the price list cannot be read: \(error)")
            return state.withLock { $0.prices }
        }
    }

    /// Writes usage down twice a second until it is cancelled, and what is left then.
    package func run() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(500))
            await flush()
        }
        // A cancelled task could not write.
        await Task { await flush() }.value
    }

    package func flush() async {
        let (batch, entries) = state.withLock { state in
            state.batches += 1
            let entries = state.pending
            (state.leaving[state.batches], state.pending) = (entries, [])
            return (state.batches, entries)
        }
        var kept: [AccountStore.Entry] = []
        do {
            try await store.add(Self.joined(entries), on: AccountStore.today)
        } catch {
            logger.error("usage cannot be written now: \(error)")
            kept = entries
        }
        // For the next time, as far as memory goes.
        state.withLock { [kept] state in
            state.leaving[batch] = nil
            state.pending = Array((kept + state.pending).suffix(Self.pendingLimit))
        }
    }

    private static func joined(_ entries: [AccountStore.Entry]) -> [AccountStore.Entry] {
        struct Place: Hashable { var key: Int64; var model: String }
        var sums: [Place: Consumption] = [:]
        for entry in entries { sums[Place(key: entry.key, model: entry.model), default: Consumption()] += entry.usage }
        return sums.map { .init(key: $0.key.key, model: $0.key.model, usage: $0.value) }
    }

    func record(_ recording: Recording) async {
        do { try await store.record(recording) } catch { logger.error("an answer cannot be recorded: \(error)") }
    }
}
