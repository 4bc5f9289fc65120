import Observability
import Synchronization

/// What has become of requests, counted by what Prometheus calls labels.
final class RequestCounts: Sendable {
    fileprivate struct Outcome: Hashable {
        var endpoint: String
        var route: String
        var status: Int
    }

    fileprivate struct Series: Hashable {
        var model: String
        var route: String
    }

    fileprivate struct Totals {
        /// By why an answer has ended.
        var finished: [String: Int] = [:]
        var promptTokens = 0
        var completionTokens = 0
        var pictures = 0
        var firstToken = GatewayMetrics.firstToken
        var betweenTokens = GatewayMetrics.betweenTokens
        var whole = GatewayMetrics.whole
    }

    fileprivate struct State {
        var outcomes: [Outcome: Int] = [:]
        var totals: [Series: Totals] = [:]
    }

    private let state = Mutex(State())
    /// Outcomes and series, at most, of each: a client that makes up names must not fill the memory.
    fileprivate static let limit = 2_000

    /// Counts a request that no route took.
    func countRequest(_ endpoint: String, status: Int) {
        state.withLock { $0.count(Outcome(endpoint: endpoint, route: "", status: status)) }
    }

    /// Counts a request that has ended.
    func count(_ record: RequestRecord) {
        let request = record.snapshot
        let time = (ContinuousClock.now - request.started) / .seconds(1)
        let series = Series(model: request.model, route: request.route)
        state.withLock { state in
            state.count(Outcome(endpoint: record.endpoint, route: request.route, status: request.failure ?? 200))
            guard !request.model.isEmpty, state.totals[series] != nil || state.totals.count < Self.limit else { return }
            state.totals[series, default: Totals()].add(request, time: time)
        }
    }

    /// Puts the counts into a registry, under vLLM's names where there are such.
    func append(to registry: MetricsRegistry) {
        let state = state.withLock { $0 }
        for (outcome, count) in state.outcomes {
            registry.add(
                Double(count), to: "nephele:http_requests_total",
                ["endpoint": outcome.endpoint, "route": outcome.route, "status": "\(outcome.status)"],
                help: "Requests, by what became of them.")
        }
        for (series, totals) in state.totals { totals.append(to: registry, model: series.model, route: series.route) }
    }
}

extension RequestCounts.State {
    fileprivate mutating func count(_ outcome: RequestCounts.Outcome) {
        if outcomes[outcome] != nil || outcomes.count < RequestCounts.limit { outcomes[outcome, default: 0] += 1 }
    }
}

extension RequestCounts.Totals {
    fileprivate mutating func add(_ request: RequestRecord.State, time: Double) {
        for reason in request.finishReasons { finished[reason, default: 0] += 1 }
        promptTokens += request.promptTokens
        completionTokens += request.completionTokens
        pictures += request.pictures
        if let first = request.firstToken {
            firstToken.observe((first - request.started) / .seconds(1))
            betweenTokens.merge(request.gaps)
        }
        whole.observe(time)
    }

    fileprivate func append(to registry: MetricsRegistry, model: String, route: String) {
        let labels: MetricLabels = ["model_name": model, "route": route]
        for (reason, count) in finished {
            registry.add(
                Double(count), to: "vllm:request_success_total",
                ["model_name": model, "route": route, "finished_reason": reason],
                help: "Answers that have ended, by why.")
        }
        registry.add(Double(promptTokens), to: "vllm:prompt_tokens_total", labels, help: "Tokens of prompts.")
        registry.add(Double(completionTokens), to: "vllm:generation_tokens_total", labels, help: "Tokens of answers.")
        if pictures > 0 {
            registry.add(Double(pictures), to: "nephele:pictures_total", labels, help: "Pictures drawn.")
        }
        if firstToken.count > 0 {
            registry.merge(
                firstToken, into: "vllm:time_to_first_token_seconds", labels,
                help: "From a request to its first token.")
            registry.merge(
                betweenTokens, into: "vllm:inter_token_latency_seconds", labels, help: "From one token to the next.")
        }
        registry.merge(
            whole, into: "vllm:e2e_request_latency_seconds", labels, help: "From a request to the end of its answer.")
    }
}
