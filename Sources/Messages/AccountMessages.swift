internal import CMessages

/// The accounts of gateways that have no file of their own: one gateway serves them.
package enum AccountMethods {
    package static let service = ServiceSchema(nephele__v1__accounts__descriptor)
    package static let find = Method<FindAccountRequest, FindAccountReply>(service, "FindAccount", .unary)
    package static let lease = Method<LeaseQuotaRequest, LeaseQuotaReply>(service, "LeaseQuota", .unary)
    package static let giveBack = Method<ReturnQuotaRequest, ReturnQuotaReply>(service, "ReturnQuota", .unary)
    package static let addUsage = Method<AddUsageRequest, AddUsageReply>(service, "AddUsage", .unary)
    package static let readUsage = Method<ReadUsageRequest, ReadUsageReply>(service, "ReadUsage", .unary)
    package static let record = Method<RecordAnswerRequest, RecordAnswerReply>(service, "RecordAnswer", .unary)
    package static let addFeedback = Method<AddFeedbackRequest, AddFeedbackReply>(service, "AddFeedback", .unary)
}

/// Asks whose a secret is.
package struct FindAccountRequest: BusMessage {
    /// SHA-256 of the secret, in hex.
    package var digest = ""

    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension FindAccountRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__FindAccountRequest>) {
        nephele__v1__find_account_request__init(c)
    }

    init(reading c: Nephele__V1__FindAccountRequest) throws {
        digest = try c.digest.text("digest")
    }

    func write(to c: inout Nephele__V1__FindAccountRequest, in arena: inout Arena) {
        (c.has_digest, c.digest) = (1, arena.text(digest))
    }
}

/// Who it is; nobody, where the secret opens nothing.
package struct FindAccountReply: BusMessage {
    package var account: AccountRecord?
    /// In the currency of the price list.
    package var spentToday: Double = 0

    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension FindAccountReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__FindAccountReply>) {
        nephele__v1__find_account_reply__init(c)
    }

    init(reading c: Nephele__V1__FindAccountReply) throws {
        account = try c.account.map { try AccountRecord(reading: $0.pointee) }
        spentToday = c.spent_today
    }

    func write(to c: inout Nephele__V1__FindAccountReply, in arena: inout Arena) {
        if let account { c.account = arena.message(account) }
        (c.has_spent_today, c.spent_today) = (1, spentToday)
    }
}

/// A key's owner, and what the key allows.
package struct AccountRecord: Sendable, Equatable {
    package var id: Int64 = 0
    package var name = ""
    /// `user`, `admin`.
    package var role = ""
    /// Names in which `*` stands for anything; none for all.
    package var models: [String] = []
    /// nil: no limit; so the next two.
    package var requestsPerMinute: Int?
    package var tokensPerMinute: Int?
    package var spendingPerDay: Double?
    /// The name of a filter policy.
    package var filter: String?
    /// The beginning of the secret.
    package var hint = ""
    /// Seconds since 1970.
    package var created: Int64 = 0

    package init() {}
}

extension AccountRecord: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__AccountRecord>) {
        nephele__v1__account_record__init(c)
    }

    init(reading c: Nephele__V1__AccountRecord) throws {
        id = c.id
        name = try c.name.text("name")
        role = try c.role.text("role")
        models = try UnsafeBufferPointer(start: c.models, count: c.models == nil ? 0 : c.n_models).map {
            try $0.text("models")
        }
        requestsPerMinute =
            c.has_requests_per_minute != 0 ? try size(c.requests_per_minute, "requests_per_minute") : nil
        tokensPerMinute = c.has_tokens_per_minute != 0 ? try size(c.tokens_per_minute, "tokens_per_minute") : nil
        spendingPerDay = c.has_spending_per_day != 0 ? c.spending_per_day : nil
        filter = c.has_filter != 0 ? try c.filter.text("filter") : nil
        hint = try c.hint.text("hint")
        created = c.created
    }

    func write(to c: inout Nephele__V1__AccountRecord, in arena: inout Arena) {
        (c.has_id, c.id) = (1, id)
        (c.has_name, c.name) = (1, arena.text(name))
        (c.has_role, c.role) = (1, arena.text(role))
        c.n_models = models.count
        c.models = arena.numbers(models.map { arena.text($0) })
        if let requestsPerMinute { (c.has_requests_per_minute, c.requests_per_minute) = (1, requestsPerMinute.wire) }
        if let tokensPerMinute { (c.has_tokens_per_minute, c.tokens_per_minute) = (1, tokensPerMinute.wire) }
        if let spendingPerDay { (c.has_spending_per_day, c.spending_per_day) = (1, spendingPerDay) }
        if let filter { (c.has_filter, c.filter) = (1, arena.text(filter)) }
        (c.has_hint, c.hint) = (1, arena.text(hint))
        (c.has_created, c.created) = (1, created)
    }
}

/// Asks for a slice of a key's limit.
package struct LeaseQuotaRequest: BusMessage {
    package var account: Int64 = 0
    /// `requests`, `tokens`.
    package var unit = ""
    /// What is needed now.
    package var needed: Double = 0
    /// What would be taken beyond it.
    package var spare: Double = 0
    /// The limit, as the gateway knows it.
    package var perMinute: Double = 0

    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension LeaseQuotaRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__LeaseQuotaRequest>) {
        nephele__v1__lease_quota_request__init(c)
    }

    init(reading c: Nephele__V1__LeaseQuotaRequest) throws {
        account = c.account
        unit = try c.unit.text("unit")
        needed = c.needed
        spare = c.spare
        perMinute = c.per_minute
    }

    func write(to c: inout Nephele__V1__LeaseQuotaRequest, in arena: inout Arena) {
        (c.has_account, c.account) = (1, account)
        (c.has_unit, c.unit) = (1, arena.text(unit))
        (c.has_needed, c.needed) = (1, needed)
        (c.has_spare, c.spare) = (1, spare)
        (c.has_per_minute, c.per_minute) = (1, perMinute)
    }
}

/// What was granted; 0: there is not enough.
package struct LeaseQuotaReply: BusMessage {
    package var granted: Double = 0
    /// Left for all gateways together.
    package var remaining: Double = 0
    /// Until the limit is whole again; where nothing was granted, until there is enough.
    package var wait: Duration = .zero

    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension LeaseQuotaReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__LeaseQuotaReply>) {
        nephele__v1__lease_quota_reply__init(c)
    }

    init(reading c: Nephele__V1__LeaseQuotaReply) throws {
        granted = c.granted
        remaining = c.remaining
        wait = Duration(wireMicroseconds: c.wait_us)
    }

    func write(to c: inout Nephele__V1__LeaseQuotaReply, in arena: inout Arena) {
        (c.has_granted, c.granted) = (1, granted)
        (c.has_remaining, c.remaining) = (1, remaining)
        (c.has_wait_us, c.wait_us) = (1, wait.microseconds)
    }
}

/// Gives back what was not used; takes, where the amount is negative.
package struct ReturnQuotaRequest: BusMessage {
    package var account: Int64 = 0
    /// `requests`, `tokens`.
    package var unit = ""
    package var amount: Double = 0
    package var perMinute: Double = 0

    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension ReturnQuotaRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ReturnQuotaRequest>) {
        nephele__v1__return_quota_request__init(c)
    }

    init(reading c: Nephele__V1__ReturnQuotaRequest) throws {
        account = c.account
        unit = try c.unit.text("unit")
        amount = c.amount
        perMinute = c.per_minute
    }

    func write(to c: inout Nephele__V1__ReturnQuotaRequest, in arena: inout Arena) {
        (c.has_account, c.account) = (1, account)
        (c.has_unit, c.unit) = (1, arena.text(unit))
        (c.has_amount, c.amount) = (1, amount)
        (c.has_per_minute, c.per_minute) = (1, perMinute)
    }
}

/// It was taken back.
package struct ReturnQuotaReply: BusMessage {
    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension ReturnQuotaReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ReturnQuotaReply>) {
        nephele__v1__return_quota_reply__init(c)
    }

    init(reading c: Nephele__V1__ReturnQuotaReply) {}

    func write(to c: inout Nephele__V1__ReturnQuotaReply, in arena: inout Arena) {}
}
