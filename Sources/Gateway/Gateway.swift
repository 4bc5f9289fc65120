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
    /// Whether clients may have models loaded again.
    let allowsReload: Bool
    let requests: RequestLimit

    /// - Parameter requestLimit: how many requests are under way at a time, at most.
    package init(
        fleet: Fleet, bodyLimit: Int = 4 << 20, requestLimit: Int = 2_048, allowsAdapterUpdates: Bool = false,
        allowsReload: Bool = false
    ) {
        requests = RequestLimit(requestLimit)
        self.fleet = fleet
        self.bodyLimit = bodyLimit
        self.allowsAdapterUpdates = allowsAdapterUpdates
        self.allowsReload = allowsReload
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
        router.get("/v1/models") { _, _ in try JSONResponse.make(models()) }
        router.post("/v1/chat/completions") { request, _ in try await answer(request, chat) }
        router.post("/v1/completions") { request, _ in try await answer(request, complete) }
        router.post("/v1/images/generations") { request, _ in try await answer(request, draw) }
        router.post("/tokenize") { request, _ in
            try await tokenize(Self.body(request.body, limit: bodyLimit), until: Self.deadline(of: request))
        }
        router.post("/detokenize") { request, _ in
            try await detokenize(Self.body(request.body, limit: bodyLimit), until: Self.deadline(of: request))
        }
        // These are not given up half way when the client goes.
        router.post("/v1/load_lora_adapter") { request, _ in
            try await loadAdapter(Self.body(request.body, limit: bodyLimit))
        }
        router.post("/v1/unload_lora_adapter") { request, _ in
            try await unloadAdapter(Self.body(request.body, limit: bodyLimit))
        }
        router.post("/admin/models/:name/reload") { _, context in try await reload(context.parameters.require("name")) }
        router.get("/admin/status") { _, _ in try JSONResponse.make(status()) }
        return router
    }

    /// Reads the body and hands it on. When the client goes away meanwhile, the work is cancelled; to see that,
    /// Hummingbird reads on from the connection, which can then carry no further request.
    private func answer(
        _ request: Request, _ handler: @escaping @Sendable (Data, ContinuousClock.Instant) async throws -> Response
    ) async throws -> Response {
        let limit = bodyLimit
        let place: RequestLimit.Place
        do { place = try requests.enter() } catch {
            fleet.counters.countRefused()
            throw error
        }
        let deadline = try Self.deadline(of: request)
        let counters = fleet.counters
        var response = try await request.body.consumeWithCancellationOnInboundClose { body in
            do {
                return try await handler(Self.body(body, limit: limit), deadline)
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
        let body = response.body
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            defer { withExtendedLifetime(place) {} }
            do { try await body.write(writer) } catch {
                // Nobody reads any more.
                counters.countCancelled()
                throw error
            }
        }
        return response
    }

    private static func body(_ body: RequestBody, limit: Int) async throws -> Data {
        do {
            return Data(try await body.collect(upTo: limit).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw APIError(
                status: .contentTooLarge, message: "The body is larger than \(limit) bytes.",
                type: "invalid_request_error", code: "request_too_large")
        }
    }

    private func models() -> ModelList {
        ModelList(
            data: fleet.models.values.sorted { $0.name < $1.name }.map {
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
