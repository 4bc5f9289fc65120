internal import ConfigurationFiles

/// A key's owner, and what the key allows.
package struct Account: Sendable, Equatable, Codable {
    package enum Role: String, Sendable, Codable, CaseIterable {
        /// Sends requests.
        case user
        /// Sends requests, and sees and changes everything.
        case admin
    }

    package struct Limits: Sendable, Equatable, Codable {
        package var requestsPerMinute: Int?
        /// Tokens of prompts and answers together, per minute.
        package var tokensPerMinute: Int?
        /// By the price list, in its currency.
        package var spendingPerDay: Double?

        package init(requestsPerMinute: Int? = nil, tokensPerMinute: Int? = nil, spendingPerDay: Double? = nil) {
            (self.requestsPerMinute, self.tokensPerMinute) = (requestsPerMinute, tokensPerMinute)
            self.spendingPerDay = spendingPerDay
        }
    }

    package var id: Int64
    /// Unique among keys that are in force.
    package var name: String
    package var role: Role
    /// Names in which `*` stands for anything; empty for all.
    package var models: [String]
    package var limits: Limits
    /// The name of a filter policy for this key's requests; nil for the route's.
    package var filter: String?
    /// The beginning of the secret.
    package var hint: String
    /// Seconds since 1970.
    package var created: Int64
    package var revoked: Int64?

    package init(
        id: Int64, name: String, role: Role, models: [String] = [], limits: Limits = Limits(), filter: String? = nil,
        hint: String, created: Int64, revoked: Int64? = nil
    ) {
        (self.id, self.name, self.role, self.models) = (id, name, role, models)
        (self.limits, self.filter, self.hint) = (limits, filter, hint)
        (self.created, self.revoked) = (created, revoked)
    }

    package func allows(model: String) -> Bool {
        models.isEmpty || models.contains { Glob($0).matches(model) }
    }
}
