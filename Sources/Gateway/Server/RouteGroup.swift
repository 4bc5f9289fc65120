import Hummingbird

/// The routes of one part of the API, with no more than they need.
protocol RouteGroup: Sendable {
    func addRoutes(to router: Router<GatewayContext>)
}
