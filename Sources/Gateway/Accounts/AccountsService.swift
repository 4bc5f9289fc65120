import Accounts
import Foundation
import Messages
package import RPC

/// Serves the accounts of this gateway's file to gateways that have none.
package struct AccountsService: RPCService {
    private let accounts: FileAccounts

    init(_ accounts: FileAccounts) { self.accounts = accounts }

    package func register(with router: inout RPCRouter) {
        let accounts = accounts
        router.unary(Wire.Accounts.findAccount) { request, _ in
            var reply = Wire.FindAccountReply()
            if let (account, spent) = try await accounts.find(digest: request.message.digest) {
                (reply.account, reply.spentToday) = (Wire.AccountRecord(account), spent)
            }
            return ServerReply(reply)
        }
        registerQuotas(with: &router)
        registerUsage(with: &router)
    }

    private func registerQuotas(with router: inout RPCRouter) {
        let accounts = accounts
        router.unary(Wire.Accounts.leaseQuota) { request, _ in
            let message = request.message
            let unit = try Self.unit(message.unit)
            let limit = try Self.amount(message.perMinute, "per_minute", in: 0...1e15)
            let needed = try Self.amount(message.needed, "needed", in: 0...1e15)
            let spare = try Self.amount(message.spare, "spare", in: 0...limit)
            let (granted, answer) = accounts.lease(
                needed, spare: spare, unit, of: message.account, perMinute: max(1, limit))
            var reply = Wire.LeaseQuotaReply()
            (reply.granted, reply.remaining, reply.wait) = (granted, Double(answer.remaining), answer.wait)
            return ServerReply(reply)
        }
        router.unary(Wire.Accounts.returnQuota) { request, _ in
            let message = request.message
            let limit = try Self.amount(message.perMinute, "per_minute", in: 1...1e15)
            accounts.settle(
                try Self.amount(message.amount, "amount", in: -1e15...1e15), try Self.unit(message.unit),
                of: message.account, perMinute: Int(limit))
            return ServerReply(Wire.ReturnQuotaReply())
        }
    }

    private func registerUsage(with router: inout RPCRouter) {
        let accounts = accounts
        router.unary(Wire.Accounts.addUsage) { request, _ in
            var entries: [AccountStore.Entry] = []
            for entry in request.message.entries {
                var usage = entry.usage
                usage.cost = await accounts.cost(of: usage, model: entry.model)
                entries.append(.init(key: entry.key, model: entry.model, usage: usage))
            }
            try await accounts.add(entries, batch: request.message.batch)
            return ServerReply(Wire.AddUsageReply())
        }
        router.unary(Wire.Accounts.readUsage) { request, _ in
            let message = request.message
            guard message.from <= message.to else {
                throw RPCError(.invalidArgument, "from \(message.from) is after to \(message.to)", field: "from")
            }
            var reply = Wire.ReadUsageReply()
            reply.entries = try await accounts.usage(key: message.key, days: message.from...message.to)
                .map { Wire.UsageEntry($0) }
            return ServerReply(reply)
        }
        router.unary(Wire.Accounts.recordAnswer) { request, _ in
            let message = request.message, members = try RecordedMembers(message.answerMembers)
            try await accounts.record(
                Recording(
                    id: message.id, key: message.key, model: message.model,
                    turns: try message.messages.map { try Recording.Turn($0) }, answer: message.answer,
                    calls: members.tool_calls ?? [], isCut: members.ends == false))
            return ServerReply(Wire.RecordAnswerReply())
        }
        router.unary(Wire.Accounts.addFeedback) { request, _ in
            let message = request.message
            var reply = Wire.AddFeedbackReply()
            reply.isRecorded = try await accounts.add(
                Feedback(
                    answerID: message.answerID, key: message.key, rating: Int(message.rating),
                    correction: message.correction, comment: message.comment))
            return ServerReply(reply)
        }
    }

    private static func unit(_ name: String) throws -> QuotaUnit {
        guard let unit = QuotaUnit(rawValue: name) else {
            throw RPCError(.invalidArgument, "the unit is requests or tokens", field: "unit")
        }
        return unit
    }

    private static func amount(_ value: Double, _ field: String, in range: ClosedRange<Double>) throws -> Double {
        guard range.contains(value) else {
            throw RPCError(
                .invalidArgument, "\(field) is \(value); it lies in \(range.lowerBound)…\(range.upperBound)",
                field: field)
        }
        return value
    }
}

/// What a turn has beside its text, as it travels: OpenAI's names of it, in JSON.
struct RecordedMembers: Codable {
    var tool_calls: [Recording.Call]?
    var tool_call_id: String?
    var name: String?
    /// False for an answer that its limit of tokens ended.
    var ends: Bool?

    init(_ turn: Recording.Turn) { (tool_calls, tool_call_id, name) = (turn.tool_calls, turn.tool_call_id, turn.name) }

    /// Of an answer.
    init(_ recording: Recording) {
        (tool_calls, ends) = (recording.calls.isEmpty ? nil : recording.calls, recording.isCut ? false : nil)
    }

    /// - Parameter text: empty for nothing.
    /// - Throws: `RPCError` for what is no such object.
    init(_ text: String) throws {
        do { self = try JSONDecoder().decode(Self.self, from: Data((text.isEmpty ? "{}" : text).utf8)) } catch {
            throw RPCError(.invalidArgument, "a turn's members are no object of calls", field: "members")
        }
    }

    /// Empty for nothing.
    var text: String {
        if tool_calls == nil, tool_call_id == nil, name == nil, ends == nil { return "" }
        return (try? JSONEncoder().encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}

extension Recording.Turn {
    /// - Throws: `RPCError`.
    fileprivate init(_ message: Wire.ChatMessage) throws {
        let members = try RecordedMembers(message.members)
        self.init(
            role: message.role, content: message.content, calls: members.tool_calls ?? [],
            callID: members.tool_call_id, name: members.name)
    }
}
