package import Accounts
import Logging
import Messages
package import RPC
import Synchronization

/// Accounts that another gateway has, asked over the bus.
///
/// Limits are spent from slices, two seconds' worth each, so that few requests wait for an answer from there. While that
/// gateway is away each one counts for itself.
package final class LeasedAccounts: AccountSource {
    private struct Place: Hashable {
        var account: Int64
        var unit: QuotaUnit
    }

    private struct Slice {
        /// Below 0 where more was used than estimated.
        var left = 0.0
        var limit: Int
        /// Left for all, when it was last heard of.
        var remaining = 0
        var wait = Duration.zero
        var used = ContinuousClock.now
    }

    private let client: RPCClient
    private let slices = Mutex<[Place: Slice]>([:])
    /// The wait while the other gateway does not answer.
    private let alone = RateLimits()

    private struct Contact {
        var hasBeen = false
        /// When the other gateway last failed to answer.
        var awaySince: ContinuousClock.Instant?
    }

    private let contact = Mutex(Contact())
    private let logger = Logger(label: "nephele-gateway")

    private static let patience: Duration = .seconds(3)
    /// How long a request waits for a gateway that answered before.
    private static let shortPatience: Duration = .milliseconds(500)
    private static let idleTime: Duration = .seconds(2)
    /// The part of a minute's limit that a slice is.
    private static let share = 1.0 / 30

    package init(_ client: RPCClient) { self.client = client }

    private func call<Request, Reply>(_ method: Method<Request, Reply>, _ request: Request) async throws -> Reply {
        // Requests do not wait for somebody who is known to be away; the first after a while sees whether that has changed.
        let isReachable = !client.readyInstances.isEmpty
        let (mayAsk, hasBeen) = contact.withLock { contact in
            guard let since = contact.awaySince else { return (true, contact.hasBeen) }
            guard isReachable, .now - since >= Self.idleTime else { return (false, contact.hasBeen) }
            contact.awaySince = .now
            return (true, contact.hasBeen)
        }
        guard mayAsk else {
            throw RPCError(.unavailable, "the gateway with the accounts did not answer a moment ago")
        }
        var options = CallOptions()
        options.timeout = Self.patience
        options.readyTimeout = hasBeen ? Self.shortPatience : Self.patience
        do {
            let reply = try await client.call(method, request, options).message
            noteAway(nil)
            return reply
        } catch {
            if [.unavailable, .deadlineExceeded].contains(RPCError(converting: error).code) { noteAway(.now) }
            throw error
        }
    }

    package func find(digest: String) async throws -> (account: Account, spentToday: Double)? {
        var request = Wire.FindAccountRequest()
        request.digest = digest
        let reply = try await call(Wire.Accounts.findAccount, request)
        return try reply.account.map { (try Account($0), reply.spentToday) }
    }

    // MARK: Quotas

    package func take(_ amount: Double, _ unit: QuotaUnit, of account: Int64, perMinute limit: Int) async
        -> RateLimits.Answer
    {
        let place = Place(account: account, unit: unit)
        let (answer, missing) = slices.withLock { slices -> (RateLimits.Answer?, Double) in
            var slice = slices[place] ?? Slice(limit: limit)
            defer { slices[place] = slice }
            (slice.limit, slice.used) = (limit, .now)
            guard slice.left >= amount else { return (nil, amount - slice.left) }
            slice.left -= amount
            let remaining = slice.remaining + Int(slice.left)
            return (.init(isAllowed: true, remaining: remaining, wait: slice.wait), 0)
        }
        if let answer { return answer }
        var request = Wire.LeaseQuotaRequest()
        (request.account, request.unit, request.perMinute) = (account, unit.rawValue, Double(limit))
        (request.needed, request.spare) = (missing, Double(limit) * Self.share)
        do {
            let reply = try await call(Wire.Accounts.leaseQuota, request)
            guard (0...1e15).contains(reply.granted), (0...1e15).contains(reply.remaining) else {
                throw RPCError(.internalError, "the gateway with the accounts grants \(reply.granted)")
            }
            return slices.withLock { slices in
                var slice = slices[place] ?? Slice(limit: limit)
                defer { slices[place] = slice }
                (slice.remaining, slice.wait) = (Int(reply.remaining), reply.wait)
                slice.left += reply.granted
                let isAllowed = reply.granted > 0
                if isAllowed { slice.left -= amount }
                return .init(
                    isAllowed: isAllowed, remaining: slice.remaining + Int(max(0, slice.left)), wait: reply.wait)
            }
        } catch {
            return alone.take(amount, from: "\(account) \(unit.rawValue)", perMinute: Double(limit))
        }
    }

    package func settle(_ amount: Double, _ unit: QuotaUnit, of account: Int64, perMinute limit: Int) {
        // A slice that has gone back in the meantime begins anew, and goes back with this.
        slices.withLock { $0[Place(account: account, unit: unit), default: Slice(limit: limit)].left += amount }
    }

    /// Gives back slices that are not used, and what is more than a slice.
    package func tidy(isLast: Bool) async {
        let surplus = slices.withLock { slices -> [(Place, Int, Double)] in
            var surplus: [(Place, Int, Double)] = []
            for (place, slice) in slices {
                let isIdle = isLast || ContinuousClock.now - slice.used > Self.idleTime
                let kept = isIdle ? 0 : 2 * Double(slice.limit) * Self.share
                if isIdle { slices[place] = nil } else { slices[place]?.left = min(slice.left, kept) }
                if isIdle ? slice.left != 0 : slice.left > kept {
                    surplus.append((place, slice.limit, slice.left - kept))
                }
            }
            return surplus
        }
        for (place, limit, amount) in surplus {
            var request = Wire.ReturnQuotaRequest()
            (request.account, request.unit) = (place.account, place.unit.rawValue)
            (request.amount, request.perMinute) = (amount, Double(limit))
            // It is lost with the gateway that had lent it: a limit is whole again after a minute.
            _ = try? await call(Wire.Accounts.returnQuota, request)
        }
    }

    private func noteAway(_ since: ContinuousClock.Instant?) {
        let changed = contact.withLock { contact in
            defer {
                contact.awaySince = since
                if since == nil { contact.hasBeen = true }
            }
            return (contact.awaySince == nil) != (since == nil)
        }
        guard changed else { return }
        if since != nil {
            logger.warning("the gateway with the accounts does not answer; until it does, this one counts for itself")
        } else {
            logger.info("the gateway with the accounts answers")
        }
    }

    // MARK: Usage

    package func knownCost(of usage: Consumption, model: String) -> Double? { 0 }

    package func cost(of usage: Consumption, model: String) -> Double { 0 }

    package func add(_ entries: [AccountStore.Entry], batch: String) async throws {
        guard !entries.isEmpty else { return }
        var request = Wire.AddUsageRequest()
        request.batch = batch
        request.entries = entries.map { Wire.UsageEntry($0) }
        _ = try await call(Wire.Accounts.addUsage, request)
    }

    package func usage(key: Int64?, days: ClosedRange<String>) async throws -> [UsageRow] {
        var request = Wire.ReadUsageRequest()
        (request.key, request.from, request.to) = (key, days.lowerBound, days.upperBound)
        return try await call(Wire.Accounts.readUsage, request).entries.map { entry in
            UsageRow(day: entry.day, key: entry.keyName, model: entry.model, usage: entry.usage)
        }
    }

    package func record(_ recording: Recording) async throws {
        var request = Wire.RecordAnswerRequest()
        (request.id, request.key, request.model) = (recording.id, recording.key, recording.model)
        request.messages = recording.turns.map {
            Wire.ChatMessage(role: $0.role, content: $0.content, members: RecordedMembers($0).text)
        }
        (request.answer, request.answerMembers) = (recording.answer, RecordedMembers(recording).text)
        _ = try await call(Wire.Accounts.recordAnswer, request)
    }

    package func add(_ feedback: Feedback) async throws -> Bool {
        var request = Wire.AddFeedbackRequest()
        (request.answerID, request.key, request.rating) = (feedback.answerID, feedback.key, Int32(feedback.rating))
        (request.correction, request.comment) = (feedback.correction, feedback.comment)
        return try await call(Wire.Accounts.addFeedback, request).isRecorded
    }
}
