import Foundation

/// Ten times as many requests as the system can answer: those that it takes are answered in time, the rest is turned
/// away at once, and when the load ends, so does the trouble.
///
/// Refusing takes time that answers then do not have. Of a tiny model ten times capacity are hundreds of requests a
/// second: of it the share is told and not judged, the rest is.
struct OverloadCase: LocalCase {
    let name: String
    let isTiny: Bool
    /// Of the flood's requests; twice the mean time without overload where there is none.
    let deadline: Duration?
    var isLong: Bool { !isTiny }
    /// Of an answer.
    private var tokens: Int { isTiny ? 384 : 96 }
    /// So many clients are tried, to see with how many the most is done.
    private var clients: [Int] { isTiny ? [8, 16, 32, 64] : [8, 16, 32] }

    var fleet: LocalFleet.Options {
        var options = LocalFleet.Options()
        options.hasAdapter = false
        options.hasPictures = false
        options.isLarge = !isTiny
        return options
    }

    func run(_ system: LocalFleet, for duration: Duration) async throws -> ChaosResult {
        let port = try system.port()
        let tally = Tally()
        // What can be had: clients that each wait for their answer; once to warm up.
        let expected = try await PlainHTTP.answer(to: request(deadline: .seconds(600)), port: port).body
        var tried: [(clients: Int, rate: Double, meanLatency: Duration)] = []
        for clients in clients {
            let (rate, latency) = try await peak(port, clients, max(duration / 2, .seconds(1)))
            tried.append((clients, rate, latency))
        }
        guard let best = tried.max(by: { $0.rate < $1.rate }) else { throw ChaosError("no clients") }
        let deadline = deadline ?? best.meanLatency * 2
        let before = await memory(system)
        // Ten times as many, come what may; in turns, since a machine's speed changes within seconds.
        let rounds = ChaosTests.isMeasured ? 4 : 1
        let floodTime = max(duration / rounds, deadline * 3)
        var peaks: [Double] = []
        var (result, goodputs) = (Flood(), [Double]())
        var shares = (peak: ProcessorShares(), flood: ProcessorShares())
        func peakAgain() async throws {
            let (next, share) = try await ProcessorShares.measured(system) {
                try await self.peak(port, best.clients, max(duration / rounds, best.meanLatency * 4))
            }
            peaks.append(next.rate)
            shares.peak.add(share)
        }
        try await peakAgain()
        for round in 0..<rounds {
            let rate = peaks[peaks.count - 1] * 10
            let (flood, share) = try await ProcessorShares.measured(system, for: floodTime) {
                await Flood(
                    of: request(deadline: deadline), port: port, rate: rate, for: floodTime, seed: UInt64(round),
                    expected: Flood.content(expected))
            }
            shares.flood.add(share)
            goodputs.append(flood.inTime.rate(from: deadline, to: floodTime))
            result.add(flood)
            // At once all is well again.
            let answer = try await PlainHTTP.answer(to: request(deadline: .seconds(600)), port: port)
            result.recovery = max(result.recovery, answer.duration)
            if answer.status != 200 { tally.fail("after the load a request was answered with \(answer.status)") }
            try await peakAgain()
        }
        let after = await memory(system)
        result.report(to: tally)
        let (peak, goodput) = (mean(peaks), mean(goodputs))
        tally.note(
            "by clients: " + tried.map { "\($0.clients): \(tenths($0.rate))/s" }.joined(separator: ", "))
        tally.note(
            "peak \(tenths(peak)) requests/s of \(tokens) tokens (\(tenths(peaks.min() ?? 0)) to "
                + "\(tenths(peaks.max() ?? 0))), mean \(best.meanLatency.milliseconds) ms; "
                + "sent \(tenths(Double(result.sent) / (floodTime * rounds / .seconds(1))))/s with a deadline of "
                + "\(deadline.milliseconds) ms: in time \(tenths(goodput))/s (\(percent(goodput / peak)); after "
                + "\(result.inTime.meanTime.milliseconds) ms), late \(result.late), refused "
                + "\(result.refused) in \(result.refusalTime(0.5)) ms at p50, \(result.refusalTime(0.99)) ms at p99")
        tally.note("of a processor, at the peak and in the flood: \(shares.peak) → \(shares.flood)")
        tally.note(
            "memory before and after, MiB: \(before) → \(after); a request after it took "
                + "\(result.recovery.milliseconds) ms at most")
        if ChaosTests.isMeasured, !isTiny, goodput < 0.95 * peak {
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

    private func request(deadline: Duration) -> [UInt8] {
        PlainHTTP.post(
            "/v1/completions",
            """
            {"model":"nephele-verse","prompt":"To be, or not to be","max_tokens":\(tokens),"seed":1,\
            "ignore_eos":true}
            """, headers: [("X-Request-Timeout-Ms", "\(deadline.milliseconds)")])
    }

    /// Answers a second once the first has come, and how long each took, with clients that wait.
    private func peak(
        _ port: Int, _ clients: Int, _ duration: Duration
    ) async throws -> (rate: Double, meanLatency: Duration) {
        let start = ContinuousClock.now
        let answers = try await withThrowingTaskGroup(of: [AnswerTime].self) { group in
            for _ in 0..<clients {
                group.addTask {
                    var answers: [AnswerTime] = []
                    while .now < start + duration {
                        let answer = try await PlainHTTP.answer(to: request(deadline: .seconds(600)), port: port)
                        guard answer.status == 200 else { throw ChaosError("status \(answer.status) without overload") }
                        answers.append(AnswerTime(end: .now - start, taken: answer.duration))
                    }
                    return answers
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let first = min(answers.map(\.end).min() ?? .zero, duration / 2)
        return (answers.rate(from: first, to: duration), answers.meanTime)
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
}

/// When a request was answered, from some beginning, and how long that took.
private struct AnswerTime {
    var end: Duration
    var taken: Duration
}

extension [AnswerTime] {
    fileprivate var meanTime: Duration { map(\.taken).reduce(.zero, +) / Swift.max(1, count) }

    /// Answers a second between two moments at which the system is as busy. Those under way at one of them count by the
    /// share of their time that lies between: they end in waves.
    fileprivate func rate(from start: Duration, to end: Duration) -> Double {
        let shares = map { answer in
            let own = Swift.min(answer.end, end) - Swift.max(answer.end - answer.taken, start)
            return Swift.max(0, own / answer.taken)
        }
        return shares.reduce(0, +) / ((end - start) / .seconds(1))
    }
}

/// Requests at a rate that does not wait for answers, and what became of them.
private struct Flood: Sendable {
    var sent = 0
    var inTime: [AnswerTime] = []
    /// Taken, and not answered before the deadline.
    var late = 0
    var refused = 0
    var different = 0
    var failures: [String] = []
    var refusals: [Duration] = []
    /// What the first request after it took.
    var recovery: Duration = .zero

    init() {}

    /// Sends them, and waits for the last answer.
    ///
    /// - Parameters:
    ///   - rate: in requests a second.
    ///   - expected: what an answer says.
    init(
        of request: [UInt8], port: Int, rate: Double, for duration: Duration, seed: UInt64, expected: String
    ) async {
        var random = SplitMix(state: seed)
        var times: [Duration] = []
        var next: Duration = .zero
        while next < duration {
            times.append(next)
            // Arrivals are independent of each other.
            next += .seconds(-log(Double.random(in: 1e-9...1, using: &random)) / rate)
        }
        for (outcome, time) in await PlainHTTP.answers(to: request, sentAt: times, port: port) {
            sent += 1
            switch outcome {
            case .failure(let error): failures.append("\(error)")
            case .success(let answer): take(answer, at: time, expected: expected)
            }
        }
    }

    private mutating func take(_ answer: PlainHTTP.Answer, at time: Duration, expected: String) {
        switch answer.status {
        case 200:
            inTime.append(AnswerTime(end: time, taken: answer.duration))
            let text = Self.content(answer.body)
            guard text != expected else { return }
            different += 1
            failures.append(
                "an answer of \(text.utf8.count) bytes, not \(expected.utf8.count), alike in the first "
                    + "\(zip(text.utf8, expected.utf8).prefix { $0 == $1 }.count); \(answer.body.suffix(160))")
        case 504: late += 1
        case 429, 503:
            refused += 1
            refusals.append(answer.duration)
            if answer.header("retry-after").flatMap({ Int($0) }) == nil {
                failures.append("a refusal without Retry-After")
            }
        default: failures.append("status \(answer.status)")
        }
    }

    mutating func add(_ other: Flood) {
        sent += other.sent
        inTime += other.inTime
        late += other.late
        refused += other.refused
        different += other.different
        failures += other.failures
        refusals += other.refusals
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
