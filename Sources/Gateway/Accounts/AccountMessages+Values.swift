import Accounts
import Messages
import RPC

// Accounts as they travel between gateways.

extension Wire.AccountRecord {
    init(_ account: Account) {
        self.init()
        (id, name, role) = (account.id, account.name, account.role.rawValue)
        (models, filter, hint, created) = (account.models, account.filter, account.hint, account.created)
        requestsPerMinute = account.limits.requestsPerMinute.map { max(0, $0) }
        tokensPerMinute = account.limits.tokensPerMinute.map { max(0, $0) }
        spendingPerDay = account.limits.spendingPerDay
    }
}

extension Account {
    /// - Throws: `RPCError` for a role that this gateway does not know.
    init(_ record: Wire.AccountRecord) throws {
        guard let role = Role(rawValue: record.role) else {
            throw RPCError(.internalError, "the gateway with the accounts has a role that this one does not know")
        }
        self.init(
            id: record.id, name: record.name, role: role, models: record.models,
            limits: .init(
                requestsPerMinute: record.requestsPerMinute, tokensPerMinute: record.tokensPerMinute,
                spendingPerDay: record.spendingPerDay), filter: record.filter, hint: record.hint,
            created: record.created)
    }
}

extension Wire.UsageEntry {
    init(_ entry: AccountStore.Entry) {
        self.init(entry.usage)
        (key, model) = (entry.key, entry.model)
    }

    init(_ row: UsageRow) {
        self.init(row.usage)
        (day, keyName, model) = (row.day, row.key, row.model)
    }

    private init(_ usage: Consumption) {
        self.init()
        (requests, promptTokens, completionTokens) = (usage.requests, usage.promptTokens, usage.completionTokens)
        (pictures, cost) = (usage.pictures, usage.cost)
    }

    var usage: Consumption {
        Consumption(
            requests: requests, promptTokens: promptTokens, completionTokens: completionTokens, pictures: pictures,
            cost: cost)
    }
}
