import Accounts
import Foundation
import Hummingbird
import JSON
import Messages
import NIOCore

/// `/v1/messages/batches`: Anthropic's form of a batch. It is the batch of `/v1/batches` whose lines ask `/v1/messages`, with
/// the same id behind another word, and its requests are kept as such a batch's file.
struct MessageBatchRoutes: RouteGroup {
    let pipeline: RequestPipeline
    /// nil where nothing is kept.
    let store: BatchStore?
    let work: WorkSignal

    private static let endpoint = "/v1/messages"
    private static let path = "/v1/messages/batches"
    private var keys: Authenticator { pipeline.keys }

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/messages/batches") { request, context in
            let digest = keys.keyDigest(of: request)
            return try await pipeline.run(.operation, request, context) { try await create($0, digest, $1.account) }
        }
        router.get("/v1/messages/batches") { request, _ in
            try await list(try AnthropicPage(request), try await keys.account(of: request))
        }
        router.get("/v1/messages/batches/:id") { request, context in
            let account = try await keys.account(of: request)
            return JSONResponse.make(json: try await object(try id(context), account).bytes)
        }
        router.delete("/v1/messages/batches/:id") { request, context in
            try await delete(try id(context), try await keys.account(of: request))
        }
        router.post("/v1/messages/batches/:id/cancel") { request, context in
            let account = try await keys.account(of: request)
            _ = try await batches().cancel(try id(context), account)
            work.signal()
            return JSONResponse.make(json: try await object(try id(context), account).bytes)
        }
        router.get("/v1/messages/batches/:id/results") { request, context in
            try await results(try id(context), try await keys.account(of: request))
        }
    }

    private func batches() throws -> BatchStore {
        guard let store else { throw APIError.nothingKept("batches") }
        return store
    }

    /// The id by which a batch is kept.
    private func id(_ context: GatewayContext) throws -> String {
        let name = try context.parameters.require("id")
        guard name.hasPrefix("msgbatch_") else { throw StateDocuments.notFound(name, "message batch") }
        return String(name.dropFirst(3))
    }

    /// - Throws: `APIError`, 404 where there is none, or it asks something else.
    private func batch(_ id: String, _ account: Account?) async throws -> BatchObject {
        let batch = try await batches().batch(id, account)
        guard batch.endpoint == Self.endpoint else { throw StateDocuments.notFound("msg" + id, "message batch") }
        return batch
    }

    private func object(_ id: String, _ account: Account?) async throws -> JSONValue {
        try await object(try await batch(id, account))
    }

    private func object(_ batch: BatchObject) async throws -> JSONValue {
        func number(_ count: Int) -> JSONValue { .number(JSONNumber("\(count)")) }
        func time(_ seconds: Int64?) -> JSONValue {
            guard let seconds else { return .null }
            return .string(Date(timeIntervalSince1970: Double(seconds)).ISO8601Format())
        }
        let isOpen = [.validating, .in_progress, .finalizing, .cancelling].contains(batch.status)
        let ended = batch.completed_at ?? batch.cancelled_at ?? batch.expired_at ?? batch.failed_at
        // Requests are told to have ended once all have.
        var counts: [UInt32: Int] = isOpen ? [:] : try await batches().outcomes(of: batch.id)
        if isOpen { counts[0] = batch.request_counts.total }
        func count(_ outcome: BatchLine.Outcome) -> JSONValue { number(counts[outcome.rawValue, default: 0]) }
        return .object(
            JSONObject([
                ("id", .string("msg" + batch.id)), ("type", .string("message_batch")),
                (
                    "processing_status",
                    .string(!isOpen ? "ended" : batch.status == .cancelling ? "canceling" : "in_progress")
                ),
                (
                    "request_counts",
                    .object(
                        JSONObject([
                            ("processing", number(counts[0, default: 0])), ("succeeded", count(.completed)),
                            ("errored", count(.failed)), ("canceled", count(.cancelled)), ("expired", count(.expired)),
                        ]))
                ),
                ("created_at", time(batch.created_at)), ("expires_at", time(batch.expires_at)),
                ("ended_at", time(isOpen ? nil : ended)), ("cancel_initiated_at", time(batch.cancelling_at)),
                ("archived_at", .null),
                ("results_url", isOpen ? .null : .string("\(Self.path)/msg\(batch.id)/results")),
            ]))
    }

    // MARK: Beginning and ending

    /// - Throws: `APIError` that names the request and its field.
    private func create(_ data: Data, _ keyDigest: String?, _ account: Account?) async throws -> Response {
        let store = try batches()
        let lines = try Self.lines(of: data)
        var writer = try await store.files.clientWriter(of: account)
        let now = StateDocuments.now
        let file: FileStore.Object
        do {
            for line in lines { try await writer.write(line) }
            file = try await writer.end(
                name: "message_batch.jsonl", purpose: "batch", lifetime: StateDocuments.lifetime)
        } catch {
            await writer.giveUp()
            throw error
        }
        var batch = BatchObject(
            id: "batch_" + ServiceDescription.newInstanceID(), endpoint: Self.endpoint, input_file_id: file.id,
            completion_window: "24h", created_at: now, expires_at: now + BatchStore.window)
        batch.request_counts.total = lines.count
        try await store.begin(batch, keyDigest, account)
        work.signal()
        return JSONResponse.make(json: try await object(batch).bytes)
    }

    /// The lines of a batch's file that ask what the requests do.
    private static func lines(of data: Data) throws -> [[UInt8]] {
        struct Body: Decodable { var requests: [JSONValue] }
        let requests = try JSONRequest.decode(Body.self, from: data).requests
        guard (1...BatchStore.lineLimit).contains(requests.count) else {
            throw APIError.invalidRequest(
                "'requests' has \(requests.count) requests; 1 to \(BatchStore.lineLimit) are possible.",
                parameter: "requests")
        }
        var ids = Set<String>()
        return try requests.enumerated().map { index, request in
            func fault(_ field: String, _ problem: String) -> APIError {
                let place = "requests[\(index)].\(field)"
                return APIError.invalidRequest("'\(place)' \(problem).", parameter: place)
            }
            guard let id = request["custom_id"]?.text, id.wholeMatch(of: /[A-Za-z0-9_-]{1,64}/) != nil else {
                throw fault("custom_id", "must be a text of 1 to 64 letters, digits, _ and -")
            }
            guard ids.insert(id).inserted else {
                throw fault("custom_id", "is '\(id)', as an earlier request's")
            }
            guard case .object(let params)? = request["params"] else { throw fault("params", "must be an object") }
            guard params["stream"]?.isTrue != true else {
                throw fault("params.stream", "is true; a request of a batch is not streamed")
            }
            let line = JSONValue.object(
                JSONObject([
                    ("custom_id", .string(id)), ("method", .string("POST")), ("url", .string(endpoint)),
                    ("body", .object(params)),
                ])
            ).bytes
            guard line.count <= BatchReader.sizeLimit else {
                throw fault("params", "has more than \(BatchReader.sizeLimit) bytes")
            }
            return line + [10]
        }
    }

    private func delete(_ id: String, _ account: Account?) async throws -> Response {
        let batch = try await batch(id, account)
        guard ![.validating, .in_progress, .finalizing, .cancelling].contains(batch.status) else {
            throw APIError(
                status: .conflict, message: "The batch has not ended; cancel it first.", type: "invalid_request_error",
                code: "batch_not_ended")
        }
        try await batches().batches.delete(id, of: account)
        return JSONResponse.make(
            json: JSONValue.object(
                JSONObject([("id", .string("msg" + id)), ("type", .string("message_batch_deleted"))])
            ).bytes)
    }

    // MARK: What there is

    private func list(_ page: AnthropicPage, _ account: Account?) async throws -> Response {
        let store = try batches()
        var (all, after) = ([BatchObject](), Int?.none)
        while true {
            let request = Wire.ListStateRequest(
                kind: store.batches.kind, key: account?.id, after: after, latestFirst: true, limit: 500)
            let documents = try await StateDocuments.told { try await store.batches.source.list(request) }.documents
            for document in documents where document.key == account?.id {
                let batch = try StoredBatch(document).batch
                if batch.endpoint == Self.endpoint { all.append(batch) }
            }
            guard let last = documents.last else { break }
            after = last.number
        }
        let (part, hasMore) = try page.part(of: all) { "msg" + $0.id }
        var data: [JSONValue] = []
        // As it stands, which what is kept of an open one does not say.
        for batch in part { data.append(try await object(batch.id, account)) }
        return JSONResponse.make(
            json: JSONValue.object(
                JSONObject([
                    ("data", .array(data)), ("has_more", .bool(hasMore)), ("first_id", data.first?["id"] ?? .null),
                    ("last_id", data.last?["id"] ?? .null),
                ])
            ).bytes)
    }

    /// Answers in JSON Lines, in the order of their requests.
    private func results(_ id: String, _ account: Account?) async throws -> Response {
        let store = try batches()
        let batch = try await batch(id, account)
        guard ![.validating, .in_progress, .finalizing, .cancelling].contains(batch.status) else {
            throw APIError(
                status: .notFound, message: "The batch has not ended; its results are not there yet.",
                type: "invalid_request_error", code: "batch_not_ended")
        }
        let body = ResponseBody { writer in
            try await store.eachLine(of: id, account?.id) { document in
                try await writer.write(ByteBuffer(bytes: Self.result(document).bytes + [10]))
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "application/x-jsonl"], body: body)
    }

    private static func result(_ document: Wire.StateDocument) -> JSONValue {
        let line = BatchLine(document)
        let answer = line.response?["body"] ?? .null
        let result: [(key: String, value: JSONValue)] =
            switch BatchLine.Outcome(rawValue: document.outcome) {
            case .completed: [("type", .string("succeeded")), ("message", answer)]
            case .failed, nil: [("type", .string("errored")), ("error", answer)]
            case .cancelled: [("type", .string("canceled"))]
            case .expired: [("type", .string("expired"))]
            }
        return .object(JSONObject([("custom_id", .string(line.customID)), ("result", .object(JSONObject(result)))]))
    }
}
