import Accounts
import Foundation
import Hummingbird
import JSON
import Messages
import RPC

/// `POST /v1/responses`, OpenAI's newer form of a chat.
struct ResponsesRoute: RouteGroup {
    let pipeline: RequestPipeline
    let models: ModelRouter
    let streams: PromptStreams
    let conversations: Conversations
    /// nil where nothing is kept.
    let store: ResponseStore?
    let work: WorkSignal

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/responses") { request, context in
            let digest = context.keyDigest ?? pipeline.keys.keyDigest(of: request)
            return try await pipeline.run(.generation, request, context) { try await answer($0, digest, $1) }
        }
    }

    private func answer(_ data: Data, _ keyDigest: String?, _ scope: RequestScope) async throws -> Response {
        let own = try JSONRequest.decode(ResponseRequest.self, from: data, refusing: .responses)
        try requireStore(own)
        let body = try JSONParser.parse([UInt8](data))
        let request = try await Self.joined(own, body, store, scope.account)
        let stored = StoredResponse(request: body, response: .null, keyDigest: keyDigest)
        if own.background { return try await begin(request, stored, scope) }
        return try await streams.promptly(isStream: own.conversation.parameters.stream == true, scope) {
            try await answer(request, stored, scope)
        }
    }

    private func requireStore(_ request: ResponseRequest) throws {
        guard store == nil else { return }
        let asked = [
            ("store", request.store == true), ("background", request.background),
            ("previous_response_id", request.previousResponseID != nil),
            ("conversation", request.conversationID != nil),
        ]
        guard let (field, _) = asked.first(where: \.1) else { return }
        throw APIError.invalidRequest(
            "'\(field)' is not supported: nothing is kept here. The gateway was started without --state FILE or "
                + "--accounts FILE; send the whole conversation in 'input'.", parameter: field)
    }

    /// The request with all that was said before.
    ///
    /// - Throws: `APIError` that names the field.
    static func joined(
        _ request: ResponseRequest, _ body: JSONValue, _ store: ResponseStore?, _ account: Account?
    ) async throws -> ResponseRequest {
        guard let history = try await store?.history(of: request, account), !history.isEmpty else { return request }
        let input = history + StoredResponse.items(body["input"] ?? .null)
        let whole = body.setting([("input", .array(input))])
        return try JSONRequest.decode(ResponseRequest.self, from: Data(whole.bytes))
    }

    private func answer(
        _ request: ResponseRequest, _ stored: StoredResponse, _ scope: RequestScope
    ) async throws -> Response {
        try await generate(request, restored: nil, scope) { generation in
            let isStored = store != nil && request.store != false
            let answer = ResponseAnswer(generation, to: request, isStored: isStored)
            let keep: @Sendable (inout ResponseObject) async throws -> Void = { response in
                guard let store, isStored || request.conversationID != nil else { return }
                var stored = stored
                stored.response = try JSONValue(encoding: response)
                try await store.keep(
                    stored, id: response.id, of: scope.account, conversation: request.conversationID,
                    isStored: isStored)
            }
            return request.conversation.parameters.stream == true
                ? Self.stream(answer, keep) : try await Self.whole(answer, keep)
        }
    }

    /// Begins the answer to a request, by the routing table.
    ///
    /// - Parameter restored: of an answer that another gateway may have begun; nil for a new one.
    /// - Throws: `APIError`.
    func generate(
        _ request: ResponseRequest, restored: RestoredAnswer?, _ scope: RequestScope,
        _ body: @Sendable (Generation) async throws -> Response
    ) async throws -> Response {
        let parameters = request.conversation.parameters
        return try await models.answer(
            request.conversation.routing, preset: parameters.preset, tokens: parameters.tokens(default: 256),
            modalities: ["text"], scope
        ) { model, decision, scope in
            // An answer that has begun stays with its model.
            let model = restored?.start.flatMap { models.fleet.models[$0.model] } ?? model
            return try await body(
                try await conversations.begin(
                    request.conversation, from: "input", decision, with: model, idPrefix: "resp_", restored: restored,
                    scope))
        }
    }

    private static func whole(
        _ answer: ResponseAnswer, _ keep: (inout ResponseObject) async throws -> Void
    ) async throws -> Response {
        var answer = answer
        var deltas = answer.generation.deltas()
        do {
            while let delta = try await deltas.next() { _ = answer.take(delta) }
        } catch let error as RPCError {
            throw APIError(error)
        }
        var response = answer.end().response
        try await keep(&response)
        return try JSONResponse.make(response)
    }

    private static func stream(
        _ answer: ResponseAnswer, _ keep: @escaping @Sendable (inout ResponseObject) async throws -> Void
    ) -> Response {
        EventStream.response(
            ResponseBody { writer in
                var (answer, events) = (answer, ResponseEvents())
                do {
                    try events.begin(try JSONValue(encoding: answer.opening))
                    try await writer.write(events.take())
                    var deltas = answer.generation.deltas()
                    while let delta = try await deltas.next() {
                        try events.add(answer.take(delta), of: answer.items)
                        let bytes = events.take()
                        if bytes.readableBytes > 0 { try await writer.write(bytes) }
                    }
                    var (response, changes) = answer.end()
                    try events.add(changes, of: answer.items)
                    try await keep(&response)
                    let ended = try JSONValue(encoding: response)
                    try events.add("response.\(response.status.rawValue)") { $0.response = ended }
                } catch  where error is RPCError || error is APIError {
                    let error = error as? APIError ?? APIError(RPCError(converting: error))
                    let failed = try JSONValue(encoding: answer.failed(error))
                    try events.add("response.failed") { $0.response = failed }
                }
                try await writer.write(events.take())
                try await writer.finish(nil)
            })
    }

    /// Writes a response down as work, and answers with what is known of it.
    private func begin(
        _ request: ResponseRequest, _ stored: StoredResponse, _ scope: RequestScope
    ) async throws -> Response {
        guard let store else { throw APIError.notReady }
        var opening = ResponseObject(
            request, id: "resp_" + ServiceDescription.newInstanceID(), created: Int(StateDocuments.now), isStored: true)
        opening.status = .queued
        var stored = stored
        stored.response = try JSONValue(encoding: opening)
        try await store.responses.put([
            Wire.StateDocument(
                kind: store.responses.kind, id: opening.id, key: scope.account?.id, body: stored.body, isOpen: true,
                expires: StateDocuments.now + StateDocuments.lifetime)
        ])
        work.signal()
        guard request.conversation.parameters.stream == true else { return try JSONResponse.make(opening) }
        let follower = ResponseFollower(
            store: store.responses, id: opening.id, account: scope.account, clients: streams.clients)
        return follower.stream(startingAfter: -1, to: scope.channel)
    }
}
