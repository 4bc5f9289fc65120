import Accounts
import Foundation
import Hummingbird
import JSON
import Messages

/// `/v1/conversations` and their items: what responses with `conversation` go on with and add to.
struct ConversationRoutes: RouteGroup {
    let pipeline: RequestPipeline
    /// nil where nothing is kept.
    let store: ConversationStore?

    private var keys: Authenticator { pipeline.keys }
    /// Items that one request may add, as at OpenAI.
    private static let itemLimit = 20

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/conversations") { request, context in
            try await pipeline.run(.operation, request, context) { try await create($0, $1.account) }
        }
        router.get("/v1/conversations/:id") { request, context in
            let document = try await find(try context.parameters.require("id"), try await keys.account(of: request))
            return try JSONResponse.make(Self.object(document))
        }
        router.post("/v1/conversations/:id") { request, context in
            let id = try context.parameters.require("id")
            return try await pipeline.run(.operation, request, context) { try await change(id, $0, $1.account) }
        }
        router.delete("/v1/conversations/:id") { request, context in
            let (id, account) = (try context.parameters.require("id"), try await keys.account(of: request))
            try await conversations().conversations.delete(id, of: account)
            return try JSONResponse.make(DeletionObject(id: id, object: "conversation.deleted"))
        }
        router.get("/v1/conversations/:id/items") { request, context in
            try await list(request, try context.parameters.require("id"))
        }
        router.post("/v1/conversations/:id/items") { request, context in
            let id = try context.parameters.require("id")
            return try await pipeline.run(.operation, request, context) { try await add($0, to: id, $1.account) }
        }
        router.get("/v1/conversations/:id/items/:item") { request, context in
            let item = try await item(request, context)
            return try JSONResponse.make(item.json)
        }
        router.delete("/v1/conversations/:id/items/:item") { request, context in
            let item = try await item(request, context)
            let account = try await keys.account(of: request)
            try await conversations().items.delete(item.id, of: account)
            return try JSONResponse.make(Self.object(try await find(item.parent, account)))
        }
    }

    private func conversations() throws -> ConversationStore {
        guard let store else { throw APIError.nothingKept("conversations") }
        return store
    }

    private struct ConversationRequest: Decodable {
        var items: [JSONValue]?
        var metadata: [String: String]?
    }

    private struct ConversationObject: Encodable {
        var id: String
        var object = "conversation"
        var created_at: Int64
        var metadata: JSONValue
    }

    private static func object(_ document: Wire.StateDocument) -> ConversationObject {
        ConversationObject(
            id: document.id, created_at: document.created,
            metadata: document.json["metadata"] ?? .object(JSONObject([])))
    }

    private func find(_ id: String, _ account: Account?) async throws -> Wire.StateDocument {
        try await conversations().conversations.document(id, of: account)
    }

    private static func body(_ request: ConversationRequest) throws -> [UInt8] {
        let metadata = request.metadata ?? [:]
        try ClientMetadata.check(metadata)
        let members = metadata.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) }
        return JSONValue.object(JSONObject([("metadata", .object(JSONObject(members)))])).bytes
    }

    /// - Throws: `APIError` for what no response could begin with.
    private static func checked(_ items: [JSONValue]) throws -> [JSONValue] {
        guard items.count <= itemLimit else {
            throw APIError.invalidRequest(
                "'items' has \(items.count) items; \(itemLimit) can be added at a time.", parameter: "items")
        }
        let input = JSONValue.object(JSONObject([("items", .array(items))]))
        struct Items: Decodable { var items: ResponseInput }
        _ = try JSONRequest.decode(Items.self, from: Data(input.bytes))
        return items
    }

    private func create(_ data: Data, _ account: Account?) async throws -> Response {
        let store = try conversations()
        let request = try JSONRequest.decode(ConversationRequest.self, from: data)
        let items = try Self.checked(request.items ?? [])
        let document = Wire.StateDocument(
            kind: store.conversations.kind, id: "conv_" + ServiceDescription.newInstanceID(), key: account?.id,
            body: try Self.body(request), created: StateDocuments.now,
            expires: StateDocuments.now + StateDocuments.lifetime)
        try await store.conversations.put([document])
        if !items.isEmpty { try await store.append(items, to: document.id, of: account) }
        return try JSONResponse.make(Self.object(document))
    }

    private func change(_ id: String, _ data: Data, _ account: Account?) async throws -> Response {
        _ = try await find(id, account)
        let request = try JSONRequest.decode(ConversationRequest.self, from: data)
        let body = try Self.body(request)
        _ = try await conversations().conversations.update(id) { $0.body = body }
        return try JSONResponse.make(Self.object(try await find(id, account)))
    }

    private func add(_ data: Data, to id: String, _ account: Account?) async throws -> Response {
        _ = try await find(id, account)
        let request = try JSONRequest.decode(ConversationRequest.self, from: data)
        guard let items = request.items, !items.isEmpty else {
            throw APIError.invalidRequest("'items' holds what is to be added.", parameter: "items")
        }
        let added = try await conversations().append(try Self.checked(items), to: id, of: account)
        return try JSONResponse.make(Self.page(added, hasMore: false))
    }

    private func list(_ request: Request, _ id: String) async throws -> Response {
        let account = try await keys.account(of: request)
        _ = try await find(id, account)
        let (documents, hasMore) = try await conversations().items.page(try ListQuery(request), of: account, parent: id)
        return try JSONResponse.make(Self.page(documents, hasMore: hasMore))
    }

    private static func page(_ documents: [Wire.StateDocument], hasMore: Bool) -> ListObject<JSONValue> {
        ListObject(
            data: documents.map(\.json), first_id: documents.first?.id, last_id: documents.last?.id, has_more: hasMore)
    }

    private func item(_ request: Request, _ context: GatewayContext) async throws -> Wire.StateDocument {
        let account = try await keys.account(of: request)
        let (id, name) = (try context.parameters.require("id"), try context.parameters.require("item"))
        _ = try await find(id, account)
        let item = try await conversations().items.document(name, of: account)
        guard item.parent == id else { throw try conversations().items.notFound(name) }
        return item
    }
}
