import Hummingbird
import Synchronization

/// Which methods each path has, so that a wrong method has another answer than a path that is not there.
final class AllowedMethods: Sendable {
    private let routes = Mutex<[(path: [String], method: String)]>([])

    func record(_ added: [Router<GatewayContext>.RouteDescription]) {
        let recorded = added.map { (path: Self.parts(of: $0.path.description), method: $0.method.rawValue) }
        routes.withLock { $0 = recorded }
    }

    /// - Returns: for `Allow`; nil for a path that is not there.
    func header(for path: String) -> String? {
        let parts = Self.parts(of: path)
        let methods = routes.withLock { routes in
            routes.filter { route in
                route.path.count == parts.count
                    && zip(route.path, parts).allSatisfy { $0 == $1 || $0.hasPrefix("{") || $0.hasPrefix(":") }
            }.map(\.method)
        }
        if methods.isEmpty { return nil }
        return Set(methods.contains("GET") ? methods + ["HEAD"] : methods).sorted().joined(separator: ", ")
    }

    private static func parts(of path: String) -> [String] { path.split(separator: "/").map(String.init) }
}
