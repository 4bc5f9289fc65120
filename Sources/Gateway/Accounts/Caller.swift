import Accounts
import Foundation
import Hummingbird
import Synchronization

/// The owner of a request's key, and what was taken from the key's limits for the request.
final class Caller: Sendable {
    let account: Account
    private let keeper: AccountKeeper
    private let requests: RateLimits.Answer?
    private let tokens = Mutex<(answer: RateLimits.Answer?, reserved: Int)>((nil, 0))

    /// Counts the request against the limits of the key that it came with.
    ///
    /// - Throws: `APIError`: no key, one that opens nothing, or one whose limits are reached.
    init(_ request: Request, _ keeper: AccountKeeper) async throws {
        let (account, spent) = try await Self.standing(of: request, keeper)
        (self.account, self.keeper) = (account, keeper)
        requests = try await keeper.admit(account, spentToday: spent)
    }

    /// Counts work that the gateway does by itself against the limits of the key that asked for it.
    ///
    /// - Throws: `APIError`: a key that opens nothing any more, or whose limits are reached.
    init(digest: String, _ keeper: AccountKeeper) async throws {
        guard let (account, spent) = try await keeper.account(digest: digest) else { throw Self.wrongKey }
        (self.account, self.keeper) = (account, keeper)
        requests = try await keeper.admit(account, spentToday: spent)
    }

    private static let wrongKey = APIError(
        status: .unauthorized, message: "Incorrect API key: it was not made here, or it is revoked.",
        type: "invalid_request_error", code: "invalid_api_key")

    /// - Throws: `APIError`, 401: no key, or one that opens nothing.
    static func account(of request: Request, _ keeper: AccountKeeper) async throws -> Account {
        try await standing(of: request, keeper).account
    }

    private static func standing(
        of request: Request, _ keeper: AccountKeeper
    ) async throws -> (account: Account, spentToday: Double) {
        guard let secret = secret(of: request) else {
            throw APIError(
                status: .unauthorized,
                message: "No API key was given: send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'.",
                type: "invalid_request_error", code: "missing_api_key")
        }
        guard let standing = try await keeper.account(digest: APIKey.digest(of: secret)) else { throw wrongKey }
        return standing
    }

    /// As OpenAI's, Azure's and Anthropic's clients send it.
    static func secret(of request: Request) -> String? {
        if let bearer = request.headers[.authorization], bearer.prefix(7).lowercased() == "bearer " {
            return String(bearer.dropFirst(7).drop { $0 == " " })
        }
        return FieldName.keys.lazy.compactMap { request.headers[own: $0] }.first
    }

    /// - Throws: `APIError` when the account may not use the model, or has used its tokens.
    func use(_ model: String, tokens estimate: Int) async throws {
        guard account.allows(model: model) else {
            throw APIError(
                status: .forbidden, message: "The key '\(account.name)' may not use the model '\(model)'.",
                type: "invalid_request_error", parameter: "model", code: "model_not_allowed")
        }
        giveBack()
        let answer = try await keeper.reserve(estimate, for: account)
        tokens.withLock { $0 = (answer, answer == nil ? 0 : estimate) }
    }

    /// Gives back what was reserved for a model that could not take the request.
    private func giveBack() {
        let reserved = tokens.withLock { tokens in
            defer { tokens.reserved = 0 }
            return tokens.reserved
        }
        keeper.giveBack(reserved, to: account)
    }

    /// OpenAI's rate-limit headers.
    func describe(in headers: inout HTTPFields) {
        if let limit = account.limits.requestsPerMinute, let requests {
            requests.describe(.requests, limit: limit, in: &headers)
        }
        if let limit = account.limits.tokensPerMinute, let answer = tokens.withLock({ $0.answer }) {
            answer.describe(.tokens, limit: limit, in: &headers)
        }
    }

    /// Bills what the request used.
    func settle(_ state: RequestRecord.State) {
        let reserved = tokens.withLock { $0.reserved }
        guard !state.model.isEmpty, state.promptTokens + state.completionTokens + state.pictures > 0 else {
            keeper.giveBack(reserved, to: account)
            return
        }
        let usage = Consumption(
            requests: 1, promptTokens: state.promptTokens, completionTokens: state.completionTokens,
            pictures: state.pictures)
        keeper.settle(account, model: state.model, usage, reserved: reserved)
    }
}

extension RateLimits.Answer {
    /// OpenAI's three header fields about one kind of limit.
    func describe(_ unit: QuotaUnit, limit: Int, in headers: inout HTTPFields) {
        let (all, left, reset) =
            switch unit {
            case .requests: (FieldName.requestLimit, FieldName.requestsLeft, FieldName.requestReset)
            case .tokens: (FieldName.tokenLimit, FieldName.tokensLeft, FieldName.tokenReset)
            }
        headers[own: all] = "\(limit)"
        headers[own: left] = "\(remaining)"
        headers[own: reset] = "\(Int((wait / .milliseconds(1)).rounded(.up)))ms"
    }
}
