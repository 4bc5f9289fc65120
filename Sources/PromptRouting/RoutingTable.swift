/// The rules by which prompts are routed.
///
/// A request's model is looked up among the aliases; then the routes are asked in their order, and the first whose
/// conditions all hold takes it. Without one it goes to the model that it names.
package struct RoutingTable: Sendable {
    package internal(set) var aliases: [String: String] = [:]
    package internal(set) var presets: [String: Preset] = [:]
    package internal(set) var routes: [Route] = []
    var intents: [String: Intent] = [:]

    /// - Parameter preset: that the client asks for, if any.
    package func decide(_ request: RoutingRequest, preset: String? = nil) -> RouteDecision {
        var request = request
        var steps: [String] = []
        var preset = preset
        // `model+preset` is for clients that can say no more than a model.
        if preset == nil, let plus = request.model.lastIndex(of: "+") {
            let name = String(request.model[request.model.index(after: plus)...])
            if presets[name] != nil {
                preset = name
                request.model = String(request.model[..<plus])
                steps.append("model '\(request.model)' with preset '\(name)'")
            }
        }
        if let alias = aliases[request.model] {
            steps.append("alias: '\(request.model)' is '\(alias)'")
            request.model = alias
        }
        var decision = RouteDecision(targets: [RouteTarget(named: request.model)], preset: preset, steps: steps)
        guard
            let route = routes.first(where: { route in
                let failing = route.conditions.first { !$0.holds(for: request) }
                decision.steps.append("route '\(route.name)': \(failing.map { "no, not: \($0)" } ?? "yes")")
                return failing == nil
            })
        else {
            decision.steps.append("no route takes it: to the model that it names")
            return decision
        }
        for condition in route.conditions { decision.steps.append("  because \(condition)") }
        decision.route = route.name
        if let target = route.target(for: request) {
            decision.targets = [target]
            if route.targets.count > 1 {
                let total = route.targets.reduce(0) { $0 + $1.weight }
                let share = Int((target.weight / total * 100).rounded())
                decision.steps.append(
                    "  \(target) has \(share)% of it\(request.user == nil ? "" : ", and keeps this user")")
            }
        }
        decision.targets += route.fallbacks
        decision.preset = preset ?? route.preset
        (decision.filter, decision.limits) = (route.filter, route.limits)
        return decision
    }
}

/// What becomes of a request.
package struct RouteDecision: Sendable {
    /// The name of the route that took it; nil where none did.
    package var route: String?
    /// The first that can take it gets it; never empty.
    package var targets: [RouteTarget]
    package var preset: String?
    /// The name of a filter policy.
    package var filter: String?
    package var limits = RouteLimits()
    /// How it came to this, a line each; no user's text is in them.
    package var steps: [String]
}
