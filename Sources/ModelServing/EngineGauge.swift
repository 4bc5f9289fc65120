package import Messages
package import RPC
internal import Synchronization

/// What a text engine says of itself in the load reports of its instance; several engines of one instance are added up.
package final class EngineGauge: Sendable {
    private let load = Mutex(EngineLoad())

    /// - Parameter gauge: the engine's own gauge, which holds this one.
    package init(_ gauge: LoadGauge) {
        gauge.amendReports { [self] report in
            var sum = load.withLock { $0 }
            if let others = report.engine { sum += others }
            report.engine = sum
        }
    }

    /// Replaces what the engine said before.
    package func set(_ load: EngineLoad) { self.load.withLock { $0 = load } }
}
