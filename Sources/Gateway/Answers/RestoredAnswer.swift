import Messages

/// What is known of an answer that may have begun in another gateway.
struct RestoredAnswer: Sendable {
    var id: String
    var created: Int
    /// What was asked of the text-model; nil where nothing has been received.
    var start: Wire.AnswerStart?
    /// What the text-model has said, in order.
    var received: [Wire.GenerateDelta] = []
}
