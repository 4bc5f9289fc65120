import Hummingbird

/// Reloading models.
extension Gateway {
    func reload(_ name: String) async throws -> Response {
        guard allowsReload else {
            throw APIError(
                status: .forbidden,
                message: "Models are not reloaded by request here: the gateway was started without --allow-reload.",
                type: "invalid_request_error", code: "reload_disabled")
        }
        let (answer, error) = try await fleet.reload(name)
        var response = try JSONResponse.make(answer, status: error?.status ?? .ok)
        if let seconds = error?.retryAfter { response.headers[.retryAfter] = "\(seconds)" }
        return response
    }
}
