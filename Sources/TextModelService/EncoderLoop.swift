import Concurrency
import Messages
import ModelServing
import RPC
import TextGeneration

/// The thread's loop of an engine that embeds and scores: take texts, drop the cancelled, step, hand out what was made.
struct EncoderLoop: EngineLoop {
    private struct Waiting {
        var job: TextEngine.Job
        /// When the answer is of no use any more, and when it is meant to be complete, in seconds on the forecast's clock.
        var deadline: Double
        var target: Double
    }

    private var core: EncoderCore
    private let gauge: LoadGauge
    private let engineGauge: EngineGauge
    private(set) var forecast: AdmissionForecast
    private let admission: Admission
    /// Tickets of texts that have been taken since the forecast was last published.
    private var taken: [UInt64] = []
    private var waiting: [UInt64: Waiting] = [:]

    init(
        core: EncoderCore, gauge: LoadGauge, engineGauge: EngineGauge, forecast: AdmissionForecast,
        admission: Admission
    ) {
        (self.core, self.gauge, self.engineGauge) = (core, gauge, engineGauge)
        (self.forecast, self.admission) = (forecast, admission)
    }

    mutating func run(
        _ queue: BoundedQueue<TextEngine.Job>, first: [TextEngine.Job], idleLimit limit: Duration?
    ) -> Bool {
        for job in first { add(job) }
        while true {
            if core.isIdle {
                publish()
                guard let job = queue.take(until: limit.map { .now + $0 }) else { return !queue.isClosed }
                add(job)
            }
            for job in queue.takeAll() { add(job) }
            dropUseless()
            publish()
            step()
        }
    }

    private mutating func add(_ job: TextEngine.Job) {
        taken.append(job.ticket)
        do {
            let number = try core.add(job.request)
            let deadline = admission.seconds(job.context.deadline)
            waiting[number] = Waiting(
                job: job, deadline: deadline,
                target: AdmissionForecast.target(deadline: deadline, now: admission.seconds(.now), isLetIn: true))
            gauge.addOutstanding(job.request.prompt.count)
        } catch {
            job.done.resume(throwing: RPCError(textModel: error))
        }
    }

    /// Refuses what nobody waits for, or what would come too late.
    private mutating func dropUseless() {
        for (number, entry) in waiting where entry.job.context.isCancelled {
            finish(number, .failure(RPCError(.cancelled, "the caller is gone or its deadline has passed")))
        }
        for number in forecast.late(now: admission.seconds(.now), deadline: { waiting[$0]?.deadline ?? .infinity }) {
            finish(
                number,
                .failure(
                    RPCError(
                        .resourceExhausted, "its turn did not come in time", reason: "too_late",
                        retryAfter: .seconds(1), notStarted: true)))
        }
    }

    private mutating func step() {
        guard !core.isIdle else { return }
        gauge.beginStep()
        defer { gauge.endStep() }
        let start = ContinuousClock.now
        do {
            let deltas = try core.step()
            _ = forecast.record(
                rows: core.lastRows, duration: .now - start, decoding: 0, statistics: EngineCore.Statistics())
            for delta in deltas { finish(delta.request, .success(delta.embedding)) }
        } catch {
            // No memory for the pass: what waits is given up, so that what comes later can live.
            for number in waiting.keys.sorted() {
                finish(number, .failure(RPCError(.resourceExhausted, error.message, retryAfter: .seconds(1))))
            }
        }
    }

    private mutating func finish(_ number: UInt64, _ result: Result<[Float], RPCError>) {
        guard let entry = waiting.removeValue(forKey: number) else { return }
        core.cancel(number)
        gauge.addOutstanding(-entry.job.request.prompt.count)
        entry.job.done.resume(with: result)
    }

    private mutating func publish() {
        var load = EngineLoad()
        load.waiting = core.waitingCount
        engineGauge.set(load)
        forecast.update(core.standings, groups: 1) { waiting[$0]?.target ?? .infinity }
        admission.publish(forecast, taken: taken)
        taken.removeAll(keepingCapacity: true)
        gauge.setExpectedWait(core.isIdle ? nil : forecast.wait.map { .seconds($0) })
    }
}
