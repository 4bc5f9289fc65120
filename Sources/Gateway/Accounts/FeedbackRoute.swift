import Accounts
import Foundation
import Hummingbird

/// `POST /v1/feedback`: `id` of an answer, `rating` of −1, 0 or 1, `correction`, `comment`.
struct FeedbackRoute: RouteGroup {
    let pipeline: RequestPipeline
    let keys: Authenticator

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/feedback") { request, context in
            try await pipeline.run(.operation, request, context) { try await add($0, from: $1.account) }
        }
    }

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

    private func add(_ data: Data, from account: Account?) async throws -> Response {
        let keeper = try keys.requireAccounts()
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
