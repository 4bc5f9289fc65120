import Messages
import RPC

/// One generation under way: the text of its choices as it comes, and what is known of it as a whole.
struct Generation: Sendable {
    let id: String
    let created: Int
    let model: String
    /// Changes when the arithmetic behind the model does.
    let fingerprint: String
    let promptTokens: Int
    let choices: Int
    let replies: ReplyStream<GenerateDelta>

    /// All deltas at once, joined by choice.
    ///
    /// - Throws: `APIError`.
    func collect() async throws -> (texts: [(text: String, finishReason: String?)], tokens: Int) {
        var texts = [(text: String, finishReason: String?)](repeating: ("", nil), count: choices)
        var tokens = 0
        do {
            while let reply = try await replies.next() {
                let delta = reply.message
                let choice = Int(delta.choice)
                guard texts.indices.contains(choice) else { continue }
                texts[choice].text += delta.text
                if delta.token != nil { tokens += 1 }
                if !delta.finishReason.isEmpty { texts[choice].finishReason = delta.finishReason }
            }
        } catch let error as RPCError {
            throw APIError(error)
        }
        return (texts, tokens)
    }
}
