import Accounts
import Hummingbird

/// Finds the owners of the keys that come with requests.
struct Authenticator: Sendable {
    /// nil: no key is asked for.
    let accounts: AccountKeeper?

    /// The owner of the key that came with a request; nil where the gateway has no accounts.
    ///
    /// - Throws: `APIError`: 401, and 403 for a key without the role.
    func account(of request: Request, role: Account.Role = .user) async throws -> Account? {
        guard let accounts else { return nil }
        let account = try await Caller.account(of: request, accounts)
        guard role == .user || account.role == role else {
            throw APIError(
                status: .forbidden, message: "The key '\(account.name)' is no administrator's.",
                type: "invalid_request_error", code: "not_an_administrator")
        }
        return account
    }

    /// The caller, with the request counted against the limits of its key; nil where the gateway has no accounts.
    ///
    /// - Throws: `APIError`: no key, one that opens nothing, or one whose limits are reached.
    func caller(of request: Request, _ context: GatewayContext) async throws -> Caller? {
        guard let accounts else { return nil }
        if let digest = context.keyDigest { return try await Caller(digest: digest, accounts) }
        return try await Caller(request, accounts)
    }

    /// The caller whose work the gateway does by itself; nil where the gateway has no accounts.
    ///
    /// - Throws: `APIError` where the key opens nothing any more, or its limits are reached.
    func caller(digest: String?) async throws -> Caller? {
        guard let accounts else { return nil }
        return try await Caller(digest: digest ?? "", accounts)
    }

    /// What the store knows the key of a request by; nil where the gateway has no accounts.
    func keyDigest(of request: Request) -> String? {
        accounts == nil ? nil : Caller.secret(of: request).map(APIKey.digest)
    }

    /// - Throws: `APIError` where the gateway has none.
    func requireAccounts() throws -> AccountKeeper {
        guard let accounts else {
            throw APIError(
                status: .notImplemented, message: "This gateway has no accounts: it was started without --accounts.",
                type: "invalid_request_error", code: "no_accounts")
        }
        return accounts
    }
}
