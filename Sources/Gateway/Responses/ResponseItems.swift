/// An item of a response's output: what the model thought, a message, or a call of a function.
struct ResponseItem: Encodable, Sendable {
    struct Part: Encodable, Sendable {
        var type: String
        var text: String
        // There are none; a thought has no place for them.
        var annotations: [String]?
        var logprobs: [String]?

        static func output(_ text: String) -> Part {
            Part(type: "output_text", text: text, annotations: [], logprobs: [])
        }
        static func reasoning(_ text: String) -> Part { Part(type: "reasoning_text", text: text) }
    }

    var type: String
    var id: String
    var status: ResponseObject.Status
    var role: String?
    var content: [Part]?
    /// Of a thought: there is none, as all of it is told.
    var summary: [String]?
    /// Of a call: what its result is to name.
    var call_id: String?
    var name: String?
    var arguments: String?

    static func message(_ id: String, _ status: ResponseObject.Status, _ text: String) -> ResponseItem {
        ResponseItem(type: "message", id: "msg_" + id, status: status, role: "assistant", content: [.output(text)])
    }

    static func reasoning(_ id: String, _ status: ResponseObject.Status, _ text: String) -> ResponseItem {
        ResponseItem(type: "reasoning", id: "rs_" + id, status: status, content: [.reasoning(text)], summary: [])
    }

    static func call(
        _ id: String, _ status: ResponseObject.Status, callID: String, name: String, arguments: String
    ) -> ResponseItem {
        ResponseItem(
            type: "function_call", id: "fc_" + id, status: status, call_id: callID, name: name, arguments: arguments)
    }
}

/// An answer's blocks as the items of a response.
struct ResponseItems: Sendable {
    private let id: String
    private var answer = AnswerBlocks()
    /// Of the items that have ended.
    private var statuses: [ResponseObject.Status] = []

    /// - Parameter response: the response's id, of which the items' ids are made.
    init(response: String) { id = response.hasPrefix("resp_") ? String(response.dropFirst(5)) : response }

    var items: [ResponseItem] { answer.blocks.indices.map { self[$0] } }

    subscript(index: Int) -> ResponseItem {
        let block = answer.blocks[index]
        let status = index < statuses.count ? statuses[index] : .in_progress
        let own = index == 0 ? id : "\(id)_\(index)"
        return switch block.part {
        case .content: .message(own, status, block.text)
        case .reasoning: .reasoning(own, status, block.text)
        case .call:
            .call(own, status, callID: block.call?.id ?? "", name: block.call?.name ?? "", arguments: block.text)
        }
    }

    mutating func take(_ delta: AnswerDelta) -> [AnswerBlocks.Change] { noted(answer.take(delta), .completed) }

    /// Ends the answer. One without anything is a message without text.
    mutating func end(_ status: ResponseObject.Status) -> [AnswerBlocks.Change] {
        let opening = answer.blocks.isEmpty ? answer.begin(.content) : []
        return opening + noted(answer.end(), status)
    }

    private mutating func noted(
        _ changes: [AnswerBlocks.Change], _ status: ResponseObject.Status
    ) -> [AnswerBlocks.Change] {
        for change in changes { if case .ended = change { statuses.append(status) } }
        return changes
    }
}
