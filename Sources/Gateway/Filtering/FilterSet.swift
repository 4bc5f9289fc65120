import ContentFilter
import Foundation

/// The filter policies of a gateway, by the names that routes call them by.
package struct FilterSet: Sendable {
    /// What holds where a route names none; nil for no filter.
    let standard: ContentFilter?
    private let named: [String: ContentFilter]
    /// Where `/v1/moderations` is answered from.
    let moderator: ContentFilter

    /// - Parameters:
    ///   - standard: `off`, `default` or the path of a policy in YAML, for every request whose route names no policy.
    ///   - policies: `NAME=PATH`, for routes to name. `off` and `default` are always there.
    /// - Throws: `FilterError` for a policy that is not as it should be.
    package init(standard: String = "default", policies: [String] = []) throws {
        let ours = try ContentFilter(.standard)
        var named = ["default": ours]
        for policy in policies {
            let parts = policy.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, !["off", "default"].contains(parts[0]) else {
                throw FilterError("a policy is given as NAME=PATH, with another name than off or default: '\(policy)'")
            }
            named[String(parts[0])] = try ContentFilter(try FilterPolicy(file: String(parts[1])))
        }
        self.standard =
            switch standard {
            case "off": nil
            case "default": ours
            default: try named[standard] ?? ContentFilter(try FilterPolicy(file: standard))
            }
        (self.named, moderator) = (named, ours)
    }

    /// - Throws: `APIError` for a name without a policy: nothing passes unfiltered because of a typing error.
    func filter(named name: String?) throws -> ContentFilter? {
        guard let name else { return standard }
        if name == "off" { return nil }
        guard let filter = named[name] else {
            throw APIError(
                status: .internalServerError,
                message: "The filter '\(name)' of the route or key is not among the gateway's policies.",
                type: "server_error", code: "filter_not_found")
        }
        return filter
    }

    /// How often each rule took effect, by policy.
    var counts: [StatusResponse.FilterCount] {
        var filters = named
        if let standard, standard.counters !== named["default"]?.counters { filters[standard.policy.name] = standard }
        return filters.flatMap { policy, filter in
            filter.counters.all.map { key, count in
                StatusResponse.FilterCount(
                    policy: policy, rule: key.rule, action: key.action.rawValue, direction: key.direction.rawValue,
                    count: count)
            }
        }
        .sorted { ($0.policy, $0.rule, $0.direction) < ($1.policy, $1.rule, $1.direction) }
    }
}
