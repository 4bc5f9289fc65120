import Console
import Foundation
import GatewayClient
import NIOPosix
import Synchronization

/// Requests at a multiple of what a system can do.
final class Flood: Sendable {
    struct Phase: Sendable {
        var seconds = 0.0
        var statuses: [Int: Int] = [:]
        var errors: [String] = []
        var answered: [Duration] = []
        var refused: [Duration] = []
        var refusedWithoutRetryAfter = 0
        /// Answers that ended in the later part of the phase, when no request from before it is under way.
        var settled = 0
        var settledSeconds = 0.0

        var sent: Int { statuses.values.reduce(0, +) + errors.count }
        /// Answers a second, once things have settled.
        var goodput: Double { Double(settled) / settledSeconds }

        func percentile(_ times: [Duration], _ share: Double) -> String {
            let sorted = times.sorted()
            guard !sorted.isEmpty else { return "–" }
            let time = sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
            return "\(((time / .milliseconds(1)) * 10).rounded() / 10) ms"
        }
    }

    /// A phase as it comes about.
    private final class Record: Sendable {
        let phase: Mutex<Phase>

        let settledFrom: ContinuousClock.Instant
        let end: ContinuousClock.Instant

        init(seconds: Double, timeoutMilliseconds: Int) {
            // From then on none is under way that came before the phase's load.
            let settling = min(Double(timeoutMilliseconds) / 1000, seconds / 3)
            settledFrom = .now + .seconds(settling)
            end = .now + .seconds(seconds)
            phase = Mutex(Phase(seconds: seconds, settledSeconds: seconds - settling))
        }
    }

    private let client: FloodClient
    private let number = Atomic<Int>(0)

    /// Tokens of an answer: what counts is the work behind a request, beside what it costs to refuse one.
    private let tokens: Int
    private let timeoutMilliseconds: Int

    init(client: FloodClient, tokens: Int, timeoutMilliseconds: Int) {
        (self.client, self.tokens, self.timeoutMilliseconds) = (client, tokens, timeoutMilliseconds)
    }

    private func body() -> String {
        let seed = number.add(1, ordering: .relaxed).newValue
        return """
            {"model": "nephele-verse", "prompt": "The king", "max_tokens": \(tokens), "seed": \(seed), "ignore_eos": true}
            """
    }

    /// So many clients, each with its next request as soon as the last is answered.
    func closedLoop(clients: Int, seconds: Double) async -> Phase {
        let record = Record(seconds: seconds, timeoutMilliseconds: timeoutMilliseconds)
        let end = ContinuousClock.now + .seconds(seconds)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<clients {
                group.addTask { [self] in while .now < end { await send(record) } }
            }
        }
        return record.phase.withLock { $0 }
    }

    /// A request every `1/rate` seconds, whatever became of those before.
    func openLoop(rate: Double, seconds: Double) async -> Phase {
        let record = Record(seconds: seconds, timeoutMilliseconds: timeoutMilliseconds)
        let start = ContinuousClock.now, end = start + .seconds(seconds)
        await withTaskGroup(of: Void.self) { group in
            var number = 0
            while .now < end {
                let due = start + .seconds(Double(number) / rate)
                if due > .now { try? await Task.sleep(until: due) }
                group.addTask { [self] in await send(record) }
                number += 1
            }
        }
        return record.phase.withLock { $0 }
    }

    /// Answers that come after the phase are not of its goodput.
    private func send(_ record: Record) async {
        do {
            let answer = try await client.post(
                "v1/completions", body(), timeoutMilliseconds: timeoutMilliseconds)
            record.phase.withLock { phase in
                if answer.status == 200, .now > record.end { return phase.statuses[0, default: 0] += 1 }
                if answer.status == 200, .now >= record.settledFrom { phase.settled += 1 }
                phase.statuses[answer.status, default: 0] += 1
                if answer.status == 200 {
                    phase.answered.append(answer.time)
                } else if answer.status != 504 {
                    phase.refused.append(answer.time)
                    if answer.retryAfter == nil { phase.refusedWithoutRetryAfter += 1 }
                }
            }
        } catch {
            record.phase.withLock { $0.errors.append("\(error)") }
        }
    }
}
