import Accounts
import Foundation
import Hummingbird
import Messages

/// `GET /v1/models` and `/v1/models/NAME`; `DELETE` of those that jobs have made.
struct ModelsRoutes: RouteGroup {
    let keys: Authenticator
    let fleet: Fleet
    let routing: RoutingSource
    /// nil where nothing is kept.
    let fineTuned: FineTunedModels?

    func addRoutes(to router: Router<GatewayContext>) {
        router.get("/v1/models") { request, _ in
            let account = try await keys.account(of: request)
            let models = models(for: account)
            guard APIDialect(request) == .anthropic else { return try JSONResponse.make(models) }
            return try JSONResponse.make(try AnthropicModelList(models.data, AnthropicPage(request)))
        }
        router.get("/v1/models/**") { request, context in
            let account = try await keys.account(of: request)
            let name = context.parameters.getCatchAll().joined(separator: "/")
            let model = try model(name.removingPercentEncoding ?? name, for: account)
            return try APIDialect(request) == .anthropic
                ? JSONResponse.make(AnthropicModel(model)) : JSONResponse.make(model)
        }
        router.delete("/v1/models/**") { request, context in
            let account = try await keys.account(of: request)
            guard let fineTuned else { throw APIError.nothingKept("models") }
            let path = context.parameters.getCatchAll().joined(separator: "/")
            let name = path.removingPercentEncoding ?? path
            try await fineTuned.delete(name, of: account)
            return try JSONResponse.make(DeletionObject(id: name, object: "model"))
        }
    }

    /// Text models come first: clients that are configured without a model take the first one.
    private func models(for account: Account?) -> ModelList {
        let allowed = fleet.models.values.filter { account?.allows(model: $0.name) ?? true }
        return ModelList(
            data: allowed.sorted { ($0.modality == "text" ? 0 : 1, $0.name) < ($1.modality == "text" ? 0 : 1, $1.name) }
                .map(ModelList.Model.init))
    }

    /// - Parameter name: a model's, an adapter's or an alias'.
    /// - Throws: `APIError` 404.
    private func model(_ name: String, for account: Account?) throws -> ModelList.Model {
        let models = fleet.models
        let known = models[name] ?? routing.current.aliases[name].flatMap { models[$0] }
        guard let known, account?.allows(model: known.name) ?? true else {
            guard fleet.isReady else { throw APIError.notReady }
            throw APIError.modelNotFound(
                name, known: models.keys.filter { account?.allows(model: $0) ?? true }.sorted())
        }
        var model = ModelList.Model(known)
        model.id = name
        return model
    }
}

/// `GET /v1/models`.
struct ModelList: Encodable {
    struct Model: Encodable {
        var id: String
        var object = "model"
        var created: Int
        var owned_by = "nephele"
        /// The model that an adapter changes.
        var parent: String?
        var modality: String
        var revision: String
        var context_length: Int

        init(_ model: ModelDescription) {
            (id, created, parent) = (model.name, 0, model.parent)
            (modality, revision, context_length) = (model.modality, model.revision, model.contextLength)
        }
    }

    var object = "list"
    var data: [Model]
}
