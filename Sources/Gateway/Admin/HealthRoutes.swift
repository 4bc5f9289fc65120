import Hummingbird

/// `GET /healthz`, `/health` and `/readyz`: whether the gateway runs, and whether it can answer.
struct HealthRoutes: RouteGroup {
    let fleet: Fleet

    func addRoutes(to router: Router<GatewayContext>) {
        router.get("/healthz") { _, _ in Self.word("ok") }
        router.get("/health") { _, _ in Self.word("ok") }
        router.get("/readyz") { _, _ in
            fleet.whatIsMissing.map { Self.word($0, .serviceUnavailable) } ?? Self.word("ready")
        }
    }

    private static func word(_ text: String, _ status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: text + "\n")))
    }
}
