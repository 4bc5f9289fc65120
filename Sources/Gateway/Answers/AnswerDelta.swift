import Messages

/// What one step brought of an answer, and what it is a part of.
@dynamicMemberLookup
struct AnswerDelta: Sendable {
    enum Part: Sendable, Equatable {
        case content
        /// What the model thinks before it answers.
        case reasoning
        /// A call of a tool, by its number in the answer: its beginning, or more of its arguments.
        case call(Int)
    }

    /// A call that begins.
    struct Call: Sendable, Equatable {
        var id: String
        var name: String
    }

    private var delta: Wire.GenerateDelta
    var part: Part
    var call: Call?

    init(_ delta: Wire.GenerateDelta, part: Part = .content, call: Call? = nil) {
        (self.delta, self.part, self.call) = (delta, part, call)
    }

    subscript<Value>(dynamicMember path: WritableKeyPath<Wire.GenerateDelta, Value>) -> Value {
        get { delta[keyPath: path] }
        set { delta[keyPath: path] = newValue }
    }

    /// Whether a client sees nothing of it.
    var isSilent: Bool { delta.text.isEmpty && delta.finishReason.isEmpty && delta.logprob == nil && call == nil }

    /// A text of the same choice that came with no token.
    func bare(_ text: String, part: Part, call: Call? = nil) -> AnswerDelta {
        AnswerDelta(Wire.GenerateDelta(choice: delta.choice, text: text), part: part, call: call)
    }
}
