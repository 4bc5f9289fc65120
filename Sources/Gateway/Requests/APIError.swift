import Foundation
import Hummingbird
import RPC

/// An error as OpenAI's clients read it: `{"error": {message, type, param, code}}` with an HTTP status.
struct APIError: Error, HTTPResponseError {
    struct Body: JSONWritable {
        struct Detail: Encodable, JSONWritable {
            var message: String
            var type: String
            var param: String?
            var code: String?

            func write(to json: inout JSONWriter) {
                json.object { json in
                    json.field("message", message)
                    json.field("type", type)
                    json.field("param", ifPresent: param)
                    json.field("code", ifPresent: code)
                }
            }
        }

        var error: Detail

        func write(to json: inout JSONWriter) { json.object { $0.field("error", error) } }
    }

    var status: HTTPResponse.Status
    var message: String
    var type: String
    var parameter: String?
    var code: String?
    /// Seconds after which another try makes sense.
    var retryAfter: Int?
    /// Whether the client's own library is asked not to try again.
    var isFinal = false
    /// Header fields beside those of the form: what is left of a key's limits.
    var headers = HTTPFields()

    /// OpenAI's clients do not try again at all when `Retry-After` is more than this many seconds.
    private static let longestRetryAfter = 120

    static func invalidRequest(_ message: String, parameter: String? = nil, code: String? = nil) -> APIError {
        APIError(
            status: .badRequest, message: message, type: "invalid_request_error", parameter: parameter, code: code)
    }

    static let notReady = APIError(
        status: .serviceUnavailable, message: "Not every service has an instance yet.", type: "server_error",
        code: "server_is_overloaded", retryAfter: 1)

    static func modelNotReady(_ model: String) -> APIError {
        APIError(
            status: .serviceUnavailable,
            message: "No instance serves the model '\(model.prefix(200))' yet; the services' log says what keeps it.",
            type: "server_error", parameter: "model", code: "model_not_ready", retryAfter: 5)
    }

    static func modelNotFound(_ model: String, known: [String]) -> APIError {
        APIError(
            status: .notFound, message: "The model '\(model.prefix(200))' does not exist here; models: \(known)",
            type: "invalid_request_error", parameter: "model", code: "model_not_found")
    }

    /// A service's error, in the client's terms.
    init(_ error: RPCError) {
        // A client chooses an adapter by its model's name.
        let parameter = error.field.isEmpty ? nil : error.field == "adapter" ? "model" : error.field
        let seconds = error.retryAfter.map(\.wholeSeconds)
        switch error.code {
        case .invalidArgument, .outOfRange, .unimplemented:
            let code = error.reason == "context_length_exceeded" ? error.reason : nil
            self = .invalidRequest(error.message, parameter: parameter, code: code)
        case .notFound:
            self.init(
                status: .notFound, message: error.message, type: "invalid_request_error", parameter: parameter,
                code: "model_not_found")
        case .resourceExhausted:
            self.init(
                status: .tooManyRequests, message: error.message, type: "rate_limit_error", code: "slow_down",
                retryAfter: seconds ?? 1)
        case .unavailable where error.reason == "revision_gone":
            self.init(status: .serviceUnavailable, message: error.message, type: "server_error", code: error.reason)
        case .unavailable, .failedPrecondition:
            self.init(
                status: .serviceUnavailable, message: error.message, type: "server_error",
                code: "server_is_overloaded", retryAfter: seconds ?? 1)
        case .internalError where error.reason == RPCError.lostTooOften.reason:
            self.init(status: .badGateway, message: error.message, type: "server_error", code: error.reason)
            isFinal = true
        case .deadlineExceeded:
            self.init(status: .gatewayTimeout, message: error.message, type: "server_error", code: "timeout")
            // The same request would end the same way.
            isFinal = true
        default:
            self.init(status: .internalServerError, message: error.message, type: "server_error")
        }
    }

    init(
        status: HTTPResponse.Status, message: String, type: String, parameter: String? = nil, code: String? = nil,
        retryAfter: Int? = nil
    ) {
        (self.status, self.message, self.type) = (status, message, type)
        (self.parameter, self.code, self.retryAfter) = (parameter, code, retryAfter)
    }

    var body: Body {
        Body(error: .init(message: message, type: type, param: parameter, code: code))
    }

    func response(from request: Request, context: some RequestContext) -> Response { response(to: request) }

    func response(in dialect: APIDialect) -> Response {
        var response = JSONResponse.make(json: json(in: dialect), status: status)
        for field in headers { response.headers.append(field) }
        if let retryAfter { response.headers[.retryAfter] = "\(min(retryAfter, Self.longestRetryAfter))" }
        if isFinal { response.headers[own: FieldName.shouldRetry] = "false" }
        return response
    }
}

/// JSON bodies.
enum JSONResponse {
    static func make(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        make(ByteBuffer(bytes: try encoded(value)), status: status)
    }

    static func make(_ value: some JSONWritable, status: HTTPResponse.Status = .ok) -> Response {
        make(json: JSONWriter(value).bytes, status: status)
    }

    static func make(json: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        make(ByteBuffer(bytes: json), status: status)
    }

    private static func make(_ json: ByteBuffer, status: HTTPResponse.Status) -> Response {
        Response(status: status, headers: [.contentType: "application/json"], body: .init(byteBuffer: json))
    }

    static func encoded(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }
}
