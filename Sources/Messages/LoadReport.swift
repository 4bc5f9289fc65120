internal import CMessages

/// How busy an instance is, as its PONG says.
package struct LoadReport: Sendable, Equatable {
    /// Units of work accepted and not done: tokens or denoising steps.
    package var outstanding = 0
    /// Units that the instance works on at the same time; at least 1.
    package var capacity = 1
    package var runningCalls = 0
    package var isDraining = false
    /// Grows whenever the description has changed.
    package var describeEpoch: UInt64 = 0
    /// Steps finished: a moving count means busy, not stuck.
    package var steps: UInt64 = 0
    /// How long the running step has taken so far; `nil` when none runs.
    package var stepAge: Duration?
    package var slowestStep: Duration = .zero
    /// How long a call that came now would wait for its turn; `nil`: nobody waits, or nothing is known.
    package var expectedWait: Duration?
    /// Calls that were given up while they ran: their callers went, or their deadlines passed.
    package var cancelledCalls = 0
    /// Of instances that generate text.
    package var engine: EngineLoad?

    package init() {}

    /// No step for max(`patience`, 20 × the slowest seen): the instance takes no new calls and loses those that run.
    package func isStuck(after patience: Duration) -> Bool {
        guard let stepAge else { return false }
        return stepAge >= max(patience, slowestStep * 20)
    }
}

extension LoadReport: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__LoadReport>) { nephele__v1__load_report__init(c) }

    init(reading c: Nephele__V1__LoadReport) throws {
        outstanding = try size(c.outstanding, "outstanding")
        capacity = max(1, try size(c.capacity, "capacity"))
        runningCalls = Int(c.running_calls)
        isDraining = c.draining != 0
        describeEpoch = c.describe_epoch
        steps = c.steps
        stepAge = c.has_step_age_us != 0 ? Duration(wireMicroseconds: c.step_age_us) : nil
        slowestStep = Duration(wireMicroseconds: c.slowest_step_us)
        expectedWait = c.has_expected_wait_us != 0 ? Duration(wireMicroseconds: c.expected_wait_us) : nil
        cancelledCalls = try size(c.cancelled_calls, "cancelled_calls")
        engine = try c.engine.map { try EngineLoad(reading: $0.pointee) }
    }

    func write(to c: inout Nephele__V1__LoadReport, in arena: inout Arena) {
        c.has_outstanding = 1
        c.outstanding = outstanding.wire
        c.has_capacity = 1
        c.capacity = capacity.wire
        c.has_running_calls = 1
        c.running_calls = UInt32(clamping: runningCalls)
        c.has_draining = 1
        c.draining = isDraining ? 1 : 0
        c.has_describe_epoch = 1
        c.describe_epoch = describeEpoch
        c.has_steps = 1
        c.steps = steps
        if let stepAge {
            c.has_step_age_us = 1
            c.step_age_us = stepAge.microseconds
        }
        c.has_slowest_step_us = 1
        c.slowest_step_us = slowestStep.microseconds
        if let expectedWait { (c.has_expected_wait_us, c.expected_wait_us) = (1, expectedWait.microseconds) }
        (c.has_cancelled_calls, c.cancelled_calls) = (1, cancelledCalls.wire)
        if let engine { c.engine = arena.message(engine) }
    }
}
