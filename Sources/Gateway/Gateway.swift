import Accounts
import Foundation
import Hummingbird
import Messages
package import NIOCore
import RPC

/// OpenAI's HTTP API over the fleet: the only process that faces users.
package struct Gateway: Sendable {
    let fleet: Fleet
    /// The largest body that is read, in bytes.
    let bodyLimit: Int
    /// Whether clients may load and unload adapters.
    let allowsAdapterUpdates: Bool
    /// Whether clients may have models reloaded.
    let allowsReload: Bool
    let admission: Admission
    let routing: RoutingSource
    let filters: FilterSet
    let labels: LabelSource
    let rates = RateLimits()
    let clients = ConnectedClients()
    let metrics = GatewayMetrics()
    /// nil: everybody may come in.
    let accounts: AccountKeeper?
    /// nil: plain HTTP.
    package var certificates: CertificateSource?
    /// After so long without an event a stream is sent a comment line.
    package var keepAliveInterval: TimeAmount = .seconds(9)
    /// After so long a stream's head is sent, whatever becomes of the request: proxies wait no longer than half a minute for
    /// one. What goes wrong later is told as an event.
    package var headDelay: TimeAmount = .seconds(8)
    /// Whose pages in browsers may use the API, beside the gateway's own.
    package var origins: Set<BrowserOrigin> = []

    /// - Parameter requestLimit: how many requests are under way at a time, at most.
    package init(
        fleet: Fleet, routing: RoutingSource, filters: FilterSet, labels: LabelSource = .standard,
        accounts: AccountKeeper? = nil,
        bodyLimit: Int = 4 << 20,
        requestLimit: Int = 2_048,
        allowsAdapterUpdates: Bool = false, allowsReload: Bool = false
    ) {
        (self.fleet, self.routing, self.accounts) = (fleet, routing, accounts)
        (self.filters, self.labels) = (filters, labels)
        self.bodyLimit = bodyLimit
        (self.allowsAdapterUpdates, self.allowsReload) = (allowsAdapterUpdates, allowsReload)
        admission = Admission(requestLimit: requestLimit)
    }

    func router() -> Router<GatewayContext> {
        let router = Router(context: GatewayContext.self, options: .autoGenerateHeadEndpoints)
        let allowed = AllowedMethods()
        router.add(middleware: RequestIdentity())
        if !origins.isEmpty { router.add(middleware: CrossOrigin(origins)) }
        router.add(middleware: ErrorForm(allowed: allowed))
        router.get("/healthz") { _, _ in Self.word("ok") }
        router.get("/health") { _, _ in Self.word("ok") }
        router.get("/readyz") { _, _ in
            fleet.whatIsMissing.map { Self.word($0, .serviceUnavailable) } ?? Self.word("ready")
        }
        router.get("/metrics") { _, _ in
            let text = metrics.text(
                of: fleet, running: admission.requests, filters: filters,
                faults: [("routes", routing.fault), ("labels", labels.fault), ("certificates", certificates?.fault)])
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: text)))
        }
        router.get("/v1/models") { request, _ in
            let account = try await caller(of: request)
            return try JSONResponse.make(models(for: account))
        }
        router.get("/v1/models/**") { request, context in
            let account = try await caller(of: request)
            let name = context.parameters.getCatchAll().joined(separator: "/")
            return try JSONResponse.make(model(name.removingPercentEncoding ?? name, for: account))
        }
        router.post("/v1/chat/completions") { try await answer($0, $1, chat) }
        router.post("/v1/completions") { try await answer($0, $1, complete) }
        router.post("/v1/responses") { try await answer($0, $1, respond) }
        router.post("/v1/embeddings") { try await answer($0, $1, embed) }
        router.post("/v1/images/generations") { try await answer($0, $1, draw) }
        router.post("/v1/moderations") { request, _ in
            try await inPlace(request) { data, _ in try await moderate(data) }
        }
        router.post("/v1/watermark/detect") { request, _ in
            try await inPlace(request) {
                try await detectWatermark($0, by: $1, until: Self.deadline(of: request))
            }
        }
        router.post("/tokenize") { request, _ in
            try await inPlace(request) { data, _ in try await tokenize(data, until: Self.deadline(of: request)) }
        }
        router.post("/detokenize") { request, _ in
            try await inPlace(request) { data, _ in try await detokenize(data, until: Self.deadline(of: request)) }
        }
        router.get("/v1/presets") { request, _ in
            _ = try await caller(of: request)
            return try JSONResponse.make(presets())
        }
        router.get("/v1/usage") { request, _ in try await usage(request) }
        router.post("/v1/feedback") { request, _ in
            try await inPlace(request) { try await takeFeedback($0, from: $1) }
        }
        addAdministration(to: router)
        addPage(to: router)
        addOpenAPI(to: router)
        allowed.learn(router.routes)
        return router
    }

    private func addAdministration(to router: Router<GatewayContext>) {
        // These are not given up half way when the client goes.
        router.post("/v1/load_lora_adapter") { request, _ in
            try await inPlace(request, by: .admin) { data, _ in try await loadAdapter(data) }
        }
        router.post("/v1/unload_lora_adapter") { request, _ in
            try await inPlace(request, by: .admin) { data, _ in try await unloadAdapter(data) }
        }
        router.post("/admin/models/:name/reload") { request, context in
            _ = try await caller(of: request, role: .admin)
            let name = try context.parameters.require("name")
            return try await reload(name.removingPercentEncoding ?? name)
        }
        router.post("/admin/route") { request, _ in
            try await inPlace(request, by: .admin) { data, _ in try explainRoute(data) }
        }
        router.get("/admin/status") { request, _ in
            _ = try await caller(of: request, role: .admin)
            return try JSONResponse.make(status())
        }
    }

    private static func word(_ text: String, _ status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: text + "\n")))
    }

    /// Text models first: clients that are told of no model take the first one.
    private func models(for account: Account?) -> ModelList {
        let allowed = fleet.models.values.filter { account?.allows(model: $0.name) ?? true }
        return ModelList(
            data: allowed.sorted { ($0.modality == "text" ? 0 : 1, $0.name) < ($1.modality == "text" ? 0 : 1, $1.name) }
                .map(ModelList.Model.init))
    }

    /// - Parameter name: a model's, an adapter's or an alias'.
    /// - Throws: `APIError` 404.
    private func model(_ name: String, for account: Account?) throws -> ModelList.Model {
        let models = fleet.models
        let known = models[name] ?? routing.current.aliases[name].flatMap { models[$0] }
        guard let known, account?.allows(model: known.name) ?? true else {
            guard fleet.isReady else { throw APIError.notReady }
            throw APIError.modelNotFound(
                name, known: models.keys.filter { account?.allows(model: $0) ?? true }.sorted())
        }
        var model = ModelList.Model(known)
        model.id = name
        return model
    }
}

/// Gives Hummingbird's own errors (no such route, wrong method) OpenAI's form.
private struct ErrorForm: RouterMiddleware {
    typealias Context = GatewayContext

    let allowed: AllowedMethods

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return error.response()
        } catch let error as HTTPError where error.status == .notFound {
            return noRoute(for: request)
        } catch let error as HTTPError {
            let type = error.status.code < 500 ? "invalid_request_error" : "server_error"
            let message = error.body ?? "\(request.method.rawValue) \(request.uri.path): \(error.status.reasonPhrase)"
            return APIError(status: error.status, message: message, type: type).response()
        } catch is CancellationError {
            // Whoever asked has closed its side; nginx's code, for whoever looks all the same.
            return APIError(
                status: .init(code: 499, reasonPhrase: "Client Closed Request"),
                message: "The client closed the connection before it had its answer.", type: "invalid_request_error"
            ).response()
        } catch {
            return APIError(status: .internalServerError, message: "Internal error.", type: "server_error").response()
        }
    }

    private func noRoute(for request: Request) -> Response {
        let what = "\(request.method.rawValue) \(request.uri.path.prefix(200))"
        guard let methods = allowed.header(for: request.uri.path) else {
            return APIError(
                status: .notFound, message: "\(what): there is no such route; /openapi.json has all of them.",
                type: "invalid_request_error"
            ).response()
        }
        var response = APIError(
            status: .methodNotAllowed, message: "\(what): this route takes \(methods).", type: "invalid_request_error"
        ).response()
        response.headers[.allow] = methods
        return response
    }
}
