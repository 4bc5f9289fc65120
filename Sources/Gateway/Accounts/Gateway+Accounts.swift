import Accounts
import Foundation
import Hummingbird

/// Who comes in, what they used, and what they thought of it.
extension Gateway {
    /// The owner of the key that came with a request; nil where the gateway has no accounts.
    ///
    /// - Throws: `APIError`: 401, and 403 for a key without the role.
    func caller(of request: Request, role: Account.Role = .user) async throws -> Account? {
        guard let accounts else { return nil }
        let account = try await Caller.account(of: request, accounts)
        guard role == .user || account.role == role else {
            throw APIError(
                status: .forbidden, message: "The key '\(account.name)' is no administrator's.",
                type: "invalid_request_error", code: "not_an_administrator")
        }
        return account
    }

    private func keeper() throws -> AccountKeeper {
        guard let accounts else {
            throw APIError(
                status: .notImplemented, message: "This gateway has no accounts: it was started without --accounts.",
                type: "invalid_request_error", code: "no_accounts")
        }
        return accounts
    }

    // MARK: Usage

    private struct UsageList: Encodable {
        struct Row: Encodable {
            var day: String
            var key: String
            var model: String
            var requests: Int
            var prompt_tokens: Int
            var completion_tokens: Int
            var pictures: Int
            var cost: Double
        }

        var object = "list"
        var data: [Row]
    }

    /// `GET /v1/usage?from=2026-11-01&to=2026-11-30`: of the caller's key, and of all keys for an administrator.
    func usage(_ request: Request) async throws -> Response {
        let keeper = try keeper()
        guard let account = try await caller(of: request) else { throw APIError.notReady }
        let today = AccountStore.today
        let from = request.uri.queryParameters["from"].map(String.init) ?? today.prefix(8) + "01"
        let to = request.uri.queryParameters["to"].map(String.init) ?? today
        guard [from, to].allSatisfy(Self.isDay), from <= to else {
            throw APIError.invalidRequest(
                "'from' and 'to' are days such as 2026-11-25, the first no later than the second.", parameter: "from")
        }
        await keeper.flush()
        let rows = try await keeper.source.usage(key: account.role == .admin ? nil : account.id, days: from...to)
        return try JSONResponse.make(
            UsageList(
                data: rows.map { row in
                    .init(
                        day: row.day, key: row.key, model: row.model, requests: row.usage.requests,
                        prompt_tokens: row.usage.promptTokens, completion_tokens: row.usage.completionTokens,
                        pictures: row.usage.pictures, cost: row.usage.cost)
                }))
    }

    private static func isDay(_ text: String) -> Bool {
        let shape = text.utf8.map { (0x30...0x39).contains($0) ? UInt8(ascii: "0") : $0 }
        return shape.elementsEqual("0000-00-00".utf8)
    }

    // MARK: Feedback

    private struct FeedbackRequest: Decodable {
        var id: String
        var rating: Int?
        var correction: String?
        var comment: String?
    }

    private struct FeedbackResponse: Encodable {
        var object = "feedback"
        var id: String
        /// Whether the answer is recorded, so that it can be exported with the feedback.
        var recorded: Bool
    }

    /// `POST /v1/feedback`: `id` of an answer, `rating` of −1, 0 or 1, `correction`, `comment`.
    func takeFeedback(_ data: Data, from account: Account?) async throws -> Response {
        let keeper = try keeper()
        let request = try JSONRequest.decode(FeedbackRequest.self, from: data)
        guard (1...200).contains(request.id.utf8.count) else {
            throw APIError.invalidRequest("'id' is an answer's: 1 to 200 bytes.", parameter: "id")
        }
        let rating = request.rating ?? 0
        guard (-1...1).contains(rating) else {
            throw APIError.invalidRequest("rating is \(rating); it is -1, 0 or 1.", parameter: "rating")
        }
        guard request.rating != nil || request.correction != nil || request.comment != nil else {
            throw APIError.invalidRequest("Give a 'rating', a 'correction' or a 'comment'.", parameter: "rating")
        }
        let recorded = try await keeper.source.add(
            Feedback(
                answerID: request.id, key: account?.id, rating: rating, correction: request.correction,
                comment: request.comment))
        return try JSONResponse.make(FeedbackResponse(id: request.id, recorded: recorded))
    }
}
