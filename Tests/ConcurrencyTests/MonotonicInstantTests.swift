import Concurrency
import Testing

@Suite struct MonotonicInstantTests {
    @Test func `it goes on, and adds and subtracts to the nanosecond`() {
        let first = MonotonicInstant.now
        #expect(MonotonicInstant.now >= first)
        #expect((first + .nanoseconds(1_500_000_001)) - first == .nanoseconds(1_500_000_001))
        #expect((first + .milliseconds(-5)) - first == .milliseconds(-5))
        #expect(first < first + .nanoseconds(1))
    }

    @Test func `what is beyond all time saturates`() {
        let never = MonotonicInstant.now + .seconds(Int64.max)
        #expect(never > .now)
        #expect(never + .seconds(1) >= never)
        #expect(MonotonicInstant.now + .seconds(Int64.min) < .now)
    }
}
