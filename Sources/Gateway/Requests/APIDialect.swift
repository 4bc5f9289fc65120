import Hummingbird

/// Whose clients a route is for: an error has the form that they read.
enum APIDialect: Sendable {
    case openAI, anthropic

    /// - Parameter path: a request's, however many slashes the client wrote.
    init(path: String) {
        self = path.split(separator: "/").prefix(2) == ["v1", "messages"] ? .anthropic : .openAI
    }
}

extension APIError {
    func response(to request: Request) -> Response { response(in: APIDialect(path: request.uri.path)) }

    /// The error's body.
    func json(in dialect: APIDialect) -> [UInt8] {
        switch dialect {
        case .openAI: JSONWriter(body).bytes
        case .anthropic: JSONWriter(AnthropicError(self)).bytes
        }
    }
}

/// `{"type": "error", "error": {type, message}, "request_id"}`.
private struct AnthropicError: JSONWritable {
    let error: APIError

    init(_ error: APIError) { self.error = error }

    private var type: String {
        switch error.status.code {
        case 401: "authentication_error"
        case 402: "billing_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 400..<500: "invalid_request_error"
        case 503, 529: "overloaded_error"
        case 504: "timeout_error"
        default: "api_error"
        }
    }

    /// There is no other place for the field at fault.
    private var message: String {
        guard let field = error.parameter, !error.message.contains(field) else { return error.message }
        return "\(field): \(error.message)"
    }

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("type", "error")
            json.field("error") { json in
                json.object {
                    $0.field("type", type)
                    $0.field("message", message)
                }
            }
            json.field("request_id", orNull: RequestTrace.current?.requestID)
        }
    }
}
