internal import Glibc

/// A moment of the system's monotonic clock; it compares with others of the same run of the machine.
///
/// `ContinuousClock.Instant` is opaque outside its library: whatever holds one is laid out, copied and destroyed through
/// run-time metadata. This one is a number.
package struct MonotonicInstant: Sendable, Hashable, Comparable {
    /// Since the machine's start.
    private let nanoseconds: Int64

    package static var now: MonotonicInstant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    package static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Saturates some 290 years from the machine's start.
    package static func + (instant: MonotonicInstant, duration: Duration) -> MonotonicInstant {
        let (seconds, attoseconds) = duration.components
        let (scaled, isHuge) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isBeyond) = instant.nanoseconds.addingReportingOverflow(scaled)
        guard !isHuge, !isBeyond else { return MonotonicInstant(nanoseconds: seconds < 0 ? .min : .max) }
        let (total, isOver) = sum.addingReportingOverflow(attoseconds / 1_000_000_000)
        return MonotonicInstant(nanoseconds: isOver ? sum : total)
    }

    package static func - (left: MonotonicInstant, right: MonotonicInstant) -> Duration {
        .nanoseconds(left.nanoseconds.subtractingReportingOverflow(right.nanoseconds).partialValue)
    }

    /// As the C library's timed waits want it.
    var timeSpecification: timespec {
        let (seconds, rest) = max(0, nanoseconds).quotientAndRemainder(dividingBy: 1_000_000_000)
        return timespec(tv_sec: Int(seconds), tv_nsec: Int(rest))
    }
}
