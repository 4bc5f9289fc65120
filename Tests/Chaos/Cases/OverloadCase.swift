import Foundation
import Synchronization

/// Ten times as many requests as the system can answer: those that it takes are answered in time, the rest is turned
/// away at once, and when the load ends, so does the trouble.
struct OverloadCase: LocalCase {
    let name: String
    /// Of the flood's requests; twice the mean time without overload where there is none.
    let deadline: Duration?
    var isLong: Bool { deadline != nil }
    private static let tokens = 384
    /// Clients at which the most is done.
    private static let clients = 16

    var fleet: LocalFleet.Options {
        var options = LocalFleet.Options()
        options.hasAdapter = false
        options.hasPictures = false
        return options
    }

    func run(_ system: LocalFleet, for duration: Duration) async throws -> ChaosResult {
        let port = try system.port()
        let tally = Tally()
        // What can be had: clients that each wait for their answer; once to warm up.
        let expected = try await send(port, deadline: .seconds(600)).body
        let first = try await peak(port, duration / 2)
        let deadline = deadline ?? first.meanLatency * 2
        let before = await memory(system)
        // Ten times as many, come what may; in turns, since a machine's speed changes within a minute.
        let rounds = ChaosTests.isMeasured ? 3 : 1
        let floodTime = max(duration / rounds, deadline * 3)
        var peaks = [try await peak(port, duration / rounds).rate]
        var (result, goodputs) = (Flood.Result(), [Double]())
        for _ in 0..<rounds {
            let flood = Flood()
            try await flood.run(rate: peaks[peaks.count - 1] * 10, for: floodTime) {
                try await send(port, deadline: deadline)
            }
            let round = flood.result(expected: content(expected))
            goodputs.append(round.rate(from: deadline, to: floodTime))
            result.add(round)
            // At once all is well again.
            let recovery = ContinuousClock.now
            let answer = try await send(port, deadline: .seconds(600))
            result.recovery = max(result.recovery, .now - recovery)
            if answer.status != 200 { tally.fail("after the load a request was answered with \(answer.status)") }
            peaks.append(try await peak(port, duration / rounds).rate)
        }
        let after = await memory(system)
        result.report(to: tally)
        let (peak, goodput) = (mean(peaks), mean(goodputs))
        tally.note(
            "peak \(tenths(peak)) requests/s of \(Self.tokens) tokens (\(tenths(peaks.min() ?? 0)) to "
                + "\(tenths(peaks.max() ?? 0))), mean \(first.meanLatency.milliseconds) ms; "
                + "sent \(tenths(Double(result.sent) / (floodTime * rounds / .seconds(1))))/s with a deadline of "
                + "\(deadline.milliseconds) ms: in time \(tenths(goodput))/s (\(percent(goodput / peak)); after "
                + "\((result.latency / max(1, result.inTime.count)).milliseconds) ms), late \(result.late), refused "
                + "\(result.refused) in \(result.refusalTime(0.5)) ms at p50, \(result.refusalTime(0.99)) ms at p99")
        tally.note(
            "memory before and after, MiB: \(before) → \(after); a request after it took "
                + "\(result.recovery.milliseconds) ms at most")
        if ChaosTests.isMeasured, goodput < 0.95 * peak {
            tally.fail("goodput fell to \(percent(goodput / peak)) of its peak")
        }
        if ChaosTests.isMeasured, result.refusalTime(0.99) > 10 {
            tally.fail("a hundredth of the refusals took more than \(result.refusalTime(0.99)) ms")
        }
        return tally.result
    }

    private func mean(_ numbers: [Double]) -> Double { numbers.reduce(0, +) / Double(max(1, numbers.count)) }
    private func tenths(_ number: Double) -> String { "\((number * 10).rounded() / 10)" }
    private func percent(_ share: Double) -> String { "\(Int((share * 100).rounded()))%" }

    private func send(_ port: Int, deadline: Duration) async throws -> PlainHTTP.Answer {
        let body = """
            {"model":"nephele-verse","prompt":"To be, or not to be","max_tokens":\(Self.tokens),"seed":1,\
            "ignore_eos":true}
            """
        return try await PlainHTTP.post(
            port, "/v1/completions", body, headers: [("X-Request-Timeout-Ms", "\(deadline.milliseconds)")])
    }

    /// Answers a second, and how long each took, with clients that wait.
    private func peak(_ port: Int, _ duration: Duration) async throws -> (rate: Double, meanLatency: Duration) {
        let start = ContinuousClock.now
        let end = start + duration
        let latencies = try await withThrowingTaskGroup(of: [Duration].self) { group in
            for _ in 0..<Self.clients {
                group.addTask {
                    var latencies: [Duration] = []
                    while .now < end {
                        let answer = try await send(port, deadline: .seconds(600))
                        guard answer.status == 200 else { throw ChaosError("status \(answer.status) without overload") }
                        latencies.append(answer.duration)
                    }
                    return latencies
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let count = max(1, latencies.count)
        return (Double(latencies.count) / ((.now - start) / .seconds(1)), latencies.reduce(.zero, +) / count)
    }

    /// Resident memory of each process, in MiB.
    private func memory(_ system: LocalFleet) async -> String {
        await system.processes.sorted { $0.key < $1.key }.filter {
            $0.key.hasPrefix("gateway") || $0.key.hasPrefix("text")
        }
        .map { name, process in
            let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
            let kibibytes = line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            return "\(name) \(kibibytes >> 10)"
        }
        .joined(separator: ", ")
    }

    private func content(_ body: String) -> String { Flood.content(body) }
}

/// Requests at a rate that does not wait for answers.
private final class Flood: Sendable {
    struct Result: Sendable {
        var sent = 0
        /// When each that was answered in time was, from the beginning.
        var inTime: [Duration] = []
        /// Of all of them together.
        var latency: Duration = .zero
        /// Taken, and not answered before the deadline.
        var late = 0
        var refused = 0
        var different = 0
        var failures: [String] = []
        var refusals: [Duration] = []
        /// What the first request after it took.
        var recovery: Duration = .zero

        mutating func add(_ other: Result) {
            sent += other.sent
            inTime += other.inTime
            latency += other.latency
            late += other.late
            refused += other.refused
            different += other.different
            failures += other.failures
            refusals += other.refusals
        }

        /// Answers in time, a second, once the flood has risen and before it falls.
        func rate(from start: Duration, to end: Duration) -> Double {
            Double(inTime.count { start < $0 && $0 <= end }) / ((end - start) / .seconds(1))
        }

        func report(to tally: Tally) {
            for failure in failures { tally.fail(failure) }
            tally.add(requests: sent, different: different)
        }

        /// A quantile of the time that refusals took, in milliseconds.
        func refusalTime(_ share: Double) -> Double {
            let sorted = refusals.sorted()
            guard !sorted.isEmpty else { return 0 }
            let time = sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
            return (time / .microseconds(10)).rounded() / 100
        }
    }

    private struct Outcome: Sendable {
        var answer: Swift.Result<PlainHTTP.Answer, any Error>
        var time: Duration
    }

    private let outcomes = Mutex<[Outcome]>([])

    func run(
        rate: Double, for duration: Duration, _ send: @escaping @Sendable () async throws -> PlainHTTP.Answer
    ) async throws {
        var random = SplitMix(state: 7)
        let start = ContinuousClock.now
        var next: Duration = .zero
        await withDiscardingTaskGroup { group in
            while next < duration {
                try? await Task.sleep(until: start + next, clock: .continuous)
                group.addTask { [self] in
                    let answer: Swift.Result<PlainHTTP.Answer, any Error>
                    do { answer = .success(try await send()) } catch { answer = .failure(error) }
                    outcomes.withLock { $0.append(Outcome(answer: answer, time: .now - start)) }
                }
                // Arrivals are independent of each other.
                next += .seconds(-log(Double.random(in: 1e-9...1, using: &random)) / rate)
            }
        }
    }

    func result(expected: String) -> Result {
        var result = Result()
        for outcome in outcomes.withLock({ $0 }) {
            result.sent += 1
            switch outcome.answer {
            case .failure(let error): result.failures.append("\(error)")
            case .success(let answer) where answer.status == 200:
                result.inTime.append(outcome.time)
                result.latency += answer.duration
                if Self.content(answer.body) != expected {
                    result.different += 1
                    let text = Self.content(answer.body)
                    result.failures.append(
                        "an answer of \(text.utf8.count) bytes, not \(expected.utf8.count), alike in the first "
                            + "\(zip(text.utf8, expected.utf8).prefix { $0 == $1 }.count); \(answer.body.suffix(160))")
                }
            case .success(let answer) where answer.status == 504: result.late += 1
            case .success(let answer) where [429, 503].contains(answer.status):
                result.refused += 1
                result.refusals.append(answer.duration)
                if answer.header("retry-after").flatMap({ Int($0) }) == nil {
                    result.failures.append("a refusal without Retry-After")
                }
            case .success(let answer): result.failures.append("status \(answer.status)")
            }
        }
        return result
    }

    /// What a completion says.
    static func content(_ body: String) -> String {
        let json = try? JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
        let choice = (json?["choices"] as? [[String: Any]])?.first
        return choice?["text"] as? String ?? "no text"
    }
}

extension Duration {
    fileprivate var milliseconds: Int { Int((self / .milliseconds(1)).rounded()) }
}
