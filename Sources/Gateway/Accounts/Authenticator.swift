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
    func caller(of request: Request) async throws -> Caller? {
        guard let accounts else { return nil }
        return try await Caller(request, accounts)
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
