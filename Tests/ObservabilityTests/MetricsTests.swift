import Observability
import Testing

@Suite struct MetricsTests {
    @Test func `Prometheus' text form has types, sorted series and cumulative buckets`() {
        let registry = MetricsRegistry()
        registry.add(to: "b_total", ["model": "m", "route": "a \"quoted\"\nname\\"], help: "Counted.")
        registry.add(2, to: "b_total", ["model": "m", "route": "a \"quoted\"\nname\\"], help: "Counted.")
        registry.set("a_ratio", to: 0.5, help: "Shown.")
        var counts = HistogramCounts(bounds: [0.1, 1])
        for value in [0.05, 0.1, 0.5, 7] { counts.observe(value) }
        registry.merge(counts, into: "c_seconds", ["model": "m"], help: "Measured.")
        registry.merge(counts, into: "c_seconds", ["model": "m"], help: "Measured.")
        #expect(
            registry.text() == #"""
                # HELP a_ratio Shown.
                # TYPE a_ratio gauge
                a_ratio 0.5
                # HELP b_total Counted.
                # TYPE b_total counter
                b_total{model="m",route="a \"quoted\"\nname\\"} 3
                # HELP c_seconds Measured.
                # TYPE c_seconds histogram
                c_seconds_bucket{model="m",le="0.1"} 4
                c_seconds_bucket{model="m",le="1"} 6
                c_seconds_bucket{model="m",le="+Inf"} 8
                c_seconds_sum{model="m"} 15.3
                c_seconds_count{model="m"} 8

                """#)
    }

    @Test func `made-up names do not fill the memory`() {
        let registry = MetricsRegistry()
        for number in 0..<5_000 { registry.add(to: "a_total", ["model": "\(number)"], help: "") }
        #expect(registry.text().split(separator: "\n").count == 2_002)
    }
}

@Suite struct TraceContextTests {
    @Test func `a client's trace goes on under a new span`() throws {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let context = try #require(TraceContext(header: header))
        #expect(context.header == header)
        let child = context.child()
        #expect(child.traceID == context.traceID && child.parentID != context.parentID && child.isSampled)
        #expect(TraceContext(header: child.header) == child)
        #expect(TraceContext(header: TraceContext().header) != nil)
    }

    @Test(arguments: [
        "", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
    ])
    func `what is no trace context is none`(_ header: String) { #expect(TraceContext(header: header) == nil) }
}
