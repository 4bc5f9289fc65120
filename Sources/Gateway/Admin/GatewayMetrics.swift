import Messages
import Observability
import RPC
import Synchronization

/// What Prometheus reads at `/metrics`: vLLM's names where there are such, `nephele:` before the others.
struct GatewayMetrics: Sendable {
    /// vLLM's buckets, in seconds.
    static let firstToken = HistogramCounts(bounds: [
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160,
    ])
    static let betweenTokens = HistogramCounts(bounds: [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20,
    ])
    static let whole = HistogramCounts(bounds: [
        0.01, 0.05, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960,
    ])

    private let counts = RequestCounts()

    /// Counts a request that has ended.
    func count(_ record: RequestRecord) { counts.count(record) }

    /// Counts a request that no route took.
    func countRequest(_ endpoint: String, status: Int) { counts.countRequest(endpoint, status: status) }

    private func set(_ engine: EngineLoad, _ labels: MetricLabels, in now: MetricsRegistry) {
        for (name, value, help) in [
            ("vllm:num_requests_running", Double(engine.running), "Sequences that a text engine computes."),
            ("vllm:num_requests_waiting", Double(engine.waiting), "Sequences that wait for their turn."),
            ("vllm:kv_cache_usage_perc", engine.cacheUse, "Part of the cache that sequences hold, 0 to 1."),
        ] { now.set(name, labels, to: value, help: help) }
        for (name, value, help) in [
            ("vllm:prefix_cache_queries_total", engine.prefixQueries, "Tokens of prompts."),
            ("vllm:prefix_cache_hits_total", engine.prefixHits, "Those that were in the cache already."),
            ("vllm:num_preemptions_total", engine.preemptions, "Sequences that gave their pages to others."),
        ] { now.add(Double(value), to: name, labels, help: help) }
    }

    /// - Parameters:
    ///   - running: requests under way at this gateway.
    ///   - faults: of the files that are read again when they change.
    func text(of fleet: Fleet, running: Int, filters: FilterSet, faults: ConfigurationFaults) -> String {
        let now = MetricsRegistry()
        now.set("nephele:gateway_requests_running", to: Double(running), help: "Requests under way at this gateway.")
        for (file, fault) in faults.all {
            now.set(
                "nephele:configuration_fault", ["file": file], to: fault == nil ? 0 : 1,
                help: "Whether a file has an error, so that an older one is in force; /admin/status says which.")
        }
        for instance in fleet.instances {
            let names = instance.description.models.filter { !$0.isRetiring }.map(\.name).joined(separator: ",")
            let labels: MetricLabels = [
                "service": instance.description.service, "model_name": names, "instance": instance.address,
            ]
            let load = instance.load
            now.set(
                "nephele:instance_ready", labels, to: instance.state == .ready ? 1 : 0,
                help: "Whether an instance takes calls.")
            now.set(
                "nephele:calls_running", labels, to: Double(load.runningCalls), help: "Calls that an instance has.")
            if let engine = load.engine { set(engine, labels, in: now) }
            now.set(
                "nephele:outstanding_units", labels, to: Double(load.outstanding),
                help: "Tokens or denoising steps that an instance has to do.")
            now.set(
                "nephele:engine_steps", labels, to: Double(load.steps), help: "Steps of an engine since it started.")
        }
        for count in filters.counts {
            now.add(
                Double(count.count), to: "nephele:filter_verdicts_total",
                [
                    "policy": count.policy, "rule": count.rule, "action": count.action, "direction": count.direction,
                ], help: "Rules of filters that took effect.")
        }
        let counters = fleet.counters
        for (name, value, help) in [
            ("nephele:calls_migrated_total", counters.migrated, "Calls that went on elsewhere after a loss."),
            ("nephele:calls_given_up_total", counters.givenUp, "Calls that lost their instances again and again."),
            ("nephele:requests_cancelled_total", counters.cancelled, "Requests whose client went."),
            ("nephele:requests_refused_total", counters.refused, "Requests turned away at once."),
            ("nephele:requests_fallback_total", counters.fallbacks, "Requests that took a fallback of their route."),
        ] { now.add(Double(value), to: name, help: help) }
        counts.append(to: now)
        return now.text()
    }
}
