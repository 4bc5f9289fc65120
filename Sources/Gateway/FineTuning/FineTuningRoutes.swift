import Accounts
import Foundation
import Hummingbird
import JSON
import Messages

/// `/v1/fine_tuning/jobs`: adapters of the models that are served, trained on clients' files.
struct FineTuningRoutes: RouteGroup {
    let pipeline: RequestPipeline
    /// nil where nothing is kept.
    let store: FineTuningStore?
    let fleet: Fleet
    let routing: RoutingSource
    let work: WorkSignal

    private static let path = "/v1/fine_tuning/jobs"

    private var keys: Authenticator { pipeline.keys }

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("\(Self.path)") { request, context in
            try await pipeline.run(.operation, request, context) { try await create($0, $1.account) }
        }
        router.get("\(Self.path)") { request, _ in try await list(request) }
        router.get("\(Self.path)/:id") { request, context in
            let account = try await keys.account(of: request)
            return try JSONResponse.make(try await jobs().job(try context.parameters.require("id"), account))
        }
        router.get("\(Self.path)/:id/events") { request, context in
            try await events(request, try context.parameters.require("id"))
        }
        router.get("\(Self.path)/:id/checkpoints") { request, context in
            try await checkpoints(request, try context.parameters.require("id"))
        }
        for mark in [FineTuningStore.Mark.cancel, .pause] {
            router.post("\(Self.path)/:id/\(mark == .cancel ? "cancel" : "pause")") { request, context in
                let account = try await keys.account(of: request)
                return try await change(try context.parameters.require("id"), account, to: mark)
            }
        }
        router.post("\(Self.path)/:id/resume") { request, context in
            let account = try await keys.account(of: request)
            return try await resume(try context.parameters.require("id"), account)
        }
    }

    private func jobs() throws -> FineTuningStore {
        guard let store else { throw APIError.nothingKept("fine-tuning jobs") }
        return store
    }

    // MARK: Beginning

    private struct JobRequest: Decodable {
        var model: String
        var training_file: String
        var validation_file: String?
        var suffix: String?
        var seed: Int64?
        var metadata: [String: String]?
        var method: JSONValue?
        var hyperparameters: JSONValue?
    }

    static let refused = RefusedFields([
        refuse("integrations", because: "jobs tell nobody else of their steps; read their events")
    ])

    private func create(_ data: Data, _ account: Account?) async throws -> Response {
        let store = try jobs()
        let request = try JSONRequest.decode(JobRequest.self, from: data, refusing: Self.refused)
        let method = try FineTuningMethod(request.method, or: request.hyperparameters)
        try ClientMetadata.check(request.metadata)
        if let suffix = request.suffix {
            let isPlain = suffix.utf8.allSatisfy { byte in
                byte < 128 && (Character(Unicode.Scalar(byte)).isLetter || "0123456789-_.".utf8.contains(byte))
            }
            guard suffix.utf8.count <= 64, isPlain else {
                throw APIError.invalidRequest(
                    "'suffix' has up to 64 letters, digits, points, - and _.", parameter: "suffix")
            }
        }
        if let seed = request.seed, seed < 0 {
            throw APIError.invalidRequest("seed is \(seed); it is 0 or more.", parameter: "seed")
        }
        let (base, start) = try await model(request.model, account)
        try await checkFile(request.training_file, "training_file", account)
        if let file = request.validation_file { try await checkFile(file, "validation_file", account) }
        guard fleet.trainer != nil else {
            throw APIError(
                status: .notImplemented, message: "This gateway has no trainers: it was started without --trainer.",
                type: "invalid_request_error", code: "no_trainer")
        }
        let now = StateDocuments.now
        let job = FineTuningJob(
            id: "ftjob-" + ServiceDescription.newInstanceID(), created_at: now,
            hyperparameters: method.hyperparameters, metadata: request.metadata, method: method, model: request.model,
            seed: request.seed ?? Int64.random(in: 0...Int64(Int32.max)), training_file: request.training_file,
            validation_file: request.validation_file)
        let stored = StoredJob(job, base: base, startingAdapter: start, suffix: request.suffix)
        try await store.jobs.put([
            Wire.StateDocument(
                kind: store.jobs.kind, id: job.id, key: account?.id, body: try stored.body(), isOpen: true,
                created: now, expires: now + StateDocuments.lifetime)
        ])
        work.signal()
        return try JSONResponse.make(job)
    }

    /// The model that is served, and the adapter of it that a job begins with.
    private func model(_ given: String, _ account: Account?) async throws -> (base: String, start: String) {
        let name = routing.current.aliases[given] ?? given
        let model: ModelDescription
        do { model = try fleet.model(name, modalities: ["text"]) } catch var error as APIError {
            error.parameter = "model"
            throw error
        }
        guard account?.allows(model: name) ?? true else {
            throw APIError(
                status: .forbidden, message: "The key may not use the model '\(name.prefix(200))'.",
                type: "invalid_request_error", parameter: "model", code: "model_not_allowed")
        }
        guard let base = model.parent else { return (name, "") }
        let models = FineTunedModels(models: try jobs().models, fleet: fleet)
        guard let own = try await models.find(name, of: account) else {
            throw APIError.invalidRequest(
                "'\(name.prefix(200))' is an adapter that no job of this key has made; name its model, '\(base)', or a "
                    + "fine-tuned one.", parameter: "model")
        }
        return (base, own.path)
    }

    private func checkFile(_ id: String, _ parameter: String, _ account: Account?) async throws {
        let file: FileStore.Object
        do { file = try await jobs().files.object(id, of: account) } catch var error as APIError {
            error.parameter = parameter
            throw error
        }
        guard file.purpose == "fine-tune" else {
            throw APIError.invalidRequest(
                "The file's purpose is '\(file.purpose)'; a job takes files whose purpose is fine-tune.",
                parameter: parameter)
        }
        guard file.bytes > 0 else { throw APIError.invalidRequest("The file is empty.", parameter: parameter) }
    }

    // MARK: Reading

    private func list(_ request: Request) async throws -> Response {
        let store = try jobs()
        let account = try await keys.account(of: request)
        if let name = request.uri.queryParameters.map(\.key).first(where: { $0.hasPrefix("metadata") }) {
            throw APIError.invalidRequest(
                "Jobs are not listed by their metadata here.", parameter: String(name.prefix(100)))
        }
        let (documents, hasMore) = try await store.jobs.page(try ListQuery(request), of: account)
        return try JSONResponse.make(
            ListObject(
                data: try documents.map(FineTuningStore.job), first_id: documents.first?.id,
                last_id: documents.last?.id, has_more: hasMore))
    }

    private func events(_ request: Request, _ id: String) async throws -> Response {
        let store = try jobs()
        let account = try await keys.account(of: request), query = try ListQuery(request)
        let count = try await store.jobs.document(id, of: account).entries
        let stem = "ftevent-\(id.dropFirst("ftjob-".count))-"
        var after: Int?
        if let given = query.after {
            guard given.hasPrefix(stem), let number = Int(given.dropFirst(stem.count)), (0..<count).contains(number)
            else {
                throw StateDocuments.notFound(given, "event")
            }
            after = number
        }
        let upper = query.isLatestFirst ? after ?? count : count
        let first = query.isLatestFirst ? max(0, upper - query.limit) : (after ?? -1) + 1
        let entries = try await store.jobs.find(id, of: account, firstEntry: first)?.entries ?? []
        var events = try entries.prefix(min(query.limit, upper - first)).enumerated().map { place, bytes in
            FineTuningEvent(try WorkLog.decode(Wire.TrainingEvent.self, bytes), id: "\(stem)\(first + place)")
        }
        let hasMore = query.isLatestFirst ? first > 0 : first + events.count < count
        if query.isLatestFirst { events.reverse() }
        return try JSONResponse.make(
            ListObject(data: events, first_id: events.first?.id, last_id: events.last?.id, has_more: hasMore))
    }

    private func checkpoints(_ request: Request, _ id: String) async throws -> Response {
        let store = try jobs()
        let account = try await keys.account(of: request)
        _ = try await store.jobs.document(id, of: account)
        let (documents, hasMore) = try await store.checkpoints.page(
            try ListQuery(request, standard: 10), of: account, parent: id)
        let data = try documents.map { try JSONDecoder().decode(FineTuningCheckpoint.self, from: Data($0.body)).shown }
        return try JSONResponse.make(
            ListObject(data: data, first_id: data.first?.id, last_id: data.last?.id, has_more: hasMore))
    }

    // MARK: Stopping and going on

    private func change(_ id: String, _ account: Account?, to mark: FineTuningStore.Mark) async throws -> Response {
        let store = try jobs(), document = try await store.jobs.document(id, of: account)
        let job = try FineTuningStore.job(document)
        // A paused job is closed; it is opened to be cancelled.
        let isPaused = !document.isOpen && job.status == .paused && mark == .cancel
        guard document.isOpen && job.status != .cancelled || isPaused else {
            throw ended(job, mark == .cancel ? "cancelled" : "paused")
        }
        _ = try await store.jobs.update(id) { ($0.outcome, $0.isOpen) = (mark.rawValue, true) }
        work.signal()
        return try JSONResponse.make(try await store.job(id, account))
    }

    private func resume(_ id: String, _ account: Account?) async throws -> Response {
        let store = try jobs(), job = try await store.job(id, account)
        guard job.status == .paused else { throw ended(job, "resumed") }
        _ = try await store.jobs.update(id) {
            ($0.outcome, $0.isOpen, $0.expires) = (0, true, StateDocuments.now + StateDocuments.lifetime)
        }
        work.signal()
        var resumed = try await store.job(id, account)
        // A gateway that was about to write the pause down sees that it is over.
        if resumed.status == .paused { resumed.status = .queued }
        return try JSONResponse.make(resumed)
    }

    private func ended(_ job: FineTuningJob, _ what: String) -> APIError {
        APIError(
            status: .conflict, message: "The job is \(job.status.rawValue); it cannot be \(what).",
            type: "invalid_request_error", code: "job_\(job.status.rawValue)")
    }
}
