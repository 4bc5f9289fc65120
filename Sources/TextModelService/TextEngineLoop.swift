import Concurrency
import Messages
import ModelServing
import RPC
import TextGeneration
import Tokenizers

/// The engine thread's loop: take requests, drop the cancelled, step, hand out deltas.
struct TextEngineLoop: EngineLoop {
    private struct Running {
        var job: TextEngine.Job
        var openChoices: Int
        /// Tokens that the gauge still counts for it.
        var outstanding: Int
        var embedding: [Float] = []
        /// When the answer is of no use any more, and when it is meant to be complete, in seconds on the forecast's clock.
        var deadline: Double
        var target: Double
        var held: DeltaCoalescer
    }

    var core: EngineCore
    let gauge: LoadGauge
    private let engineGauge: EngineGauge
    /// Is told at the end what has happened since the engine was made.
    private let ended: (EngineCore.Statistics) -> Void
    var pacer: StepPacer
    private(set) var forecast: AdmissionForecast
    /// Where the forecast is published, for the threads that let requests in.
    private let admission: Admission
    /// Tickets of requests that have been taken since the forecast was last published.
    private var taken: [UInt64] = []
    /// When the forecast was last published, and whether a request has come or gone since.
    private var published = ContinuousClock.now
    private var hasChanged = false
    /// When the gauge was last told how long requests wait, and when those were looked for that wait in vain.
    private var toldWait: ContinuousClock.Instant?
    private var lookedForHopeless: ContinuousClock.Instant?
    /// When the last step ended; nil after an idle time.
    private var lastStep: ContinuousClock.Instant?
    /// Where the model's later layers are; nil when all are here.
    let shards: LaterShardClients?
    /// When each group's pass began, and its rows.
    var begun: [Int: (start: ContinuousClock.Instant, rows: Int)] = [:]
    private var running: [UInt64: Running] = [:]
    /// How long the transport needs to put a delta on its way.
    private static let flushDelay: Duration = .milliseconds(20)

    init(
        core: EngineCore, shards: LaterShardClients?, gauge: LoadGauge, engineGauge: EngineGauge,
        forecast: AdmissionForecast, admission: Admission, ended: @escaping (EngineCore.Statistics) -> Void = { _ in }
    ) {
        (self.core, self.forecast, self.admission) = (core, forecast, admission)
        self.shards = shards
        (self.gauge, self.engineGauge, self.ended) = (gauge, engineGauge, ended)
        pacer = StepPacer(limit: core.promptBudget)
        engineGauge.set(EngineLoad(of: core))
    }

    mutating func run(
        _ queue: BoundedQueue<TextEngine.Job>, first: [TextEngine.Job], idleLimit limit: Duration?
    ) -> Bool {
        for job in first { add(job) }
        while true {
            if core.isIdle && core.passesUnderWay == 0 {
                lastStep = nil
                guard let job = queue.take(until: limit.map { .now + $0 }) else {
                    engineGauge.set(EngineLoad(unloading: core))
                    ended(core.statistics)
                    return !queue.isClosed
                }
                add(job)
            }
            for job in queue.takeAll() { add(job) }
            dropCancelled()
            if shards == nil, core.waitingCount > 0 { dropHopeless() }
            if let shards { exchange(with: shards) } else { step() }
            publish()
        }
    }

    private mutating func add(_ job: TextEngine.Job) {
        taken.append(job.ticket)
        hasChanged = true
        do {
            let number = try core.add(job.request)
            let deadline = admission.seconds(job.context.deadline)
            let choices = job.request.n - job.request.resume.count { $0.isFinished }
            let tokens = (job.request.prompt.count + job.request.maxTokens) * choices
            running[number] = Running(
                job: job, openChoices: choices, outstanding: tokens, deadline: deadline,
                target: AdmissionForecast.target(deadline: deadline, now: admission.seconds(.now), isLetIn: true),
                held: DeltaCoalescer(batchingDelay: job.batchingDelay, choices: job.request.n))
            gauge.addOutstanding(tokens)
            if choices == 0 { finish(number, throwing: nil) }
        } catch {
            job.done.resume(throwing: RPCError(textModel: error))
        }
    }

    private mutating func dropCancelled() {
        for (number, entry) in running where entry.job.context.isCancelled {
            core.cancel(number)
            finish(number, throwing: RPCError(.cancelled, "the caller is gone or its deadline has passed"))
        }
    }

    /// Refuses what has not begun and would not end in time any more: it would be work for nothing.
    private mutating func dropHopeless() {
        guard lookedForHopeless.map({ .now - $0 >= .milliseconds(50) }) ?? true else { return }
        lookedForHopeless = .now
        let late = forecast.late(now: admission.seconds(.now)) { running[$0]?.deadline ?? .infinity }
        for number in core.untouchedRequests.intersection(late) {
            core.cancel(number)
            finish(
                number,
                throwing: RPCError(
                    .resourceExhausted, "its turn did not come in time", reason: "too_late", retryAfter: .seconds(1),
                    notStarted: true))
        }
    }

    private mutating func step() {
        gauge.beginStep()
        defer { gauge.endStep() }
        do {
            core.promptBudget = pacer.promptBudget(decodingRows: core.decodingCount)
            let start = ContinuousClock.now
            let deltas = try core.step()
            record(rows: core.lastRows, since: start)
            for delta in deltas { hand(delta) }
        } catch {
            // No memory for the pass: what runs is given up, so that what comes later can live.
            giveUp(
                running.keys.sorted(), RPCError(.resourceExhausted, error.message, retryAfter: .seconds(1)))
        }
    }

    /// Takes in how long a step took.
    mutating func record(rows: Int, since start: ContinuousClock.Instant) {
        let duration = ContinuousClock.now - start
        let sinceLast = ContinuousClock.now - (lastStep ?? start)
        let isTypical = forecast.record(
            rows: rows, duration: sinceLast, decoding: core.decodingCount, statistics: core.statistics)
        if isTypical { pacer.record(rows: rows, duration: duration) }
        lastStep = .now
    }

    private mutating func publish() {
        engineGauge.set(EngineLoad(of: core))
        // A few tokens more change little in it.
        guard hasChanged || .now - published >= .milliseconds(10) else { return }
        (published, hasChanged) = (.now, false)
        core.expectedAnswer = forecast.expectedAnswer
        forecast.update(core.standings, groups: shards == nil ? 1 : core.groups) { running[$0]?.target ?? .infinity }
        core.patientLimit = forecast.patientLimit
        admission.publish(forecast, taken: taken)
        taken.removeAll(keepingCapacity: true)
        guard core.waitingCount > 0 else {
            if toldWait != nil { gauge.setExpectedWait(nil) }
            toldWait = nil
            return
        }
        if let toldWait, .now - toldWait < .milliseconds(50) { return }
        gauge.setExpectedWait(forecast.wait.map { .seconds($0) })
        toldWait = .now
    }

    mutating func giveUp(_ requests: [UInt64], _ error: RPCError) {
        for number in requests {
            core.cancel(number)
            finish(number, throwing: error)
        }
    }

    mutating func hand(_ delta: GenerationDelta) {
        // Taken out, so that there is one copy of what waits.
        guard var entry = running.removeValue(forKey: delta.request) else { return }
        if delta.token != nil, entry.outstanding > 0 {
            entry.outstanding -= 1
            gauge.addOutstanding(-1)
        }
        if delta.finishReason != nil {
            entry.openChoices -= 1
            entry.embedding = delta.embedding
        }
        if delta.finishReason != nil, !entry.job.request.isEmbedding {
            forecast.record(answer: max(0, delta.index) + 1, wasCut: delta.finishReason == .length)
        }
        let ready = entry.held.take(Wire.GenerateDelta(delta, core.loaded.tokenizer))
        running[delta.request] = entry
        do {
            if let ready { try entry.job.offer(ready) }
        } catch {
            core.cancel(delta.request)
            finish(delta.request, throwing: error)
            return
        }
        if entry.openChoices == 0 { finish(delta.request, throwing: nil) }
        // The next pass may be this process's last: the caller is to know whose it was.
        if delta.isStart { _ = ThreadSignal().wait(until: .now + Self.flushDelay) }
    }

    private mutating func finish(_ number: UInt64, throwing error: (any Error)?) {
        guard var entry = running.removeValue(forKey: number) else { return }
        hasChanged = true
        for delta in entry.held.takeAll() { try? entry.job.offer(delta) }
        gauge.addOutstanding(-entry.outstanding)
        if let error {
            entry.job.done.resume(throwing: error)
        } else {
            entry.job.done.resume(returning: entry.embedding)
        }
    }
}

extension Wire.GenerateDelta {
    init(_ delta: GenerationDelta, _ tokenizer: Tokenizer) {
        self.init(
            choice: UInt32(delta.choice), index: delta.index >= 0 ? UInt32(delta.index) : nil,
            tokens: delta.token.map { [$0] } ?? [], text: delta.text, textOffset: delta.textOffset,
            logprob: delta.logProbability.map { Wire.TokenLogprob($0, tokenizer) },
            promptLogprobs: delta.promptLogProbabilities.map { Wire.TokenLogprob($0, tokenizer) },
            finishReason: delta.finishReason?.rawValue ?? "")
        isStart = delta.isStart
        (cachedTokens, stopSequence) = (UInt32(delta.cachedTokens), delta.stopSequence)
    }
}

extension Wire.TokenLogprob {
    init(_ value: TokenLogProbability, _ tokenizer: Tokenizer) {
        self.init(
            id: value.id, logprob: value.logProbability, bytes: tokenizer.bytes(of: value.id) ?? [],
            alternatives: value.alternatives.map {
                // Ids without a token, of a vocabulary that was made longer, are told apart by their number.
                .init(
                    id: $0.id, logprob: $0.logProbability,
                    bytes: tokenizer.bytes(of: $0.id) ?? Array("token_id:\($0.id)".utf8))
            })
    }
}

extension EngineLoad {
    /// What is left to say of an engine that is let go: it has no cache, and what has happened has.
    fileprivate init(unloading core: EngineCore) {
        self.init(of: core)
        (cachePages, heldPages) = (0, 0)
    }

    /// What an engine says of itself.
    fileprivate init(of core: EngineCore) {
        self.init()
        (running, waiting) = (core.runningCount, core.waitingCount)
        (cachePages, heldPages) = (core.cachePageCount, core.heldPageCount)
        let sums = core.statistics
        (prefixQueries, prefixHits, preemptions) = (sums.prefixQueries, sums.prefixHits, sums.preemptions)
    }
}
