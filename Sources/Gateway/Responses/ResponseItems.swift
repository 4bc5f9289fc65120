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

    /// - Parameter text: nil before there is any.
    static func message(_ id: String, _ status: ResponseObject.Status, _ text: String?) -> ResponseItem {
        ResponseItem(
            type: "message", id: "msg_" + id, status: status, role: "assistant",
            content: text.map { [.output($0)] } ?? [])
    }

    static func reasoning(_ id: String, _ status: ResponseObject.Status, _ text: String?) -> ResponseItem {
        ResponseItem(
            type: "reasoning", id: "rs_" + id, status: status, content: text.map { [.reasoning($0)] } ?? [], summary: []
        )
    }

    static func call(
        _ id: String, _ status: ResponseObject.Status, callID: String, name: String, arguments: String
    ) -> ResponseItem {
        ResponseItem(
            type: "function_call", id: "fc_" + id, status: status, call_id: callID, name: name, arguments: arguments)
    }
}

/// The items of an answer as it comes: one is open at a time.
struct ResponseItems: Sendable {
    /// What has happened to the items.
    enum Change {
        case added(Int)
        case text(Int, String)
        case ended(Int)
    }

    private let id: String
    private(set) var items: [ResponseItem] = []
    private var openPart: AnswerDelta.Part?

    /// - Parameter response: the response's id, of which the items' ids are made.
    init(response: String) { id = response.hasPrefix("resp_") ? String(response.dropFirst(5)) : response }

    mutating func take(_ delta: AnswerDelta) -> [Change] {
        var changes: [Change] = []
        if delta.call != nil || !delta.text.isEmpty, delta.part != openPart || delta.call != nil {
            changes += close(.completed)
            let own = "\(id)\(items.isEmpty ? "" : "_\(items.count)")"
            switch delta.part {
            case .content: items.append(.message(own, .in_progress, nil))
            case .reasoning: items.append(.reasoning(own, .in_progress, nil))
            case .call:
                items.append(
                    .call(own, .in_progress, callID: delta.call?.id ?? "", name: delta.call?.name ?? "", arguments: ""))
            }
            openPart = delta.part
            changes.append(.added(items.count - 1))
        }
        guard !delta.text.isEmpty, let last = items.indices.last else { return changes }
        switch delta.part {
        case .content: items[last].content = [.output((items[last].content?.first?.text ?? "") + delta.text)]
        case .reasoning: items[last].content = [.reasoning((items[last].content?.first?.text ?? "") + delta.text)]
        case .call: items[last].arguments = (items[last].arguments ?? "") + delta.text
        }
        changes.append(.text(last, delta.text))
        return changes
    }

    /// Ends the answer. One without anything is a message without text.
    mutating func end(_ status: ResponseObject.Status) -> [Change] {
        if !items.isEmpty { return close(status) }
        items.append(.message(id, .in_progress, ""))
        openPart = .content
        return [.added(0)] + close(status)
    }

    private mutating func close(_ status: ResponseObject.Status) -> [Change] {
        guard openPart != nil, let last = items.indices.last else { return [] }
        items[last].status = status
        openPart = nil
        return [.ended(last)]
    }
}
