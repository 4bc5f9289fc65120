import Accounts
import Foundation
package import Hummingbird
import Messages
import NIOCore
import RPC

/// OpenAI's HTTP API over the fleet: the only process that faces users.
package struct Gateway: Sendable {
    let fleet: Fleet
    /// The largest body that is read, in bytes.
    private let bodyLimit: Int
    /// Whether clients may load and unload adapters.
    let allowsAdapterUpdates: Bool
    /// Whether clients may have models reloaded.
    let allowsReload: Bool
    let admission: Admission
    let routing: RoutingSource
    let rates = RateLimits()
    /// nil: everybody may come in.
    let accounts: AccountKeeper?

    /// - Parameter requestLimit: how many requests are under way at a time, at most.
    package init(
        fleet: Fleet, routing: RoutingSource, accounts: AccountKeeper? = nil, bodyLimit: Int = 4 << 20,
        requestLimit: Int = 2_048,
        allowsAdapterUpdates: Bool = false, allowsReload: Bool = false
    ) {
        (self.fleet, self.routing, self.accounts) = (fleet, routing, accounts)
        self.bodyLimit = bodyLimit
        (self.allowsAdapterUpdates, self.allowsReload) = (allowsAdapterUpdates, allowsReload)
        admission = Admission(requestLimit: requestLimit)
    }

    package func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: ErrorForm())
        router.get("/healthz") { _, _ in Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: "ok\n"))) }
        router.get("/readyz") { _, _ in
            let ready = fleet.isReady
            return Response(
                status: ready ? .ok : .serviceUnavailable,
                body: .init(byteBuffer: ByteBuffer(string: ready ? "ready\n" : "some service has no instance yet\n")))
        }
        router.get("/v1/models") { request, _ in
            let account = try await caller(of: request)
            return try JSONResponse.make(models(for: account))
        }
        router.post("/v1/chat/completions") { request, _ in try await answer(request, chat) }
        router.post("/v1/completions") { request, _ in try await answer(request, complete) }
        router.post("/v1/images/generations") { request, _ in try await answer(request, draw) }
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
        return router
    }

    private func addAdministration(to router: Router<BasicRequestContext>) {
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

    /// Reads the body and hands it on. When the client goes away meanwhile, the work is cancelled; to see that,
    /// Hummingbird reads on from the connection, which can then carry no further request.
    private func answer(
        _ request: Request, _ handler: @escaping @Sendable (Data, RequestScope) async throws -> Response
    ) async throws -> Response {
        let limit = bodyLimit
        let place = try place(for: request)
        let scope = try await RequestScope(request, accounts: accounts)
        let counters = fleet.counters
        let ending = RequestEnding(scope, accounts)
        var response = try await request.body.consumeWithCancellationOnInboundClose { body in
            do {
                return try await handler(Self.body(body, limit: limit), scope)
            } catch let error as APIError {
                if Task.isCancelled {
                    counters.countCancelled()
                } else if error.status == .tooManyRequests {
                    counters.countRefused()
                }
                return try error.response()
            }
        }
        response.headers[.connection] = "close"
        if let name = HTTPFields.Element.Name("x-request-id") { response.headers[name] = scope.id }
        scope.caller?.describe(in: &response.headers)
        // A stream takes its place up until it ends.
        let body = response.body
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            defer { withExtendedLifetime((place, ending)) {} }
            do { try await body.write(writer) } catch {
                // Nobody reads any more.
                counters.countCancelled()
                throw error
            }
        }
        return response
    }

    /// Reads the body and hands it on, as far as there is a place for the request.
    private func inPlace(
        _ request: Request, by role: Account.Role = .user, _ handler: (Data, Account?) async throws -> Response
    ) async throws -> Response {
        let place = try place(for: request)
        defer { withExtendedLifetime(place) {} }
        let account = try await caller(of: request, role: role)
        return try await handler(Self.body(request.body, limit: bodyLimit), account)
    }

    /// - Throws: `APIError` when there is none, or the body is too large.
    private func place(for request: Request) throws -> Admission.Place {
        let announced = request.headers[.contentLength].flatMap { Int($0) }
        if let announced, announced > bodyLimit { throw Self.tooLarge(limit: bodyLimit) }
        return try admission.enter(bytes: max(0, announced ?? bodyLimit))
    }

    private static func tooLarge(limit: Int) -> APIError {
        APIError(
            status: .contentTooLarge, message: "The body is larger than \(limit) bytes.",
            type: "invalid_request_error", code: "request_too_large")
    }

    private static func body(_ body: RequestBody, limit: Int) async throws -> Data {
        do {
            return Data(try await body.collect(upTo: limit).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw tooLarge(limit: limit)
        }
    }

    private func models(for account: Account?) -> ModelList {
        let allowed = fleet.models.values.filter { account?.allows(model: $0.name) ?? true }
        return ModelList(
            data: allowed.sorted { $0.name < $1.name }.map {
                .init(
                    id: $0.name, created: 0, parent: $0.parent, modality: $0.modality, revision: $0.revision,
                    context_length: $0.contextLength)
            })
    }
}

/// Gives Hummingbird's own errors (no such route, wrong method) OpenAI's form.
private struct ErrorForm: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return try error.response(from: request, context: context)
        } catch let error as HTTPError {
            let type = error.status.code < 500 ? "invalid_request_error" : "server_error"
            let message = error.body ?? "\(request.method.rawValue) \(request.uri.path): \(error.status.reasonPhrase)"
            return try APIError(status: error.status, message: message, type: type)
                .response(from: request, context: context)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            return try APIError(status: .internalServerError, message: "Internal error.", type: "server_error")
                .response(from: request, context: context)
        }
    }
}
