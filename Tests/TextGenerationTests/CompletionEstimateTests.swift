import Testing
import TextGeneration
import TextModels

@Suite struct TimetableTests {
    /// An engine whose steps take 1 ms, and 0.1 ms for each row.
    private func cost() -> StepCost {
        var cost = StepCost()
        for _ in 0..<200 {
            for rows in [1, 4, 16, 64] {
                cost.record(rows: rows, duration: .microseconds(1_000 + 100 * rows))
            }
        }
        return cost
    }

    private func estimate(sequences: Int = 64) -> CompletionEstimate {
        var estimate = CompletionEstimate(sequenceLimit: sequences, cachePositions: 100_000)
        estimate.cost = cost()
        return estimate
    }

    private func sequence(_ answer: Int, prompt: Int = 0, deadline: Double = .infinity) -> CompletionEstimate.Sequence {
        CompletionEstimate.Sequence(prompt: prompt, answer: answer, positions: prompt + answer, deadline: deadline)
    }

    @Test func `nothing is foretold, and nobody refused, before anything is known`() {
        let estimate = CompletionEstimate(sequenceLimit: 1, cachePositions: 100)
        #expect(estimate.refusal(of: [sequence(1_000_000, deadline: 0.001)], now: 0) == nil)
        #expect(estimate.wait == nil)
    }

    @Test func `a step's cost is told apart into what all share and what each adds`() {
        let cost = cost()
        for sequences in [1, 8, 30, 64] {
            let expected = 0.001 + 0.000_1 * Double(sequences)
            let told = cost.secondsPerToken(sequences: sequences)
            #expect(abs(told - expected) < 0.02 * expected, "\(sequences): \(told)")
        }
    }

    @Test func `where all steps were alike more rows cost in proportion, and the total time is right`() {
        var cost = StepCost()
        for turn in 0..<400 { cost.record(rows: 10, duration: .milliseconds(turn.isMultiple(of: 2) ? 1 : 3)) }
        #expect(abs(cost.secondsPerToken(sequences: 10) - 0.002) < 0.000_05)
        #expect(abs(cost.secondsPerToken(sequences: 40) - 0.008) < 0.000_2)
    }

    @Test func `a step that a pause made long says nothing of others, and a slower engine is noticed`() {
        var cost = cost()
        let before = cost.secondsPerToken(sequences: 4)
        let pauses = [cost.record(rows: 4, duration: .seconds(20)), cost.record(rows: 64, duration: .seconds(60))]
        #expect(pauses == [false, false] && cost.secondsPerToken(sequences: 4) == before)
        let isPlain = cost.record(rows: 4, duration: .microseconds(1_400))
        #expect(isPlain)
        for _ in 0..<80 { cost.record(rows: 4, duration: .milliseconds(500)) }
        #expect(abs(cost.secondsPerToken(sequences: 4) - 0.5) < 0.1)
        // A long prompt is no outlier.
        var other = self.cost()
        let isLong = other.record(rows: 512, duration: .milliseconds(52))
        #expect(isLong)
    }

    @Test func `an engine with nothing to do takes whatever comes, however long its steps seem to take`() {
        var estimate = CompletionEstimate(sequenceLimit: 8, cachePositions: 1_000)
        for _ in 0..<10 { estimate.cost.record(rows: 1, duration: .seconds(20)) }
        #expect(estimate.refusal(of: [sequence(100, deadline: 9)], now: 0) == nil)
        estimate.waiting = [sequence(100, deadline: 9)]
        #expect(estimate.refusal(of: [sequence(100, deadline: 9)], now: 0) != nil)
    }

    @Test func `accepted drafts make tokens faster`() {
        var cost = cost()
        let before = cost.secondsPerToken(sequences: 1)
        for _ in 0..<500 { cost.recordDrafts(4, accepted: 3, sequences: 1) }
        // Five rows a step of 1.5 ms bring four tokens.
        #expect(abs(cost.secondsPerToken(sequences: 1) - 0.001_5 / 4) < 0.000_02 && before > 0.001)
    }

    @Test func `those that run share the time, and are faster as others end`() {
        var estimate = estimate()
        estimate.running = [sequence(100), sequence(50)]
        let ends = estimate.ends()
        // 50 steps of two, 50 of one.
        #expect(abs(ends[1] - 50 * 0.001_2) < 0.002 && abs(ends[0] - (50 * 0.001_2 + 50 * 0.001_1)) < 0.003)
    }

    @Test func `a sequence that waits starts when there is a place, with its prompt`() {
        var estimate = estimate(sequences: 1)
        estimate.running = [sequence(100)]
        estimate.waiting = [sequence(100, prompt: 500), sequence(10)]
        let ends = estimate.ends()
        #expect(abs(ends[0] - 0.11) < 0.003)
        #expect(abs(ends[1] - (0.11 + 0.05 + 0.11)) < 0.006)
        #expect(abs(ends[2] - (0.27 + 0.011)) < 0.007)
        let wait = estimate.wait ?? 0
        #expect(abs(wait - ends[2]) < 0.001)
    }

    @Test func `patient ones start when few enough of them run, the others at once`() {
        var estimate = estimate()
        estimate.patientLimit = 1
        var patient = sequence(100)
        patient.isPatient = true
        estimate.running = [patient]
        estimate.waiting = [patient]
        // 100 steps of one, and again.
        #expect(abs(estimate.ends()[1] - 2 * 0.11) < 0.006)
        // 10 steps of two.
        #expect(abs((estimate.ends(with: [sequence(10)]).last ?? 0) - 10 * 0.001_2) < 0.001)
    }

    @Test func `positions in the cache are a place too`() {
        var estimate = CompletionEstimate(sequenceLimit: 64, cachePositions: 1_000)
        estimate.cost = cost()
        estimate.running = [sequence(600)]
        estimate.waiting = [sequence(600)]
        let ends = estimate.ends()
        #expect(abs(ends[1] / ends[0] - 2) < 0.02)
    }

    @Test func `a newcomer that would end late is refused, long before the batch is full`() throws {
        var estimate = estimate()
        estimate.running = (0..<20).map { _ in sequence(400) }
        // 21 rows: 3.1 ms a step, 1.24 s for 400 tokens.
        #expect(estimate.refusal(of: [sequence(400, deadline: 10 + 2)], now: 10) == nil)
        let wait = try #require(estimate.refusal(of: [sequence(400, deadline: 10 + 1)], now: 10))
        #expect(wait > 0.2 && wait < 0.8)
        // A short one is let in.
        #expect(estimate.refusal(of: [sequence(20, deadline: 10 + 1)], now: 10) == nil)
    }

    @Test func `a newcomer with time to spare is refused where it would make others late`() {
        var estimate = estimate()
        estimate.running = (0..<20).map { _ in sequence(400, deadline: 1.25) }
        #expect(estimate.refusal(of: [sequence(400, deadline: 100)], now: 0) == nil)
        estimate.running = (0..<20).map { _ in sequence(400, deadline: 1.22) }
        #expect(estimate.refusal(of: [sequence(400, deadline: 100)], now: 0) != nil)
    }

    @Test func `one that is late in any case holds nobody up`() {
        var estimate = estimate()
        estimate.running = [sequence(400, deadline: 0.1)]
        #expect(estimate.refusal(of: [sequence(400, deadline: 100)], now: 0) == nil)
    }

    @Test func `under a flood those that are let in end in time, and the engine is not idle`() {
        // The engine is as foretold, arrivals are ten times what it can do, deadlines twice what eight together take.
        let cost = cost()
        let deadline = 2 * 400 * cost.secondsPerToken(sequences: 8)
        var estimate = estimate()
        var (now, arrivals, late, ended) = (0.0, 0.0, 0, 0)
        while now < 5 {
            while arrivals <= now {
                let newcomer = sequence(400, deadline: arrivals + deadline)
                if estimate.refusal(of: [newcomer], now: now) == nil { estimate.running.append(newcomer) }
                arrivals += 0.005
            }
            now += cost.secondsPerToken(sequences: estimate.running.count)
            for index in estimate.running.indices { estimate.running[index].answer -= 1 }
            for done in estimate.running.filter({ $0.answer <= 0 }) {
                ended += 1
                if done.deadline < now { late += 1 }
            }
            estimate.running.removeAll { $0.answer <= 0 }
        }
        // With eight at a time all the while.
        let eight = 5 / (400 * cost.secondsPerToken(sequences: 8)) * 8
        #expect(late == 0 && Double(ended) > 0.95 * eight, "\(late) late of \(ended); \(eight)")
    }
}

@Suite struct EfficientBatchTests {
    /// Steps of so many rows for two seconds, each of `milliseconds`.
    private func record(_ rows: Int, _ milliseconds: Double, in batch: inout EfficientBatch, seconds: Double = 2) {
        for _ in 0..<Int(seconds * 1_000 / milliseconds) {
            batch.record(rows: rows, duration: .microseconds(Int(1_000 * milliseconds)))
        }
    }

    @Test func `a size is tried as soon as the one before it is known`() {
        var batch = EfficientBatch()
        #expect(batch.rows(limit: 64) == EfficientBatch.least && batch.rows(limit: 4) == 4)
        record(16, 10, in: &batch)
        #expect(batch.rows(limit: 64) == 32 && batch.rows(limit: 20) == 20)
    }

    @Test func `where weights are what takes time, as many run as may`() {
        var batch = EfficientBatch()
        for rows in [16, 32, 64] { record(rows, 20 + 0.1 * Double(rows), in: &batch) }
        #expect(batch.rows(limit: 64) == 64)
    }

    @Test func `where each row takes its time, few run, until that is long ago`() {
        var batch = EfficientBatch()
        for rows in [16, 32, 64] { record(rows, 1 + Double(rows), in: &batch) }
        #expect(batch.rows(limit: 64) == 16)
        record(16, 17, in: &batch, seconds: 100)
        #expect(batch.rows(limit: 64) == 32)
    }
}

@Suite struct AnswerLengthsTests {
    @Test func `answers are expected to be as long as others were, as far as they may`() {
        var lengths = AnswerLengths()
        #expect(lengths.mean == nil && lengths.remaining(allowed: 100) == 100)
        for count in [10, 20, 30] { lengths.record(tokens: count, wasCut: false) }
        #expect(lengths.remaining(allowed: 100) == 20)
        #expect(lengths.remaining(allowed: 20) == 17)
        for _ in 0..<200 { lengths.record(tokens: 60, wasCut: false) }
        #expect(lengths.mean == 60 && lengths.remaining(allowed: 100) == 60)
    }

    @Test func `the longer an answer is, the fewer of the others tell`() {
        var lengths = AnswerLengths()
        for count in [10, 10, 10, 100] { lengths.record(tokens: count, wasCut: false) }
        #expect(lengths.remaining(generated: 10, allowed: 1_000) == 90)
        #expect(lengths.remaining(generated: 100, allowed: 1_000) == 256)
    }

    @Test func `an answer that was cut short says little about one that may be longer`() {
        var lengths = AnswerLengths()
        lengths.record(tokens: 16, wasCut: true)
        #expect(lengths.remaining(allowed: 16) == 16)
        #expect(lengths.remaining(allowed: 1_000) == 272)
    }
}
