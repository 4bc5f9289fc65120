package import Accounts
import Foundation
import Logging
import Messages
package import RPC
import Synchronization

/// The accounts of this gateway's clients: who they are, what they may, what they use.
///
/// Keys are remembered for a second, so that one that is revoked is out a second later; while whoever has the accounts is
/// away, for ten minutes. Usage is written in batches.
package final class AccountKeeper: Sendable {
    fileprivate struct Known {
        var account: Account?
        /// Today, as was told a moment ago, and what was used since.
        var spent: Double
        var asked: ContinuousClock.Instant
    }

    private struct State {
        /// By the digests of secrets.
        var known: [String: Known] = [:]
        var pending: [AccountStore.Entry] = []
        /// Being written now, by batch.
        var leaving: [String: [AccountStore.Entry]] = [:]
        /// The batches that somebody writes at this moment.
        var underWay: Set<String> = []
        /// Whether the last to write could not, which is said once.
        var isFailing = false

        func unwritten(of key: Int64) -> Double {
            (leaving.values.joined() + pending).reduce(0) { $1.key == key ? $0 + $1.usage.cost : $0 }
        }
    }

    let source: any AccountSource
    /// Whether requests and answers are kept.
    let isRecording: Bool
    private let state = Mutex(State())
    private let logger = Logger(label: "nephele-gateway")

    private static let memory: Duration = .seconds(1)
    private static let longMemory: Duration = .seconds(600)
    private static let knownLimit = 10_000
    private static let pendingLimit = 100_000

    /// Accounts in a file.
    package convenience init(store: AccountStore, isRecording: Bool = false) {
        self.init(source: FileAccounts(store), isRecording: isRecording)
    }

    /// Accounts of another gateway, which serves `AccountsService`.
    package convenience init(client: RPCClient, isRecording: Bool = false) {
        self.init(source: LeasedAccounts(client), isRecording: isRecording)
    }

    private init(source: any AccountSource, isRecording: Bool) {
        (self.source, self.isRecording) = (source, isRecording)
    }

    /// What serves the file's accounts to other gateways; nil where they are another's already.
    package var service: AccountsService? { (source as? FileAccounts).map { AccountsService($0) } }

    // MARK: Who

    /// The owner of the secret with this digest, and what the key has spent today; nil where it opens nothing.
    ///
    /// - Throws: `APIError` when the accounts cannot be reached.
    func account(digest: String) async throws -> (account: Account, spentToday: Double)? {
        let remembered = state.withLock { $0.known[digest] }
        if let remembered, .now - remembered.asked < Self.memory { return remembered.standing }
        do {
            // What is being written at this moment may count twice until the next time, and never not at all.
            let before = state.withLock { state in
                remembered?.account.map { state.unwritten(of: $0.id) } ?? 0
            }
            let found = try await source.find(digest: digest)
            let known = Known(account: found?.account, spent: (found?.spentToday ?? 0) + before, asked: .now)
            state.withLock { state in
                // Guesses must not fill the memory.
                if state.known.count >= Self.knownLimit { state.known.removeAll() }
                state.known[digest] = known
            }
            return known.standing
        } catch {
            if let remembered, .now - remembered.asked < Self.longMemory { return remembered.standing }
            logger.error("accounts cannot be read: \(error)")
            throw APIError(
                status: .serviceUnavailable, message: "The gateway cannot tell now whose key this is; try again.",
                type: "server_error", code: "accounts_unavailable", retryAfter: 1)
        }
    }

    // MARK: What they may

    /// Counts a request against its account's limits.
    ///
    /// - Parameter spent: today.
    /// - Returns: what it has left of its requests; nil where they are not limited.
    /// - Throws: `APIError` 429 when a limit is reached.
    func admit(_ account: Account, spentToday spent: Double) async throws -> RateLimits.Answer? {
        if let limit = account.limits.spendingPerDay, spent >= limit {
            var error = APIError(
                status: .tooManyRequests,
                message: "The key '\(account.name)' has spent what it may in a day (\(limit)).",
                type: "insufficient_quota", code: "insufficient_quota", retryAfter: Self.secondsOfDayLeft)
            error.isFinal = true
            throw error
        }
        guard let limit = account.limits.requestsPerMinute else { return nil }
        return try await take(1, .requests, of: account, limit)
    }

    /// Takes what a request will probably need.
    ///
    /// - Throws: `APIError` 429.
    func reserve(_ tokens: Int, for account: Account) async throws -> RateLimits.Answer? {
        guard let limit = account.limits.tokensPerMinute else { return nil }
        return try await take(Double(tokens), .tokens, of: account, limit)
    }

    private func take(
        _ amount: Double, _ unit: QuotaUnit, of account: Account, _ limit: Int
    ) async throws -> RateLimits.Answer {
        let answer: RateLimits.Answer
        do { answer = try await source.take(amount, unit, of: account.id, perMinute: limit) } catch {
            throw APIError(
                status: .serviceUnavailable, message: "The gateway cannot tell now what this key may; try again.",
                type: "server_error", code: "accounts_unavailable", retryAfter: 1)
        }
        guard answer.isAllowed else {
            let seconds = answer.wait.wholeSeconds
            var error = APIError(
                status: .tooManyRequests,
                message: "The key '\(account.name)' may use \(limit) \(unit) a minute; try again in \(seconds) s.",
                type: "rate_limit_error", code: "rate_limit_exceeded", retryAfter: seconds)
            answer.describe(unit, limit: limit, in: &error.headers)
            throw error
        }
        return answer
    }

    func giveBack(_ tokens: Int, to account: Account) {
        guard tokens > 0, let limit = account.limits.tokensPerMinute else { return }
        source.settle(Double(tokens), .tokens, of: account.id, perMinute: limit)
    }

    private static var secondsOfDayLeft: Int {
        86_400 - Int(Date().timeIntervalSince1970) % 86_400
    }

    // MARK: What they used

    /// Writes down what a request has used, and gives back what it has not.
    ///
    /// - Parameter reserved: tokens that were taken for the request beforehand.
    func settle(_ account: Account, model: String, _ usage: Consumption, reserved: Int) {
        if let limit = account.limits.tokensPerMinute {
            let used = usage.promptTokens + usage.completionTokens
            source.settle(Double(reserved - used), .tokens, of: account.id, perMinute: limit)
        }
        if let cost = source.knownCost(of: usage, model: model) {
            return add(usage, cost: cost, of: account, model: model)
        }
        Task { add(usage, cost: await source.cost(of: usage, model: model), of: account, model: model) }
    }

    private func add(_ usage: Consumption, cost: Double, of account: Account, model: String) {
        var usage = usage
        usage.cost = cost
        let entry = AccountStore.Entry(key: account.id, model: model, usage: usage)
        state.withLock { state in
            state.pending.append(entry)
            guard cost > 0 else { return }
            for (digest, known) in state.known where known.account?.id == account.id {
                state.known[digest]?.spent += cost
            }
        }
    }

    /// Writes usage down twice a second until it is cancelled, and what is left then.
    package func run() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(500))
            if Task.isCancelled { break }
            await flush()
            await source.tidy(isLast: false)
        }
        // A cancelled task could not write.
        await Task {
            await flush()
            await source.tidy(isLast: true)
        }.value
    }

    package func flush() async {
        let batches = state.withLock { state in
            if !state.pending.isEmpty {
                state.leaving[UUID().uuidString] = Self.joined(state.pending)
                state.pending = []
            }
            let batches = state.leaving.filter { !state.underWay.contains($0.key) }
            state.underWay.formUnion(batches.keys)
            return batches
        }
        var problem: (any Error)?
        for (batch, entries) in batches {
            do {
                try await source.add(entries, batch: batch)
                state.withLock { state in
                    state.leaving[batch] = nil
                    state.underWay.remove(batch)
                }
            } catch {
                // For the next time, as far as memory goes.
                problem = error
                state.withLock { state in
                    state.underWay.remove(batch)
                    let count = state.leaving.values.reduce(0) { $0 + $1.count }
                    if count > Self.pendingLimit { state.leaving[batch] = nil }
                }
            }
        }
        guard !batches.isEmpty else { return }
        let isNew = state.withLock { state in
            defer { state.isFailing = problem != nil }
            return !state.isFailing
        }
        if let problem, isNew { logger.error("usage cannot be written now, and is kept for later: \(problem)") }
    }

    private static func joined(_ entries: [AccountStore.Entry]) -> [AccountStore.Entry] {
        struct Place: Hashable { var key: Int64; var model: String }
        var sums: [Place: Consumption] = [:]
        for entry in entries { sums[Place(key: entry.key, model: entry.model), default: Consumption()] += entry.usage }
        return sums.map { .init(key: $0.key.key, model: $0.key.model, usage: $0.value) }
    }

    func record(_ recording: Recording) async {
        do { try await source.record(recording) } catch { logger.error("an answer cannot be recorded: \(error)") }
    }
}

extension AccountKeeper.Known {
    fileprivate var standing: (account: Account, spentToday: Double)? { account.map { ($0, spent) } }
}
