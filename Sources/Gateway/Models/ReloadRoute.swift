import Foundation
import Hummingbird

/// `POST /admin/models/NAME/reload`.
struct ReloadRoute: RouteGroup {
    let keys: Authenticator
    let fleet: Fleet
    /// Whether clients may have models reloaded.
    let isAllowed: Bool

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/admin/models/:name/reload") { request, context in
            _ = try await keys.account(of: request, role: .admin)
            let name = try context.parameters.require("name")
            return try await reload(name.removingPercentEncoding ?? name)
        }
    }

    private func reload(_ name: String) async throws -> Response {
        guard isAllowed else {
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
