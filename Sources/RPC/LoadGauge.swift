package import Messages
internal import Synchronization

/// What a service tells about its load: a few atomic counters, to be updated from any thread at any rate.
package final class LoadGauge: Sendable {
    private struct Part {
        weak var gauge: LoadGauge?
    }

    private let outstanding = Atomic<Int>(0)
    private let capacityUnits: Atomic<Int>
    private let steps = Atomic<UInt64>(0)
    /// Nanoseconds since `origin`; 0: no step runs.
    private let stepStart = Atomic<UInt64>(0)
    /// When the running step last got on.
    private let stepProgress = Atomic<UInt64>(0)
    private let slowest = Atomic<UInt64>(0)
    /// Nanoseconds.
    private let plainStep: UInt64
    /// Microseconds; 0: nobody waits.
    private let expected = Atomic<UInt64>(0)
    private let amendment = Mutex<(@Sendable (inout LoadReport) -> Void)?>(nil)
    private let ready = Atomic<Bool>(true)
    private let origin = ContinuousClock.now
    private let parts = Mutex<[Part]>([])

    /// - Parameter plainStep: how long a step may be before it is out of the way.
    package init(capacity: Int = 1, plainStep: Duration = .seconds(1)) {
        capacityUnits = Atomic(max(1, capacity))
        self.plainStep = plainStep.microseconds * 1_000
    }

    /// A gauge for a further engine behind the same server, which counts in this one's reports as long as it lives.
    package func part() -> LoadGauge {
        let gauge = LoadGauge(capacity: capacityUnits.load(ordering: .relaxed))
        parts.withLock { parts in
            parts.removeAll { $0.gauge == nil }
            parts.append(Part(gauge: gauge))
        }
        return gauge
    }

    /// Accepts (positive) or finishes (negative) units of work: tokens or denoising steps.
    package func addOutstanding(_ units: Int) {
        outstanding.add(units, ordering: .relaxed)
    }

    /// How long a call that came now would wait for its turn; nil where nobody waits, or nothing is known.
    package func setExpectedWait(_ time: Duration?) {
        expected.store(time.map { max(1, $0.microseconds) } ?? 0, ordering: .relaxed)
    }

    /// Lets whoever owns the gauge add to each report what the gauge does not know.
    package func amendReports(_ amend: @escaping @Sendable (inout LoadReport) -> Void) {
        amendment.withLock { $0 = amend }
    }

    /// A service that still loads its model is `starting` in Health.
    package var isReady: Bool {
        get { ready.load(ordering: .relaxed) }
        set { ready.store(newValue, ordering: .relaxed) }
    }

    /// The engine's loop starts a step; one engine, one step at a time.
    package func beginStep() {
        let now = max(1, sinceOrigin)
        stepProgress.store(now, ordering: .relaxed)
        stepStart.store(now, ordering: .relaxed)
    }

    /// The running step got on: however long it takes, its engine is not stuck. For steps that can be long.
    package func progressStep() { stepProgress.store(sinceOrigin, ordering: .relaxed) }

    package func endStep() {
        let start = stepStart.exchange(0, ordering: .relaxed)
        guard start != 0 else { return }
        // One step that a stopped process made long must not hide for ever that an engine is stuck.
        let bound = max(plainStep, 4 * slowest.load(ordering: .relaxed))
        slowest.max(min(sinceOrigin - start, bound), ordering: .relaxed)
        steps.add(1, ordering: .relaxed)
    }

    private var sinceOrigin: UInt64 {
        let (seconds, attoseconds) = (ContinuousClock.now - origin).components
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }

    package var report: LoadReport {
        let parts = parts.withLock { $0.compactMap(\.gauge) }
        var report = parts.reduce(ownReport) { $0.merged(with: $1.ownReport) }
        for gauge in [self] + parts { gauge.amendment.withLock { $0 }?(&report) }
        return report
    }

    private var ownReport: LoadReport {
        var report = LoadReport()
        report.outstanding = max(0, outstanding.load(ordering: .relaxed))
        report.capacity = capacityUnits.load(ordering: .relaxed)
        report.steps = steps.load(ordering: .relaxed)
        report.slowestStep = .nanoseconds(Int64(clamping: slowest.load(ordering: .relaxed)))
        let expected = expected.load(ordering: .relaxed)
        if expected > 0 { report.expectedWait = .microseconds(Int64(clamping: expected)) }
        let isRunning = stepStart.load(ordering: .relaxed) != 0
        let (progress, now) = (stepProgress.load(ordering: .relaxed), sinceOrigin)
        if isRunning { report.stepAge = .nanoseconds(Int64(clamping: now > progress ? now - progress : 0)) }
        return report
    }
}

extension LoadReport {
    /// Of two engines behind one server, of which most of the time one is busy.
    fileprivate func merged(with other: LoadReport) -> LoadReport {
        var report = self
        report.outstanding += other.outstanding
        report.steps += other.steps
        report.slowestStep = max(slowestStep, other.slowestStep)
        report.stepAge = [stepAge, other.stepAge].compactMap { $0 }.max()
        report.expectedWait = [expectedWait, other.expectedWait].compactMap { $0 }.max()
        return report
    }
}
