import Hummingbird
import PromptRouting

/// `GET /v1/presets`.
struct PresetsRoute: RouteGroup {
    let keys: Authenticator
    let routing: RoutingSource

    func addRoutes(to router: Router<GatewayContext>) {
        router.get("/v1/presets") { request, _ in
            _ = try await keys.account(of: request)
            return try JSONResponse.make(presets)
        }
    }

    private struct PresetList: Encodable {
        struct Item: Encodable {
            var id: String
            var object = "preset"
            var summary: String
            var languages: [String]
            var variables: [String: String]
        }

        var object = "list"
        var data: [Item]
    }

    private var presets: PresetList {
        PresetList(
            data: routing.current.presets.values.sorted { $0.name < $1.name }.map {
                .init(
                    id: $0.name, summary: $0.summary, languages: $0.languages.map(\.rawValue), variables: $0.variables)
            })
    }
}
