import Accounts
import Foundation
import Hummingbird
import JSON
import Messages

/// `/v1/batches`: files of requests that are answered while nobody else needs the machines.
struct BatchRoutes: RouteGroup {
    let pipeline: RequestPipeline
    /// nil where nothing is kept.
    let store: BatchStore?
    let work: WorkSignal

    private var keys: Authenticator { pipeline.keys }

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/batches") { request, context in
            let digest = keys.keyDigest(of: request)
            return try await pipeline.run(.operation, request, context) { try await create($0, digest, $1.account) }
        }
        router.get("/v1/batches") { request, _ in
            let account = try await keys.account(of: request)
            let (documents, hasMore) = try await batches().batches.page(try ListQuery(request), of: account)
            return try JSONResponse.make(
                ListObject(
                    data: try documents.map { try StoredBatch($0).batch }, first_id: documents.first?.id,
                    last_id: documents.last?.id, has_more: hasMore))
        }
        router.get("/v1/batches/:id") { request, context in
            let account = try await keys.account(of: request)
            return try JSONResponse.make(try await batches().batch(try context.parameters.require("id"), account))
        }
        router.post("/v1/batches/:id/cancel") { request, context in
            let account = try await keys.account(of: request)
            return try await cancel(try context.parameters.require("id"), account)
        }
    }

    private func batches() throws -> BatchStore {
        guard let store else { throw APIError.nothingKept("batches") }
        return store
    }

    private struct BatchRequest: Decodable {
        var input_file_id: String
        var endpoint: String
        var completion_window: String?
        var metadata: [String: String]?
    }

    private func create(_ data: Data, _ keyDigest: String?, _ account: Account?) async throws -> Response {
        let store = try batches()
        let fields = RefusedFields([
            refuse("output_expires_after", because: "what a batch writes is kept for 30 days")
        ])
        let request = try JSONRequest.decode(BatchRequest.self, from: data, refusing: fields)
        guard BatchStore.endpoints.contains(request.endpoint) else {
            throw APIError.invalidRequest(
                "endpoint is '\(request.endpoint.prefix(100))'; it is one of "
                    + "\(BatchStore.endpoints.joined(separator: ", ")).", parameter: "endpoint")
        }
        guard request.completion_window ?? "24h" == "24h" else {
            throw APIError.invalidRequest("'completion_window' is 24h.", parameter: "completion_window")
        }
        try ClientMetadata.check(request.metadata)
        let file: FileStore.Object
        do { file = try await store.files.object(request.input_file_id, of: account) } catch var error as APIError {
            error.parameter = "input_file_id"
            throw error
        }
        guard file.purpose == "batch" else {
            throw APIError.invalidRequest(
                "The file's purpose is '\(file.purpose)'; a batch takes files whose purpose is batch.",
                parameter: "input_file_id")
        }
        let now = StateDocuments.now
        let batch = BatchObject(
            id: "batch_" + ServiceDescription.newInstanceID(), endpoint: request.endpoint,
            input_file_id: request.input_file_id, completion_window: "24h", created_at: now,
            expires_at: now + BatchStore.window, metadata: request.metadata)
        try await store.begin(batch, keyDigest, account)
        work.signal()
        return try JSONResponse.make(batch)
    }

    private func cancel(_ id: String, _ account: Account?) async throws -> Response {
        let batch = try await batches().cancel(id, account)
        work.signal()
        return try JSONResponse.make(batch)
    }
}
