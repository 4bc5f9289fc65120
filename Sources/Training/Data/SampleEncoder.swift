import JSON
package import Tokenizers

/// Makes tokens of a line's fields: conversations by the model's chat template, texts as they are with the end token
/// behind them. A completion begins where the tokens of prompt and completion part from those of the prompt alone, as in
/// TRL.
package struct SampleEncoder {
    private let tokenizer: Tokenizer
    private let endOfText: Int32
    private let vocabulary: Int

    /// - Parameter vocabulary: tokens that the model knows.
    /// - Throws: `TrainingError.unsupported` for a tokenizer that does not say how a text ends.
    package init(_ tokenizer: Tokenizer, vocabulary: Int) throws(TrainingError) {
        guard let end = tokenizer.endOfText ?? tokenizer.endOfTurnTokens.min() else {
            throw TrainingError(
                .unsupported, "the tokenizer names no token that ends a text (\"eos_token\"), which answers end with")
        }
        (self.tokenizer, endOfText, self.vocabulary) = (tokenizer, end, vocabulary)
    }

    /// What a prompt and its completions are given as: both texts, or both lists of messages.
    enum Passage {
        case text(String)
        case messages([ChatMessage])
    }

    /// What a template is told beside the messages.
    struct Context {
        var tools: [JSON.JSONValue] = []
        var variables = JSONObject([])
    }

    /// A conversation of which every assistant's turn is learned but those of weight 0.
    ///
    /// - Throws: a clause that says what is wrong with it.
    func conversation(_ messages: [ChatMessage], _ context: Context) throws(Fault) -> TrainingText {
        let turns = messages.indices.filter {
            guard messages[$0].role == "assistant" else { return false }
            if case .number(let weight)? = messages[$0].members["weight"] { return weight.double != 0 }
            return true
        }
        guard !turns.isEmpty else { throw Fault("\"messages\" has no turn of role \"assistant\" to learn") }
        for turn in turns { try checkIsThere(messages[turn], "messages[\(turn)]") }
        let ids = try render(messages, context, asksForAnswer: false, endsThere: try ends(messages))
        var answers: [Range<Int>] = []
        for turn in turns {
            let before = try render(Array(messages[..<turn]), context, asksForAnswer: true)
            let start = Self.commonPrefix(before, ids)
            var end = ids.count
            if turn + 1 < messages.count {
                let upTo = try render(Array(messages[...turn]), context, asksForAnswer: false)
                end = Self.commonPrefix(upTo, ids)
                guard end == upTo.count else {
                    throw Fault(
                        "the chat template writes messages[\(turn)] in another way when others follow; give each answer as "
                            + "\"prompt\" and \"completion\"")
                }
            }
            guard start < end, start >= answers.last?.upperBound ?? 1 else {
                throw Fault("the chat template writes nothing of messages[\(turn)] that could be learned")
            }
            answers.append(start..<end)
        }
        return try checked(TrainingText(ids: ids, answers: answers))
    }

    /// A prompt with each of its completions; all begin with the same tokens.
    func completions(
        of prompt: Passage, _ completions: [(name: String, Passage)], _ context: Context
    ) throws(Fault) -> [TrainingText] {
        let before: [Int32]
        switch prompt {
        case .text(let text): before = tokenizer.encode(text, addSpecialTokens: true)
        case .messages(let messages): before = try render(messages, context, asksForAnswer: true)
        }
        let all = try completions.map { name, completion throws(Fault) in
            switch (prompt, completion) {
            case (.text(let first), .text(let second)):
                guard !second.isEmpty else { throw Fault("\"\(name)\" is empty") }
                let ids = tokenizer.encode(first + second, addSpecialTokens: true)
                return ids.last == endOfText ? ids : ids + [endOfText]
            case (.messages(let first), .messages(let second)):
                guard !second.isEmpty else { throw Fault("\"\(name)\" is empty") }
                for (index, message) in second.enumerated() { try checkIsThere(message, "\(name)[\(index)]") }
                return try render(first + second, context, asksForAnswer: false, endsThere: try ends(second))
            default:
                throw Fault("\"prompt\" and \"\(name)\" must both be texts, or both be lists of messages")
            }
        }
        let start = all.map { Self.commonPrefix(before, $0) }.min() ?? 0
        return try zip(all, completions).map { ids, completion throws(Fault) in
            guard ids.count > max(1, start) else { throw Fault("nothing of \"\(completion.name)\" could be learned") }
            return try checked(TrainingText(ids: ids, answers: [max(1, start)..<ids.count]))
        }
    }

    /// A text as it is, with the end token behind it.
    func document(_ text: String) throws(Fault) -> [Int32] {
        guard !text.isEmpty else { throw Fault("\"text\" is empty") }
        let ids = tokenizer.encode(text, addSpecialTokens: true)
        let ended = ids.last == endOfText ? ids : ids + [endOfText]
        return try checked(TrainingText(ids: ended, answers: [])).ids
    }

    private func checked(_ text: TrainingText) throws(Fault) -> TrainingText {
        if let id = text.ids.first(where: { $0 < 0 || Int($0) >= vocabulary }) {
            throw Fault("the tokenizer gives token \(id), which the model's vocabulary of \(vocabulary) has not")
        }
        return text
    }

    /// What is wrong with a line: a clause.
    struct Fault: Error {
        var clause: String

        init(_ clause: String) { self.clause = clause }
    }

    private func checkIsThere(_ message: ChatMessage, _ place: String) throws(Fault) {
        let calls = message.members["tool_calls"]?.elements ?? []
        guard !message.text.isEmpty || !calls.isEmpty else { throw Fault("\"\(place).content\" is empty") }
    }

    /// Whether a conversation ends where its last turn does: one with `"ends": false` would have gone on, so that its end is
    /// not learned.
    private func ends(_ messages: [ChatMessage]) throws(Fault) -> Bool {
        for (index, message) in messages.enumerated() {
            guard let value = message.members["ends"], !value.isNull else { continue }
            guard case .bool(let ends) = value, index == messages.count - 1, message.role == "assistant" else {
                throw Fault("\"ends\" is true or false, of the last turn where that is an assistant's")
            }
            return ends
        }
        return true
    }

    private func render(
        _ messages: [ChatMessage], _ context: Context, asksForAnswer: Bool, endsThere: Bool = true
    ) throws(Fault) -> [Int32] {
        guard tokenizer.chatTemplate != nil else {
            throw Fault(
                "the model has no chat template to write messages with; give \"prompt\" and \"completion\" as texts")
        }
        let messages = messages.map { message in
            let members = message.members.members.filter { $0.key != "ends" }
            return ChatMessage(role: message.role, content: message.content, members: JSONObject(members))
        }
        var conversation = Conversation(messages, addGenerationPrompt: asksForAnswer)
        conversation.continuesFinalMessage = !endsThere
        (conversation.tools, conversation.variables) = (context.tools, context.variables)
        do { return try tokenizer.render(conversation).ids } catch { throw Fault(error.message) }
    }

    /// How many tokens both begin with.
    static func commonPrefix(_ a: [Int32], _ b: [Int32]) -> Int { zip(a, b).prefix { $0 == $1 }.count }
}
