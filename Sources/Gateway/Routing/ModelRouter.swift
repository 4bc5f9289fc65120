import Foundation
import Hummingbird
import Messages
import PromptRouting
import RPC

/// Chooses the model that answers a request.
struct ModelRouter: Sendable {
    let fleet: Fleet
    let routing: RoutingSource
    let filters: FilterSet
    let labels: LabelSource
    let rates: RateLimits

    /// Decides by the routing table, and answers with the first of the route's models that can take the request.
    ///
    /// - Parameters:
    ///   - tokens: how many tokens the answers will probably have.
    ///   - modalities: of models that `body` can do something with.
    ///   - tasks: what a text model has to do for `body`, one of them.
    ///   - body: throws before it has answered anything when its model cannot take the request.
    /// - Throws: `APIError`.
    func answer(
        _ request: RoutingRequest, preset: String?, tokens: Int = 0, modalities: Set<String>,
        tasks: Set<ModelTask> = [.generate], _ scope: RequestScope,
        _ body: (ModelDescription, RouteDecision, RequestScope) async throws -> Response
    ) async throws -> Response {
        let table = routing.current
        var request = request
        request.key = scope.caller?.account.name
        if let preset, table.presets[preset] == nil {
            throw APIError.invalidRequest(
                "There is no preset '\(preset.prefix(100))'; presets: \(table.presets.keys.sorted())",
                parameter: "preset")
        }
        let decision = table.decide(request, preset: preset, explains: false)
        try checkRate(of: decision)
        var scope = scope.limited(toMilliseconds: decision.limits.timeoutMilliseconds)
        scope.filter = try filters.filter(named: scope.caller?.account.filter ?? decision.filter)
        scope.labels = try labels.policy(named: decision.labels)
        if scope.labels.text.notice != nil { scope.speaksChinese = Language(of: request.text) == .zh }
        // Another model's embeddings cannot be compared with those that the client has.
        let targets = request.kind == .embedding ? Array(decision.targets.prefix(1)) : decision.targets
        for (index, target) in targets.enumerated() {
            let isLast = index == targets.count - 1
            do {
                let model = try fleet.model(target, modalities: modalities, tasks: tasks)
                try model.require(tasks)
                // A request that has another model to turn to does not wait for one without an instance.
                if !isLast, !fleet.isServed(model) { continue }
                // A preset may ask for less than what is known here.
                if decision.preset == nil {
                    let tokens = min(tokens, decision.limits.maxTokens ?? .max)
                    try fleet.refusals.check(model.name, left: scope.deadline - .now, tokens: tokens)
                }
                // A token is four letters or so; what was too much is given back when the answer has ended.
                try await scope.caller?.use(model.name, tokens: request.length / 4 + min(tokens, 1 << 30))
                scope.record.routed(decision.route, model: model.name)
                var response = try await body(model, decision, scope)
                if let route = decision.route {
                    response.headers[own: FieldName.route] = route.filter { $0.isASCII && !$0.isNewline }
                }
                return response
            } catch let error as APIError where !isLast && error.isElsewhereBetter {
                fleet.counters.countFallback()
            }
        }
        throw APIError.modelNotFound(request.model, known: fleet.models.keys.sorted())
    }

    private func checkRate(of decision: RouteDecision) throws {
        guard let route = decision.route, let limit = decision.limits.requestsPerMinute else { return }
        let answer = rates.take(1, from: "route \(route)", perMinute: Double(limit))
        guard !answer.isAllowed else { return }
        throw APIError(
            status: .tooManyRequests, message: "The route '\(route)' takes \(limit) requests a minute.",
            type: "rate_limit_error", code: "rate_limit_exceeded", retryAfter: answer.wait.wholeSeconds)
    }
}

extension Duration {
    /// Rounded up, at least 1: for `Retry-After`.
    var wholeSeconds: Int { max(1, Int((self / .seconds(1)).rounded(.up))) }
}

extension APIError {
    /// Whether another model may do what this one could not.
    fileprivate var isElsewhereBetter: Bool { status.code == 404 || status.code == 429 || status.code >= 500 }
}

extension Fleet {
    /// The revision of a model that a target means.
    ///
    /// - Throws: `APIError`.
    func model(
        _ target: RouteTarget, modalities: Set<String>, tasks: Set<ModelTask>
    ) throws -> ModelDescription {
        switch target.model {
        case .named(let name): return try model(name, modalities: modalities, revision: target.revision)
        case .anyText: return try any("text", modalities, tasks)
        case .anyImage: return try any("image", modalities, tasks)
        }
    }

    private func any(
        _ modality: String, _ modalities: Set<String>, _ tasks: Set<ModelTask>
    ) throws -> ModelDescription {
        let names = models.values.filter {
            $0.modality == modality && $0.parent == nil && !$0.isRetiring && $0.does(tasks)
        }.map(\.name)
        guard modalities.contains(modality), let name = names.min() else {
            guard isReady else { throw APIError.notReady }
            throw APIError(
                status: .notFound, message: "No \(modality) model is served here.", type: "invalid_request_error",
                parameter: "model", code: "model_not_found")
        }
        return try model(name, modalities: modalities)
    }

    /// Whether an instance has the model now.
    func isServed(_ model: ModelDescription) -> Bool {
        let client = model.modality == "text" ? textModel : diffusion
        return client?.readyInstances.contains { instance in
            instance.description.models.contains { $0.name == model.name && !$0.isRetiring }
        } ?? false
    }
}
