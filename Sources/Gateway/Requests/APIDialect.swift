import Hummingbird

/// Whose clients a route is for: an error has the form that they read.
enum APIDialect: Sendable {
    case openAI, anthropic, ollama

    /// Of a request: routes that several kinds of clients have in common are answered as the client's headers say.
    init(_ request: Request) {
        let own = APIDialect(path: request.uri.path)
        let isShared = request.uri.path.split(separator: "/", maxSplits: 2).prefix(2) == ["v1", "models"]
        self = isShared && request.headers[own: FieldName.anthropicVersion] != nil ? .anthropic : own
    }

    /// - Parameter path: a request's, however many slashes the client wrote.
    init(path: String) {
        let parts = path.split(separator: "/", maxSplits: 2).prefix(2)
        self = parts == ["v1", "messages"] ? .anthropic : parts.first == "api" ? .ollama : .openAI
    }
}

extension APIError {
    func response(to request: Request) -> Response { response(in: APIDialect(request)) }

    /// The error's body.
    func json(in dialect: APIDialect) -> [UInt8] {
        switch dialect {
        case .openAI: JSONWriter(body).bytes
        case .anthropic: JSONWriter(AnthropicError(self)).bytes
        case .ollama: JSONWriter(WrittenJSON { json in json.object { $0.field("error", placedMessage) } }).bytes
        }
    }
}

extension APIError {
    /// The message, with the field at fault where it does not say it: for clients that have no other place for it.
    fileprivate var placedMessage: String {
        guard let parameter, !message.contains(parameter) else { return message }
        return "\(parameter): \(message)"
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

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("type", "error")
            json.field("error") { json in
                json.object {
                    $0.field("type", type)
                    $0.field("message", error.placedMessage)
                }
            }
            json.field("request_id", orNull: RequestTrace.current?.requestID)
        }
    }
}
