import Hummingbird

/// `GET /metrics`, in Prometheus' form.
struct MetricsRoute: RouteGroup {
    let fleet: Fleet
    let admission: Admission
    let metrics: GatewayMetrics
    let filters: FilterSet
    let faults: ConfigurationFaults

    func addRoutes(to router: Router<GatewayContext>) {
        router.get("/metrics") { _, _ in
            let text = metrics.text(of: fleet, running: admission.requests, filters: filters, faults: faults)
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: text)))
        }
    }
}
