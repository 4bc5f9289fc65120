import Accounts
import Foundation
import Hummingbird
import NIOCore
import NIOHTTP1
import RPC

/// The way of every request that has a body: admitted, authenticated, read, handled, answered, and written down at its
/// end.
struct RequestPipeline: Sendable {
    let admission: Admission
    let keys: Authenticator
    let metrics: GatewayMetrics
    let clients: ConnectedClients
    let counters: CallCounters
    /// The largest body that is read, in bytes.
    let bodyLimit: Int
    /// What bodies may have; nil where fields that nobody knows are passed over.
    var knownFields: StrictFields?

    /// nginx's code for a client that went before it had its answer.
    private static let clientClosedRequest = 499

    /// - Parameter handler: makes the response from the body; an error that it throws ends the request.
    /// - Throws: what no `APIError` says; `ErrorForm` answers it.
    func run(
        _ kind: RequestKind, _ request: Request, _ context: GatewayContext,
        _ handler: @escaping @Sendable (Data, RequestScope) async throws -> Response
    ) async throws -> Response {
        let endpoint = Self.endpoint(of: request)
        let ticket: Admission.Ticket, scope: RequestScope
        do {
            ticket = try await admit(request)
            do { scope = try await RequestScope(request, kind, of: context, to: endpoint, keys) } catch {
                admission.leave(ticket)
                throw error
            }
        } catch {
            metrics.countRequest(endpoint, status: (error as? APIError)?.status.code ?? 500)
            throw error
        }
        do {
            let response = try await respond(kind, request, scope, handler)
            guard kind.isGeneration else {
                end(scope, ticket)
                return response
            }
            // An answer is made while it is written, and its client may go meanwhile.
            RequestEnd.then { wasWritten in
                if !wasWritten {
                    counters.countCancelled()
                    scope.record.failed(Self.clientClosedRequest)
                }
                end(scope, ticket)
            }
            return response
        } catch {
            end(scope, ticket)
            throw error
        }
    }

    /// Reads the body and hands it on. When the client of a generation goes away meanwhile, the work is cancelled.
    private func respond(
        _ kind: RequestKind, _ request: Request, _ scope: RequestScope,
        _ handler: @escaping @Sendable (Data, RequestScope) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            let body = try await Self.body(request.body, limit: bodyLimit)
            try knownFields?.check(body, at: scope.record.endpoint)
            response =
                kind.isGeneration
                ? try await clients.whilePresent(scope.channel) { try await handler(body, scope) }
                : try await handler(body, scope)
            if response.status.code >= 400 { scope.record.failed(response.status.code) }
        } catch let error as APIError {
            if kind.isGeneration, error.status == .tooManyRequests { counters.countRefused() }
            scope.record.failed(error.status.code)
            response = error.response(to: request)
        } catch is CancellationError {
            counters.countCancelled()
            scope.record.failed(Self.clientClosedRequest)
            throw CancellationError()
        } catch {
            scope.record.failed(HTTPResponse.Status.internalServerError.code)
            throw error
        }
        guard kind.isGeneration else { return response }
        scope.caller?.describe(in: &response.headers)
        if response.body.contentLength == nil {
            // A call that is made again in the midst of a stream belongs to the same request.
            let stream = response.body
            response.body = ResponseBody { writer in
                try await RequestTrace.$current.withValue(scope.trace) { try await stream.write(writer) }
            }
        }
        return response
    }

    /// Writes down what became of a request, and makes room for another one.
    private func end(_ scope: RequestScope, _ ticket: Admission.Ticket) {
        admission.leave(ticket)
        settle(scope)
    }

    /// Writes down what became of work, and bills it.
    func settle(_ scope: RequestScope) {
        metrics.count(scope.record)
        guard let caller = scope.caller, let accounts = keys.accounts else { return }
        let state = scope.record.snapshot
        caller.settle(state)
        // Incomplete answers are not recorded.
        guard scope.record.keepsText, !state.turns.isEmpty, !state.finishReasons.isEmpty else { return }
        Task {
            await accounts.record(
                Recording(
                    id: state.answerID, key: caller.account.id, model: state.model, turns: state.turns,
                    answer: state.answer, calls: state.calls, isCut: state.finishReasons.first == "length"))
        }
    }

    /// The path, as the API's documents name it, however many slashes the client wrote: clients add nothing to the metrics.
    private static func endpoint(of request: Request) -> String {
        let path = request.uri.path
        let slash = UInt8(ascii: "/"), bytes = path.utf8
        guard bytes.last == slash || zip(bytes, bytes.dropFirst()).contains(where: { $0 == slash && $1 == slash })
        else {
            return path
        }
        return "/" + path.split(separator: "/").joined(separator: "/")
    }

    /// - Throws: `APIError` when there is no room, or the body is too large.
    private func admit(_ request: Request) async throws -> Admission.Ticket {
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
