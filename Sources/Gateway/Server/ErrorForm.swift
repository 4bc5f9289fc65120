import Hummingbird

/// Gives Hummingbird's own errors (no such route, wrong method) the form that the route's clients read.
struct ErrorForm: RouterMiddleware {
    typealias Context = GatewayContext

    let allowed: AllowedMethods

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return error.response(to: request)
        } catch let error as HTTPError where error.status == .notFound {
            return noRoute(for: request)
        } catch let error as HTTPError {
            let type = error.status.code < 500 ? "invalid_request_error" : "server_error"
            let message = error.body ?? "\(request.method.rawValue) \(request.uri.path): \(error.status.reasonPhrase)"
            return APIError(status: error.status, message: message, type: type).response(to: request)
        } catch is CancellationError {
            // The client has closed its side; nginx's code for that, in case something reads it all the same.
            return APIError(
                status: .init(code: 499, reasonPhrase: "Client Closed Request"),
                message: "The client closed the connection before it had its answer.", type: "invalid_request_error"
            ).response(to: request)
        } catch {
            return APIError(status: .internalServerError, message: "Internal error.", type: "server_error").response(
                to: request)
        }
    }

    private func noRoute(for request: Request) -> Response {
        let what = "\(request.method.rawValue) \(request.uri.path.prefix(200))"
        guard let methods = allowed.header(for: request.uri.path) else {
            return APIError(
                status: .notFound, message: "\(what): there is no such route; /openapi.json has all of them.",
                type: "invalid_request_error"
            ).response(to: request)
        }
        var response = APIError(
            status: .methodNotAllowed, message: "\(what): this route takes \(methods).", type: "invalid_request_error"
        ).response(to: request)
        response.headers[.allow] = methods
        return response
    }
}
