import Accounts
import JSON
import Messages

/// A response that can be had again: the request as it came, and what is told of the answer.
struct StoredResponse: Sendable {
    /// How a response ended, as its document says it: 0 is none of them.
    enum Outcome: UInt32 { case completed = 1, failed, cancelled }

    /// The body of the request.
    var request: JSONValue
    /// The response, as it was when it was last written.
    var response: JSONValue
    /// What the store knows the client's key by; nil where the gateway has no accounts.
    var keyDigest: String?

    init(request: JSONValue, response: JSONValue, keyDigest: String?) {
        (self.request, self.response, self.keyDigest) = (request, response, keyDigest)
    }

    init(_ document: Wire.StateDocument) {
        let body = document.json
        self.init(
            request: body["request"] ?? .null, response: body["response"] ?? .null, keyDigest: body["key"]?.text)
    }

    var body: [UInt8] {
        let key = keyDigest.map { [("key", JSONValue.string($0))] } ?? []
        return JSONValue.object(JSONObject([("request", request), ("response", response)] + key)).bytes
    }

    /// What the request said, as items.
    var input: [JSONValue] { Self.items(request["input"] ?? .null) }

    /// The same, each with an id: its own, or one that depends on its place.
    func inputItems(of id: String) -> [JSONValue] {
        input.enumerated().map { index, item in
            item["id"]?.text == nil ? item.setting([("id", .string("item_\(id.dropFirst(5))_\(index)"))]) : item
        }
    }

    var output: [JSONValue] { response["output"]?.elements ?? [] }

    static func items(_ input: JSONValue) -> [JSONValue] {
        guard let text = input.text else { return input.elements ?? [] }
        let part = JSONObject([("type", .string("input_text")), ("text", .string(text))])
        return [
            .object(
                JSONObject([
                    ("type", .string("message")), ("role", .string("user")), ("content", .array([.object(part)])),
                ]))
        ]
    }
}

/// What is kept of responses and conversations.
struct ResponseStore: Sendable {
    let responses: StateDocuments
    let conversations: ConversationStore

    /// Turns that are looked up, and bytes of them, at most.
    private static let turnLimit = 1_000
    private static let byteLimit = 16 << 20

    /// The items that were said before a request.
    ///
    /// - Throws: `APIError` that names the field.
    func history(of request: ResponseRequest, _ account: Account?) async throws -> [JSONValue] {
        if let id = request.conversationID { return try await conversations.items(of: id, account) }
        guard let last = request.previousResponseID else { return [] }
        var turns: [[JSONValue]] = []
        var size = 0
        var next: String? = last
        while let id = next {
            guard let document = try await responses.find(id, of: account)?.document else {
                let what = id == last ? "" : ", which '\(last.prefix(100))' follows,"
                throw Self.refused("There is no response '\(id.prefix(100))'\(what) here; it may have been deleted.")
            }
            guard !document.isOpen else {
                throw Self.refused("The response '\(id.prefix(100))' is not complete yet.")
            }
            size += document.body.count
            guard turns.count < Self.turnLimit, size <= Self.byteLimit else {
                throw Self.refused(
                    "The conversation before has more than \(Self.turnLimit) turns or \(Self.byteLimit) bytes.")
            }
            try await keep(document)
            let stored = StoredResponse(document)
            turns.append(stored.input + stored.output)
            next = stored.request["previous_response_id"]?.text
        }
        return Array(turns.reversed().joined())
    }

    /// What is used goes on being kept.
    private func keep(_ document: Wire.StateDocument) async throws {
        let expires = StateDocuments.now + StateDocuments.lifetime
        guard expires - document.expires > 86_400 else { return }
        _ = try await responses.update(document.id) { $0.expires = expires }
    }

    private static func refused(_ message: String) -> APIError {
        APIError.invalidRequest(message, parameter: "previous_response_id", code: "previous_response_not_found")
    }

    /// Keeps a response that is complete, and what was said in its conversation.
    ///
    /// - Throws: `APIError`.
    func keep(
        _ stored: StoredResponse, id: String, of account: Account?, conversation: String?, isStored: Bool
    ) async throws {
        if let conversation {
            try await conversations.append(stored.inputItems(of: id) + stored.output, to: conversation, of: account)
        }
        guard isStored else { return }
        try await responses.put([
            Wire.StateDocument(
                kind: responses.kind, id: id, key: account?.id, body: stored.body,
                outcome: StoredResponse.Outcome.completed.rawValue,
                expires: StateDocuments.now + StateDocuments.lifetime)
        ])
    }
}
