/// The rules by which prompts are routed.
///
/// A request's model is looked up among the aliases; then the routes are asked in their order, and the first whose
/// conditions all hold takes it: its filter and limits apply. Where that names no model, the next one that holds and names
/// one does, or else the request itself.
package struct RoutingTable: Sendable {
    package internal(set) var aliases: [String: String] = [:]
    package internal(set) var presets: [String: Preset] = [:]
    package internal(set) var routes: [Route] = []
    var intents: [String: Intent] = [:]
    /// The files that it was read from.
    package internal(set) var files: [String] = []

    /// - Parameters:
    ///   - preset: that the client asks for, if any.
    ///   - explains: whether the decision says how it came about.
    package func decide(
        _ request: RoutingRequest, preset: String? = nil, explains: Bool = true
    ) -> RouteDecision {
        var request = request
        var steps: [String] = []
        func tell(_ step: @autoclosure () -> String) { if explains { steps.append(step()) } }
        var preset = preset
        // `model+preset` is for clients that can say no more than a model.
        if preset == nil, let plus = request.model.lastIndex(of: "+") {
            let name = String(request.model[request.model.index(after: plus)...])
            if presets[name] != nil {
                preset = name
                request.model = String(request.model[..<plus])
                tell("model '\(request.model)' with preset '\(name)'")
            }
        }
        if let alias = aliases[request.model] {
            tell("alias: '\(request.model)' is '\(alias)'")
            request.model = alias
        }
        var decision = RouteDecision(
            targets: [RouteTarget(named: request.model)], preset: preset.flatMap { presets[$0] })
        var hasTarget = false
        for route in routes {
            let failing = route.conditions.first { !$0.holds(for: request) }
            tell("route '\(route.name)': \(failing.map { "no, not: \($0)" } ?? "yes")")
            guard failing == nil else { continue }
            for condition in route.conditions { tell("  because \(condition)") }
            // The first that holds sets what it says; one that names no model leaves that to those after it.
            if decision.route == nil {
                decision.route = route.name
                (decision.filter, decision.labels, decision.limits) = (route.filter, route.labels, route.limits)
            }
            decision.preset = decision.preset ?? route.preset.flatMap { presets[$0] }
            if let target = route.target(for: request) {
                decision.targets = [target] + route.fallbacks
                if explains { steps += share(of: target, in: route, for: request) }
                hasTarget = true
                break
            }
        }
        if !hasTarget { tell("no route names a model: to the one that the request names") }
        decision.steps = steps
        return decision
    }

    private func share(of target: RouteTarget, in route: Route, for request: RoutingRequest) -> [String] {
        guard route.targets.count > 1 else { return [] }
        let total = route.targets.reduce(0) { $0 + $1.weight }
        let share = Int((target.weight / total * 100).rounded())
        return ["  \(target) has \(share)% of it\(request.user == nil ? "" : ", and keeps this user")"]
    }
}

/// What becomes of a request.
package struct RouteDecision: Sendable {
    /// The name of the route that took it; nil where none did.
    package var route: String?
    /// The first that can take it gets it; never empty.
    package var targets: [RouteTarget]
    package var preset: Preset?
    /// The name of a filter policy.
    package var filter: String?
    /// The name of a policy of labels.
    package var labels: String?
    package var limits = RouteLimits()
    /// How it came to this, a line each; no user's text is in them.
    package var steps: [String] = []
}
