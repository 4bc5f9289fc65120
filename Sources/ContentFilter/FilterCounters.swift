internal import Synchronization

/// How often each rule took effect.
package final class FilterCounters: Sendable {
    package struct Key: Sendable, Hashable {
        package var rule: String
        package var action: FilterPolicy.Action
        package var direction: FilterPolicy.Direction
    }

    private let counts = Mutex<[Key: Int]>([:])

    package init() {}

    package var all: [Key: Int] { counts.withLock { $0 } }

    func count(rule: String, action: FilterPolicy.Action, _ direction: FilterPolicy.Direction) {
        counts.withLock { $0[Key(rule: rule, action: action, direction: direction), default: 0] += 1 }
    }
}
