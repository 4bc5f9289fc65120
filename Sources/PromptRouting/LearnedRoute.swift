internal import ConfigurationFiles

/// Which adapter serves in a model's place: what rounds of learning have come to, beside the routes of the operator's files.
package struct LearnedRoute: Sendable, Codable, Equatable {
    /// What documents of it are called.
    package static let kind = "learned route"

    /// As requests name it.
    package var model: String
    /// What serves: the model itself, or an adapter of it.
    package var current: String
    /// What is tried on some users.
    package var candidate: String?
    /// The candidate's share of users, in 0...1.
    package var share: Double

    package init(model: String, current: String, candidate: String? = nil, share: Double = 0) {
        (self.model, self.current, self.candidate, self.share) = (model, current, candidate, share)
    }

    /// A user keeps their side as long as the share stays. Where an adapter is missing the model itself answers.
    fileprivate var route: Route {
        var targets = [RouteTarget(.named(current), weight: 1 - share)]
        if let candidate { targets.append(RouteTarget(.named(candidate), weight: share)) }
        return Route(
            name: "learned \(model)", conditions: [.model([Glob(model)]), .kind([.chat, .completion])],
            targets: targets,
            fallbacks: [RouteTarget(.named(model))], preset: nil, filter: nil, labels: nil, limits: RouteLimits())
    }
}

extension RoutingTable {
    /// The table with what was learned behind its own routes: those of the operator go first.
    package func adding(_ learned: [LearnedRoute]) -> RoutingTable {
        var table = self
        table.routes += learned.map(\.route)
        return table
    }
}
