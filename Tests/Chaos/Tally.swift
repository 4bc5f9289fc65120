import Console
import Foundation
import GatewayClient
import Synchronization

/// What became of all requests.
final class Tally: Sendable {
    struct Result: Sendable {
        struct Row: Sendable {
            var requests = 0
            var failures = 0
            var different = 0
            var longestPause: Duration = .zero
        }

        var rows: [String: Row] = [:]
        var failures: [String] = []
        /// What was done to the system.
        var events: [String: Int] = [:]

        var requests: Int { rows.values.reduce(0) { $0 + $1.requests } }
        var different: Int { rows.values.reduce(0) { $0 + $1.different } }
        var eventCount: Int { events.values.reduce(0, +) }

        /// - Parameter name: of the case.
        func table(_ name: String) -> String {
            var table = Table([name, "requests", "failures", "identical", "longest pause"])
            for (name, row) in rows.sorted(by: { $0.key < $1.key }) {
                table.append([
                    name, "\(row.requests)", "\(row.failures)", "\(row.requests - row.failures - row.different)",
                    "\((row.longestPause / .milliseconds(10)).rounded() / 100) s",
                ])
            }
            let events = events.sorted { $0.key < $1.key }.map { "\($0.key) × \($0.value)" }.joined(separator: ", ")
            return (table.lines + [events]).joined(separator: "\n")
        }
    }

    private let state = Mutex(Result())

    var result: Result { state.withLock { $0 } }

    func note(_ event: String) { state.withLock { $0.events[event, default: 0] += 1 } }

    /// Sends a request and holds its answer against what was to be expected.
    ///
    /// - Parameter expected: what it may be.
    func add(_ load: Load, _ expected: Set<String>, _ client: GatewayClient) async {
        do {
            let answer = try await load.send(client)
            state.withLock { state in
                state.rows[load.name, default: .init()].requests += 1
                if !expected.contains(answer.content) { state.rows[load.name, default: .init()].different += 1 }
                let pause = state.rows[load.name, default: .init()].longestPause
                state.rows[load.name, default: .init()].longestPause = max(pause, answer.longestPause)
            }
        } catch {
            state.withLock { state in
                state.rows[load.name, default: .init()].requests += 1
                state.rows[load.name, default: .init()].failures += 1
                state.failures.append("\(load.name): \(error)")
            }
        }
    }
}
