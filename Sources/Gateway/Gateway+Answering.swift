import Accounts
import Foundation
import Hummingbird
import NIOCore
import NIOHTTP1
import RPC

/// How requests are taken on and answered.
extension Gateway {
    /// Reads the body and hands it on. When the client goes away meanwhile, the work is cancelled.
    func answer(
        _ request: Request, _ context: GatewayContext,
        _ handler: @escaping @Sendable (Data, RequestScope) async throws -> Response
    ) async throws -> Response {
        let endpoint = Self.endpoint(of: request)
        let (place, scope): (Admission.Place, RequestScope)
        do {
            place = try await self.place(for: request)
            scope = try await RequestScope(request, on: context.channel, to: endpoint, accounts: accounts)
        } catch let error as APIError {
            metrics.countRequest(endpoint, status: error.status.code)
            throw error
        }
        let ending = RequestEnding(scope, accounts, metrics)
        let counters = fleet.counters
        var response: Response
        do {
            let body = try await Self.body(request.body, limit: bodyLimit)
            response = try await clients.whilePresent(context.channel) { try await handler(body, scope) }
        } catch let error as APIError {
            if error.status == .tooManyRequests { counters.countRefused() }
            scope.record.failed(error.status.code)
            response = error.response()
        } catch is CancellationError {
            counters.countCancelled()
            scope.record.failed(Self.clientClosedRequest)
            throw CancellationError()
        } catch {
            // `ErrorForm` answers it.
            scope.record.failed(HTTPResponse.Status.internalServerError.code)
            throw error
        }
        scope.caller?.describe(in: &response.headers)
        // A stream takes its place up until it ends.
        let inner = response.body
        response.body = ResponseBody(contentLength: inner.contentLength) { writer in
            defer { withExtendedLifetime((place, ending)) {} }
            // A call that is made again in the midst of a stream belongs to the same request.
            do { try await RequestTrace.$current.withValue(scope.trace) { try await inner.write(writer) } } catch {
                // Nobody reads any more.
                counters.countCancelled()
                scope.record.failed(Self.clientClosedRequest)
                throw error
            }
        }
        return response
    }

    /// nginx's code for a client that went before it had its answer.
    private static let clientClosedRequest = 499

    /// Reads the body and hands it on, as far as there is a place for the request.
    func inPlace(
        _ request: Request, by role: Account.Role = .user, _ handler: (Data, Account?) async throws -> Response
    ) async throws -> Response {
        let endpoint = Self.endpoint(of: request)
        do {
            let place = try await place(for: request)
            defer { withExtendedLifetime(place) {} }
            let account: Account?
            if role == .user, let accounts {
                account = try await Caller(request, accounts).account
            } else {
                account = try await caller(of: request, role: role)
            }
            let response = try await handler(Self.body(request.body, limit: bodyLimit), account)
            metrics.countRequest(endpoint, status: response.status.code)
            return response
        } catch {
            metrics.countRequest(endpoint, status: (error as? APIError)?.status.code ?? 500)
            throw error
        }
    }

    /// The path, as the API's documents name it, however many slashes the client wrote: nobody may add to the metrics.
    private static func endpoint(of request: Request) -> String {
        let path = request.uri.path
        let slash = UInt8(ascii: "/"), bytes = path.utf8
        guard bytes.last == slash || zip(bytes, bytes.dropFirst()).contains(where: { $0 == slash && $1 == slash })
        else {
            return path
        }
        return "/" + path.split(separator: "/").joined(separator: "/")
    }

    /// - Throws: `APIError` when there is none, or the body is too large.
    private func place(for request: Request) async throws -> Admission.Place {
        if let encoding = request.headers[.contentEncoding], !encoding.isEmpty, encoding.lowercased() != "identity" {
            throw APIError(
                status: .unsupportedMediaType,
                message: "The body is compressed (Content-Encoding: \(encoding.prefix(40))); send it as it is.",
                type: "invalid_request_error", parameter: "Content-Encoding", code: "unsupported_content_encoding")
        }
        let announced = request.headers[.contentLength].flatMap { Int($0) }
        if let announced, announced > bodyLimit {
            // Most clients look for an answer when they have sent all, and the server reads no further where it is to close.
            if request.headers[.connection] == "close", announced <= 16 * bodyLimit {
                for try await _ in request.body {}
            }
            throw Self.tooLarge(limit: bodyLimit)
        }
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
        } catch let error as HTTPParserError {
            throw APIError(error)
        }
    }
}
