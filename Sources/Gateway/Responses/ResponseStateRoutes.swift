import Accounts
import Hummingbird
import JSON
import Messages
import NIOCore

/// Responses that are kept: `GET /v1/responses/{id}` (whole, or as a stream from an event on), `DELETE`, `…/cancel`,
/// `…/input_items`.
struct ResponseStateRoutes: RouteGroup {
    let keys: Authenticator
    let clients: ConnectedClients
    /// nil where nothing is kept.
    let store: ResponseStore?

    func addRoutes(to router: Router<GatewayContext>) {
        let path = RouterPath("/v1/responses/:id")
        router.get(path) { request, context in
            try await read(request, try context.parameters.require("id"), context.channel)
        }
        router.delete(path) { request, context in try await delete(request, try context.parameters.require("id")) }
        router.post("/v1/responses/:id/cancel") { request, context in
            try await cancel(request, try context.parameters.require("id"))
        }
        router.get("/v1/responses/:id/input_items") { request, context in
            try await inputItems(request, try context.parameters.require("id"))
        }
    }

    private func responses(_ id: String) throws -> StateDocuments {
        guard let store else { throw StateDocuments.notFound(id, "response") }
        return store.responses
    }

    private func read(_ request: Request, _ id: String, _ client: (any Channel)?) async throws -> Response {
        let account = try await keys.account(of: request)
        let follower = ResponseFollower(store: try responses(id), id: id, account: account, clients: clients)
        let parameters = request.uri.queryParameters
        let (document, stored) = try await follower.current()
        let stream = parameters["stream"] ?? "false"
        guard stream == "true" || stream == "false" else {
            throw APIError.invalidRequest("stream is '\(stream.prefix(40))'; it is true or false.", parameter: "stream")
        }
        guard stream == "true" else { return try JSONResponse.make(stored.response) }
        guard document.isOpen || document.entries > 0 else {
            throw APIError.invalidRequest(
                "The response '\(id.prefix(100))' was not made in the background: it has no stream to take up again.",
                parameter: "stream")
        }
        let given = parameters["starting_after"] ?? "-1"
        guard let after = Int(given), after >= -1 else {
            throw APIError.invalidRequest(
                "starting_after is '\(given.prefix(40))'; it is the number of an event.", parameter: "starting_after")
        }
        return follower.stream(startingAfter: after, to: client)
    }

    private func delete(_ request: Request, _ id: String) async throws -> Response {
        let account = try await keys.account(of: request)
        try await responses(id).delete(id, of: account)
        return try JSONResponse.make(DeletionObject(id: id, object: "response"))
    }

    private func cancel(_ request: Request, _ id: String) async throws -> Response {
        let account = try await keys.account(of: request)
        let responses = try responses(id)
        let follower = ResponseFollower(store: responses, id: id, account: account, clients: clients)
        while true {
            var (document, stored) = try await follower.current()
            guard document.isOpen else {
                guard stored.response["background"]?.isTrue == true else {
                    throw APIError.invalidRequest(
                        "Only responses in the background can be cancelled; '\(id.prefix(100))' is none.")
                }
                return try JSONResponse.make(stored.response)
            }
            stored.response = stored.response.setting([("status", .string("cancelled"))])
            let isMade = try await responses.update(id) {
                ($0.body, $0.isOpen, $0.requiresOpen) = (stored.body, false, true)
                $0.outcome = StoredResponse.Outcome.cancelled.rawValue
            }
            if isMade { return try JSONResponse.make(stored.response) }
        }
    }

    private func inputItems(_ request: Request, _ id: String) async throws -> Response {
        let account = try await keys.account(of: request)
        let document = try await responses(id).document(id, of: account)
        let query = try ListQuery(request)
        var items = StoredResponse(document).inputItems(of: id)
        if query.isLatestFirst { items.reverse() }
        if let after = query.after {
            guard let index = items.firstIndex(where: { $0["id"]?.text == after }) else {
                throw APIError.invalidRequest("There is no item '\(after.prefix(100))' here.", parameter: "after")
            }
            items.removeFirst(index + 1)
        }
        return try JSONResponse.make(
            ListObject(
                data: Array(items.prefix(query.limit)), first_id: items.first?["id"]?.text,
                last_id: items.prefix(query.limit).last?["id"]?.text, has_more: items.count > query.limit))
    }
}

extension JSONValue {
    var isTrue: Bool { if case .bool(true) = self { true } else { false } }
}
