/// A request and its answer, kept because the operator has switched recording on.
package struct Recording: Sendable, Equatable {
    package struct Turn: Sendable, Hashable, Codable {
        package var role: String
        package var content: String

        package init(role: String, content: String) { (self.role, self.content) = (role, content) }
    }

    /// What the answer is known by: `chatcmpl-…`, `cmpl-…`.
    package var id: String
    package var key: Int64?
    package var model: String
    package var turns: [Turn]
    package var answer: String

    package init(id: String, key: Int64?, model: String, turns: [Turn], answer: String) {
        (self.id, self.key, self.model, self.turns, self.answer) = (id, key, model, turns, answer)
    }
}

/// What a user thought of an answer.
package struct Feedback: Sendable, Equatable {
    /// The id of the answer that is judged.
    package var answerID: String
    package var key: Int64?
    /// −1, 0 or 1: bad, neither, good.
    package var rating: Int
    /// What the answer should have been.
    package var correction: String?
    package var comment: String?

    package init(answerID: String, key: Int64?, rating: Int, correction: String? = nil, comment: String? = nil) {
        (self.answerID, self.key, self.rating) = (answerID, key, rating)
        (self.correction, self.comment) = (correction, comment)
    }
}

/// A conversation to train on: OpenAI's form for fine-tuning, a line of JSON each.
package struct TrainingExample: Sendable, Equatable, Encodable {
    package var messages: [Recording.Turn]
    /// −1, 0 or 1, where somebody judged it.
    package var rating: Int?
    /// What the model said, where somebody corrected it.
    package var rejected: String?
}
