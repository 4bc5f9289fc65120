/// A request and its answer, kept because the operator has switched recording on.
package struct Recording: Sendable, Equatable {
    package struct Turn: Sendable, Hashable, Codable {
        package var role: String
        package var content: String
        /// What an assistant called, in OpenAI's form; nil for nothing.
        package var tool_calls: [Call]?
        /// Of a tool's turn, the call that it answers.
        package var tool_call_id: String?
        package var name: String?
        /// False where more would have come: the turn's end is not to be learned.
        package var ends: Bool?

        package init(
            role: String, content: String, calls: [Call] = [], callID: String? = nil, name: String? = nil,
            isCut: Bool = false
        ) {
            (self.role, self.content, self.name, ends) = (role, content, name, isCut ? false : nil)
            (tool_calls, tool_call_id) = (calls.isEmpty ? nil : calls, callID)
        }
    }

    /// A call of a tool, in OpenAI's form.
    package struct Call: Sendable, Hashable, Codable {
        package struct Function: Sendable, Hashable, Codable {
            package var name: String
            package var arguments: String
        }

        package var id: String?
        package var type = "function"
        package var function: Function

        package init(id: String?, name: String, arguments: String) {
            (self.id, function) = (id, Function(name: name, arguments: arguments))
        }
    }

    /// What the answer is known by: `chatcmpl-…`, `cmpl-…`.
    package var id: String
    package var key: Int64?
    package var model: String
    package var turns: [Turn]
    package var answer: String
    /// What the answer called.
    package var calls: [Call]
    /// Whether its limit of tokens ended the answer.
    package var isCut: Bool

    package init(
        id: String, key: Int64?, model: String, turns: [Turn], answer: String, calls: [Call] = [], isCut: Bool = false
    ) {
        (self.id, self.key, self.model, self.turns) = (id, key, model, turns)
        (self.answer, self.calls, self.isCut) = (answer, calls, isCut)
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
