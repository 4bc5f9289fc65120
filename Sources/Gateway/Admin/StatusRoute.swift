import Hummingbird
import Messages
import RPC

/// `GET /admin/status`.
struct StatusRoute: RouteGroup {
    let keys: Authenticator
    let fleet: Fleet
    let admission: Admission
    let filters: FilterSet
    let faults: ConfigurationFaults

    func addRoutes(to router: Router<GatewayContext>) {
        router.get("/admin/status") { request, _ in
            _ = try await keys.account(of: request, role: .admin)
            return try JSONResponse.make(status())
        }
    }

    private func status() -> StatusResponse {
        StatusResponse(
            requests: .init(
                running: admission.requests, cancelled: fleet.counters.cancelled,
                refused: fleet.counters.refused + admission.refused, migrated_calls: fleet.counters.migrated,
                given_up_calls: fleet.counters.givenUp), faults: faults,
            filter: filters.counts,
            instances: fleet.instances.map { instance in
                .init(
                    service: instance.description.service, address: instance.address, instance_id: instance.id,
                    models: instance.description.models.filter { !$0.isRetiring }.map { $0.name },
                    revision: instance.description.models.first?.revision ?? "",
                    retiring_revisions: instance.description.models.filter { $0.isRetiring && $0.parent == nil }
                        .map { $0.revision }, layers: instance.description.layerRange,
                    state: "\(instance.state)",
                    outstanding: instance.load.outstanding, running_calls: instance.load.runningCalls,
                    capacity: instance.load.capacity, waiting: instance.load.engine?.waiting,
                    cache_use: instance.load.engine?.cacheUse, steps: instance.load.steps,
                    cancelled_calls: instance.load.cancelledCalls)
            }
            .sorted { ($0.service, $0.address) < ($1.service, $1.address) })
    }
}

extension ServiceDescription {
    /// The first and the last layer.
    fileprivate var layerRange: String? {
        layers.isEmpty ? nil : "\(layers.lowerBound)-\(layers.upperBound - 1)"
    }
}
