import Synchronization

/// Names and values of a metric's labels.
package struct MetricLabels: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    fileprivate let text: String

    package init() { text = "" }

    /// - Parameter elements: in the order in which they are shown; values may be any text.
    package init(dictionaryLiteral elements: (String, String)...) {
        text = elements.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
    }

    private static func escaped(_ value: String) -> String {
        var result = ""
        for character in value.unicodeScalars.prefix(200) {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    fileprivate func with(_ more: String = "") -> String {
        let all = [text, more].filter { !$0.isEmpty }.joined(separator: ",")
        return all.isEmpty ? "" : "{\(all)}"
    }
}

/// Counters, gauges and histograms by name and labels, written out in Prometheus' text form (version 0.0.4).
package final class MetricsRegistry: Sendable {
    private enum Value: Sendable {
        case counter(Double)
        case gauge(Double)
        case histogram(HistogramCounts)

        var type: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    private struct Family: Sendable {
        var help: String
        var series: [MetricLabels: Value] = [:]
    }

    private let families = Mutex<[String: Family]>([:])
    /// Label sets of one metric, at most: a client that makes up names must not fill the memory.
    private static let seriesLimit = 2_000

    package init() {}

    package func add(_ amount: Double = 1, to name: String, _ labels: MetricLabels = [:], help: String) {
        change(name, labels, help) { value in
            if case .counter(let old)? = value { value = .counter(old + amount) } else { value = .counter(amount) }
        }
    }

    package func set(_ name: String, _ labels: MetricLabels = [:], to amount: Double, help: String) {
        change(name, labels, help) { $0 = .gauge(amount) }
    }

    package func merge(_ counts: HistogramCounts, into name: String, _ labels: MetricLabels = [:], help: String) {
        change(name, labels, help) { value in
            if case .histogram(var old)? = value {
                old.merge(counts)
                value = .histogram(old)
            } else {
                value = .histogram(counts)
            }
        }
    }

    private func change(_ name: String, _ labels: MetricLabels, _ help: String, _ body: (inout Value?) -> Void) {
        families.withLock { families in
            if let family = families[name], family.series[labels] == nil, family.series.count >= Self.seriesLimit {
                return
            }
            body(&families[name, default: Family(help: help)].series[labels])
        }
    }

    /// All of it, by name.
    package func text() -> String {
        let families = families.withLock { $0 }
        var lines: [String] = []
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            guard let type = family.series.values.first?.type else { continue }
            lines.append("# HELP \(name) \(family.help)")
            lines.append("# TYPE \(name) \(type)")
            for (labels, value) in family.series.sorted(by: { $0.key.text < $1.key.text }) {
                lines += Self.lines(name, labels, value)
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lines(_ name: String, _ labels: MetricLabels, _ value: Value) -> [String] {
        switch value {
        case .counter(let number), .gauge(let number): return ["\(name)\(labels.with()) \(shown(number))"]
        case .histogram(let counts):
            var lines: [String] = []
            var below: UInt64 = 0
            for (bound, count) in zip(counts.bounds + [.infinity], counts.counts) {
                below += count
                let edge = bound.isInfinite ? "+Inf" : shown(bound)
                lines.append("\(name)_bucket\(labels.with("le=\"\(edge)\"")) \(below)")
            }
            return lines + [
                "\(name)_sum\(labels.with()) \(shown(counts.sum))", "\(name)_count\(labels.with()) \(below)",
            ]
        }
    }

    private static func shown(_ number: Double) -> String {
        number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
    }
}
