import ContentFilter
import ContentLabels
import Hummingbird
import Messages
import Observability
import RPC

/// What belongs to one request on its way through the gateway.
struct RequestScope: Sendable {
    /// `x-request-id`: the client's, if it is one, or ours.
    let id: String
    var deadline: ContinuousClock.Instant
    let trace: RequestTrace
    let record: RequestRecord
    /// nil where the gateway has no accounts.
    let caller: Caller?
    /// The policy that the route or the gateway sets; nil for none.
    var filter: ContentFilter?
    /// Which labels the answer carries: the route's, or the gateway's.
    var labels = LabelPolicy.standard
    /// Whether the user wrote in Chinese.
    var speaksChinese = false

    /// - Throws: `APIError` for a header that is not what it should be, and for a client that may not come in.
    init(_ request: Request, accounts: AccountKeeper?) async throws {
        deadline = try Gateway.deadline(of: request)
        id = Self.identifier(of: request) ?? "req_" + ServiceDescription.newInstanceID()
        let header = request.headers[own: FieldName.traceparent]
        trace = RequestTrace(requestID: id, context: header.flatMap { TraceContext(header: $0) } ?? TraceContext())
        record = RequestRecord(endpoint: request.uri.path, keepsText: accounts?.isRecording ?? false)
        caller = if let accounts { try await Caller(request, accounts) } else { nil }
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

    /// The same request with no more time than a route allows.
    func limited(toMilliseconds limit: Int?) -> RequestScope {
        var scope = self
        if let limit { scope.deadline = min(deadline, .now + .milliseconds(limit)) }
        return scope
    }
}
