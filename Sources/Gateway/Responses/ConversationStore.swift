import Accounts
import JSON
import Messages
import RPC

/// What is kept of conversations: each is a document, and each of its items is one.
struct ConversationStore: Sendable {
    let conversations: StateDocuments
    let items: StateDocuments

    /// Items of a conversation that are read for an answer, at most.
    private static let itemLimit = 10_000

    /// - Throws: `APIError` that names the field where there is none.
    func items(of id: String, _ account: Account?) async throws -> [JSONValue] {
        guard try await conversations.find(id, of: account) != nil else {
            throw APIError(
                status: .notFound, message: "There is no conversation '\(id.prefix(100))' here.",
                type: "invalid_request_error", parameter: "conversation", code: "not_found")
        }
        var found: [JSONValue] = []
        var after: Int?
        while found.count < Self.itemLimit {
            let request = Wire.ListStateRequest(
                kind: items.kind, key: account?.id, parent: id, after: after, latestFirst: false, limit: 1_000)
            let page = try await StateDocuments.told { try await items.source.list(request) }.documents
            found += page.map(\.json)
            guard page.count == 1_000 else { return found }
            after = page.last?.number
        }
        throw APIError.invalidRequest(
            "The conversation has more than \(Self.itemLimit) items.", parameter: "conversation")
    }

    /// Adds items; those without an id get one.
    ///
    /// - Returns: the items as they are kept.
    /// - Throws: `APIError`.
    @discardableResult
    func append(_ new: [JSONValue], to id: String, of account: Account?) async throws -> [Wire.StateDocument] {
        let expires = StateDocuments.now + StateDocuments.lifetime
        let documents = new.map { item in
            let own = item["id"]?.text ?? Self.newID(of: item)
            return Wire.StateDocument(
                kind: items.kind, id: own, key: account?.id, parent: id,
                body: item.setting([("id", .string(own))]).bytes, created: StateDocuments.now, expires: expires)
        }
        try await items.put(documents)
        _ = try await conversations.update(id) { $0.expires = expires }
        return documents
    }

    private static func newID(of item: JSONValue) -> String {
        let prefix =
            switch item["type"]?.text {
            case "function_call": "fc_"
            case "function_call_output": "fco_"
            case "reasoning": "rs_"
            default: "msg_"
            }
        return prefix + ServiceDescription.newInstanceID()
    }
}
