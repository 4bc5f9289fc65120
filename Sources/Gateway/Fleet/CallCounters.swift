import Synchronization

/// What became of calls and requests since the gateway started.
final class CallCounters: Sendable {
    private let migratedCalls = Atomic<Int>(0)
    private let givenUpCalls = Atomic<Int>(0)
    private let cancelledRequests = Atomic<Int>(0)
    private let refusedRequests = Atomic<Int>(0)
    private let fallbackRequests = Atomic<Int>(0)

    /// Calls that were made again after they had lost their instance.
    var migrated: Int { migratedCalls.load(ordering: .relaxed) }
    /// Calls that lost their instance too often.
    var givenUp: Int { givenUpCalls.load(ordering: .relaxed) }
    /// Requests whose client went before the answer was complete.
    var cancelled: Int { cancelledRequests.load(ordering: .relaxed) }
    /// Requests that would not have met their deadline.
    var refused: Int { refusedRequests.load(ordering: .relaxed) }

    /// Requests that went to another model of their route than the one chosen first.
    var fallbacks: Int { fallbackRequests.load(ordering: .relaxed) }

    func countFallback() { fallbackRequests.add(1, ordering: .relaxed) }
    func countMigrated() { migratedCalls.add(1, ordering: .relaxed) }
    func countGivenUp() { givenUpCalls.add(1, ordering: .relaxed) }
    func countCancelled() { cancelledRequests.add(1, ordering: .relaxed) }
    func countRefused() { refusedRequests.add(1, ordering: .relaxed) }
}
