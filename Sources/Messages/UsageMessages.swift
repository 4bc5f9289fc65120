internal import CMessages

/// What keys used.
package struct AddUsageRequest: BusMessage {
    /// Made up by the sender: the same entries sent twice count once.
    package var batch = ""
    package var entries: [UsageEntry] = []

    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension AddUsageRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__AddUsageRequest>) {
        nephele__v1__add_usage_request__init(c)
    }

    init(reading c: Nephele__V1__AddUsageRequest) throws {
        batch = try c.batch.text("batch")
        entries = try readAll(UsageEntry.self, c.entries, c.n_entries)
    }

    func write(to c: inout Nephele__V1__AddUsageRequest, in arena: inout Arena) {
        (c.has_batch, c.batch) = (1, arena.text(batch))
        c.n_entries = entries.count
        c.entries = arena.messages(entries)
    }
}

/// What one key used of one model.
package struct UsageEntry: Sendable, Equatable {
    package var key: Int64 = 0
    package var model = ""
    package var requests = 0
    package var promptTokens = 0
    package var completionTokens = 0
    package var pictures = 0
    /// This and the next two: of entries that are read.
    package var cost: Double = 0
    /// `2026-11-25`, in UTC.
    package var day = ""
    package var keyName = ""

    package init() {}
}

extension UsageEntry: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__UsageEntry>) {
        nephele__v1__usage_entry__init(c)
    }

    init(reading c: Nephele__V1__UsageEntry) throws {
        key = c.key
        model = try c.model.text("model")
        requests = try size(c.requests, "requests")
        promptTokens = try size(c.prompt_tokens, "prompt_tokens")
        completionTokens = try size(c.completion_tokens, "completion_tokens")
        pictures = try size(c.pictures, "pictures")
        cost = c.cost
        day = try c.day.text("day")
        keyName = try c.key_name.text("key_name")
    }

    func write(to c: inout Nephele__V1__UsageEntry, in arena: inout Arena) {
        (c.has_key, c.key) = (1, key)
        (c.has_model, c.model) = (1, arena.text(model))
        (c.has_requests, c.requests) = (1, requests.wire)
        (c.has_prompt_tokens, c.prompt_tokens) = (1, promptTokens.wire)
        (c.has_completion_tokens, c.completion_tokens) = (1, completionTokens.wire)
        (c.has_pictures, c.pictures) = (1, pictures.wire)
        (c.has_cost, c.cost) = (1, cost)
        (c.has_day, c.day) = (1, arena.text(day))
        (c.has_key_name, c.key_name) = (1, arena.text(keyName))
    }
}

/// It is written down.
package struct AddUsageReply: BusMessage {
    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension AddUsageReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__AddUsageReply>) {
        nephele__v1__add_usage_reply__init(c)
    }

    init(reading c: Nephele__V1__AddUsageReply) {}

    func write(to c: inout Nephele__V1__AddUsageReply, in arena: inout Arena) {}
}

/// Asks what was used.
package struct ReadUsageRequest: BusMessage {
    /// nil: all keys.
    package var key: Int64?
    /// `2026-11-25`; both days are included.
    package var from = ""
    package var to = ""

    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension ReadUsageRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ReadUsageRequest>) {
        nephele__v1__read_usage_request__init(c)
    }

    init(reading c: Nephele__V1__ReadUsageRequest) throws {
        key = c.has_key != 0 ? c.key : nil
        from = try c.from.text("from")
        to = try c.to.text("to")
    }

    func write(to c: inout Nephele__V1__ReadUsageRequest, in arena: inout Arena) {
        if let key { (c.has_key, c.key) = (1, key) }
        (c.has_from, c.from) = (1, arena.text(from))
        (c.has_to, c.to) = (1, arena.text(to))
    }
}

/// By day, key and model, the latest day first.
package struct ReadUsageReply: BusMessage {
    package var entries: [UsageEntry] = []

    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension ReadUsageReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ReadUsageReply>) {
        nephele__v1__read_usage_reply__init(c)
    }

    init(reading c: Nephele__V1__ReadUsageReply) throws {
        entries = try readAll(UsageEntry.self, c.entries, c.n_entries)
    }

    func write(to c: inout Nephele__V1__ReadUsageReply, in arena: inout Arena) {
        c.n_entries = entries.count
        c.entries = arena.messages(entries)
    }
}

/// An answer to be kept, since the operator has switched recording on.
package struct RecordAnswerRequest: BusMessage {
    /// What the answer is known by.
    package var id = ""
    package var key: Int64?
    package var model = ""
    package var turns: [ChatTurn] = []
    package var answer = ""

    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension RecordAnswerRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__RecordAnswerRequest>) {
        nephele__v1__record_answer_request__init(c)
    }

    init(reading c: Nephele__V1__RecordAnswerRequest) throws {
        id = try c.id.text("id")
        key = c.has_key != 0 ? c.key : nil
        model = try c.model.text("model")
        turns = try readAll(RecordedTurn.self, c.turns, c.n_turns).map(\.turn)
        answer = try c.answer.text("answer")
    }

    func write(to c: inout Nephele__V1__RecordAnswerRequest, in arena: inout Arena) {
        (c.has_id, c.id) = (1, arena.text(id))
        if let key { (c.has_key, c.key) = (1, key) }
        (c.has_model, c.model) = (1, arena.text(model))
        c.n_turns = turns.count
        c.turns = arena.messages(turns.map { RecordedTurn(turn: $0) })
        (c.has_answer, c.answer) = (1, arena.text(answer))
    }
}

/// It is kept.
package struct RecordAnswerReply: BusMessage {
    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension RecordAnswerReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__RecordAnswerReply>) {
        nephele__v1__record_answer_reply__init(c)
    }

    init(reading c: Nephele__V1__RecordAnswerReply) {}

    func write(to c: inout Nephele__V1__RecordAnswerReply, in arena: inout Arena) {}
}

/// What a user thought of an answer.
package struct AddFeedbackRequest: BusMessage {
    package var answerID = ""
    package var key: Int64?
    /// −1, 0 or 1.
    package var rating: Int32 = 0
    package var correction: String?
    package var comment: String?

    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension AddFeedbackRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__AddFeedbackRequest>) {
        nephele__v1__add_feedback_request__init(c)
    }

    init(reading c: Nephele__V1__AddFeedbackRequest) throws {
        answerID = try c.answer_id.text("answer_id")
        key = c.has_key != 0 ? c.key : nil
        rating = c.rating
        correction = c.has_correction != 0 ? try c.correction.text("correction") : nil
        comment = c.has_comment != 0 ? try c.comment.text("comment") : nil
    }

    func write(to c: inout Nephele__V1__AddFeedbackRequest, in arena: inout Arena) {
        (c.has_answer_id, c.answer_id) = (1, arena.text(answerID))
        if let key { (c.has_key, c.key) = (1, key) }
        (c.has_rating, c.rating) = (1, rating)
        if let correction { (c.has_correction, c.correction) = (1, arena.text(correction)) }
        if let comment { (c.has_comment, c.comment) = (1, arena.text(comment)) }
    }
}

/// The feedback is kept.
package struct AddFeedbackReply: BusMessage {
    /// Whether the answer that is judged was recorded.
    package var isRecorded = false

    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension AddFeedbackReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__AddFeedbackReply>) {
        nephele__v1__add_feedback_reply__init(c)
    }

    init(reading c: Nephele__V1__AddFeedbackReply) throws {
        isRecorded = c.recorded != 0
    }

    func write(to c: inout Nephele__V1__AddFeedbackReply, in arena: inout Arena) {
        (c.has_recorded, c.recorded) = (1, isRecorded ? 1 : 0)
    }
}

/// A turn of a conversation that is kept.
private struct RecordedTurn: CCodable {
    var turn: ChatTurn

    init(turn: ChatTurn) { self.turn = turn }

    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__RecordedTurn>) {
        nephele__v1__recorded_turn__init(c)
    }

    init(reading c: Nephele__V1__RecordedTurn) throws {
        turn = ChatTurn(role: try c.role.text("role"), content: try c.content.text("content"))
    }

    func write(to c: inout Nephele__V1__RecordedTurn, in arena: inout Arena) {
        (c.has_role, c.role) = (1, arena.text(turn.role))
        (c.has_content, c.content) = (1, arena.text(turn.content))
    }
}
