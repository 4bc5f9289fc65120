import Foundation
import Hummingbird
import Messages

/// `GET /api/tags`, `/api/ps`, `/api/version` and `POST /api/show`: the models, as Ollama's clients look for them.
struct OllamaModels: RouteGroup {
    let pipeline: RequestPipeline
    let keys: Authenticator
    let fleet: Fleet
    let routing: RoutingSource
    let forms: ChatForms

    /// Of Ollama, whose routes these are: clients look whether it is new enough for them.
    private static let version = "0.13.0"

    func addRoutes(to router: Router<GatewayContext>) {
        for path in ["/api/tags", "/api/ps"] as [RouterPath] {
            router.get(path) { request, _ in
                let account = try await keys.account(of: request)
                let models = fleet.models.values.filter { account?.allows(model: $0.name) ?? true }
                let sorted = models.filter { $0.modality == "text" }.sorted { $0.name < $1.name }
                return JSONResponse.make(
                    WrittenJSON { json in json.object { $0.field("models") { $0.array(sorted) { write($1, to: &$0) } } }
                    })
            }
        }
        router.get("/api/version") { _, _ in
            JSONResponse.make(WrittenJSON { json in json.object { $0.field("version", Self.version) } })
        }
        router.post("/api/show") { request, context in
            try await pipeline.run(.query, request, context) { data, scope in try await show(data, scope) }
        }
    }

    private func write(_ model: ModelDescription, to json: inout JSONWriter) {
        json.object { json in
            json.field("name", model.name)
            json.field("model", model.name)
            json.field("modified_at", Date(timeIntervalSince1970: 0).ISO8601Format())
            // The files are the services' own.
            json.field("size", 0)
            json.field("digest", model.revision)
            json.field("details") { details(of: model, to: &$0) }
            json.field("context_length", model.contextLength)
        }
    }

    private func details(of model: ModelDescription, to json: inout JSONWriter) {
        json.object {
            $0.field("parent_model", model.parent ?? "")
            $0.field("format", "")
            $0.field("family", "")
            $0.field("families") { $0.array([Never]()) { _, _ in } }
            $0.field("parameter_size", "")
            $0.field("quantization_level", "")
        }
    }

    private struct ShowRequest: Decodable {
        var model: String?
        /// What older clients call it.
        var name: String?
    }

    private func show(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(ShowRequest.self, from: data, refusing: .ollamaShow)
        guard let name = request.model ?? request.name else {
            throw APIError.invalidRequest("'model' is required.", parameter: "model")
        }
        let model = try fleet.textModel(fleet.ollamaName(name), aliases: routing.current.aliases)
        guard scope.caller?.account.allows(model: model.name) ?? true else {
            throw APIError.modelNotFound(name, known: [])
        }
        let form = model.does(.generate) ? try await forms.form(of: model, until: scope.deadline) : nil
        var capabilities = model.does(.generate) ? ["completion", "tools"] : []
        if form?.reasoning != nil { capabilities.append("thinking") }
        if model.does(.embed) { capabilities.append("embedding") }
        return JSONResponse.make(
            WrittenJSON { [capabilities] json in
                json.object { json in
                    json.field("modelfile", "")
                    json.field("parameters", "")
                    json.field("template", form?.source ?? "")
                    json.field("details") { details(of: model, to: &$0) }
                    json.field("model_info") { json in
                        json.object {
                            $0.field("general.architecture", "nephele")
                            $0.field("nephele.context_length", model.contextLength)
                        }
                    }
                    json.field("capabilities") { $0.array(capabilities) { $0.string($1) } }
                    json.field("modified_at", Date(timeIntervalSince1970: 0).ISO8601Format())
                }
            })
    }
}
