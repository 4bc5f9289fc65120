import Hummingbird
import Messages
import Observability

/// Gives every answer `x-request-id` and `traceparent`, errors too, and the same to the calls that are made for it.
struct RequestIdentity: RouterMiddleware {
    typealias Context = GatewayContext

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let trace = RequestTrace(of: request)
        var response = try await RequestTrace.$current.withValue(trace) { try await next(request, context) }
        response.headers[own: FieldName.requestID] = trace.requestID
        response.headers[own: FieldName.traceparent] = trace.context.header
        if APIDialect(request) == .anthropic {
            response.headers[own: FieldName.anthropicRequestID] = trace.requestID
        }
        // Whatever it was: who asks for a head alone reads none.
        return request.method == .head ? response.createHeadResponse() : response
    }
}

extension RequestTrace {
    /// The trace of a request that says nothing about itself.
    static var new: RequestTrace {
        RequestTrace(requestID: "req_" + ServiceDescription.newInstanceID(), context: TraceContext())
    }

    /// By the headers that the client sent: ours for an identifier that is none.
    init(of request: Request) {
        let header = request.headers[own: FieldName.traceparent]
        self.init(
            requestID: Self.identifier(of: request) ?? "req_" + ServiceDescription.newInstanceID(),
            context: header.flatMap { TraceContext(header: $0) } ?? TraceContext())
    }

    /// A client's own identifier, as far as it is fit for headers and logs.
    private static func identifier(of request: Request) -> String? {
        guard let given = request.headers[own: FieldName.requestID],
            (1...128).contains(given.utf8.count),
            given.utf8.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
            })
        else { return nil }
        return given
    }
}
