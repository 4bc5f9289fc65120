import Foundation
import Hummingbird
import PromptRouting

/// `POST /admin/route`: which rule would take a request, and why.
struct RoutingRoute: RouteGroup {
    let pipeline: RequestPipeline
    let routing: RoutingSource

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/admin/route") { request, context in
            try await pipeline.run(.operation(by: .admin), request, context) { data, _ in try explain(data) }
        }
    }

    private struct ExplainRequest: Decodable {
        var text: String
        var model: String?
        var kind: String?
        var user: String?
        var preset: String?
    }

    private struct ExplainResponse: Encodable {
        var route: String?
        var targets: [String]
        var preset: String?
        var filter: String?
        var labels: String?
        var steps: [String]
    }

    private func explain(_ data: Data) throws -> Response {
        let request = try JSONRequest.decode(ExplainRequest.self, from: data)
        guard let kind = RoutingRequest.Kind(rawValue: request.kind ?? "chat") else {
            throw APIError.invalidRequest(
                "'kind' is one of \(RoutingRequest.Kind.allCases.map(\.rawValue)).", parameter: "kind")
        }
        let decision = routing.current.decide(
            RoutingRequest(kind: kind, model: request.model ?? "auto", text: request.text, user: request.user),
            preset: request.preset)
        return try JSONResponse.make(
            ExplainResponse(
                route: decision.route, targets: decision.targets.map(\.description), preset: decision.preset?.name,
                filter: decision.filter, labels: decision.labels, steps: decision.steps))
    }
}
