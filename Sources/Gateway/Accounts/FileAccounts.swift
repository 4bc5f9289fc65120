import Accounts
import Logging
import Synchronization

/// Accounts in a file of this gateway's, for itself and for those that ask it.
final class FileAccounts: AccountSource {
    private struct State {
        var prices: [String: Price] = [:]
        var pricesUntil = ContinuousClock.now
        /// The latest batches of other gateways, in order.
        var batches: [String] = []
    }

    let store: AccountStore
    private let rates = RateLimits()
    private let state = Mutex(State())
    private let logger = Logger(label: "nephele-gateway")

    private static let memory: Duration = .seconds(1)
    private static let batchLimit = 1_024

    init(_ store: AccountStore) { self.store = store }

    func find(digest: String) async throws -> (account: Account, spentToday: Double)? {
        guard let account = try await store.account(digest: digest) else { return nil }
        guard account.limits.spendingPerDay != nil else { return (account, 0) }
        return (account, try await store.spending(key: account.id, on: AccountStore.today))
    }

    // MARK: Quotas

    func take(_ amount: Double, _ unit: QuotaUnit, of account: Int64, perMinute limit: Int) -> RateLimits.Answer {
        rates.take(amount, from: Self.bucket(unit, account), perMinute: Double(limit))
    }

    /// A slice for another gateway.
    func lease(_ needed: Double, spare: Double, _ unit: QuotaUnit, of account: Int64, perMinute limit: Double)
        -> (granted: Double, answer: RateLimits.Answer)
    {
        rates.lease(needed, spare: spare, from: Self.bucket(unit, account), perMinute: limit)
    }

    func settle(_ amount: Double, _ unit: QuotaUnit, of account: Int64, perMinute limit: Int) {
        rates.settle(amount, in: Self.bucket(unit, account), perMinute: Double(limit))
    }

    private static func bucket(_ unit: QuotaUnit, _ account: Int64) -> String { "\(account) \(unit.rawValue)" }

    // MARK: Usage

    func knownCost(of usage: Consumption, model: String) -> Double? {
        state.withLock { $0.pricesUntil > .now ? $0.prices[model]?.cost(of: usage) ?? 0 : nil }
    }

    func cost(of usage: Consumption, model: String) async -> Double {
        if let known = knownCost(of: usage, model: model) { return known }
        return await readPrices()[model]?.cost(of: usage) ?? 0
    }

    private func readPrices() async -> [String: Price] {
        do {
            let prices = try await store.prices()
            state.withLock { ($0.prices, $0.pricesUntil) = (prices, .now + Self.memory) }
            return prices
        } catch {
            logger.error("the price list cannot be read: \(error)")
            return state.withLock { $0.prices }
        }
    }

    func add(_ entries: [AccountStore.Entry], batch: String) async throws {
        let isNew = state.withLock { state in
            guard !state.batches.contains(batch) else { return false }
            if state.batches.count >= Self.batchLimit { state.batches.removeFirst(Self.batchLimit / 2) }
            state.batches.append(batch)
            return true
        }
        guard isNew else { return }
        do { try await store.add(entries, on: AccountStore.today) } catch {
            state.withLock { $0.batches.removeAll { $0 == batch } }
            throw error
        }
    }

    func usage(key: Int64?, days: ClosedRange<String>) async throws -> [UsageRow] {
        try await store.usage(key: key, days: days)
    }

    func record(_ recording: Recording) async throws { try await store.record(recording) }

    func add(_ feedback: Feedback) async throws -> Bool { try await store.add(feedback) }

    /// Reads the price list again, so that no request has to wait for it.
    func tidy(isLast: Bool) async { if !isLast { _ = await readPrices() } }
}
