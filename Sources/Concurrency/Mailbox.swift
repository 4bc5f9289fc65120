internal import Synchronization

/// Many senders, one thread that takes everything at once; senders wake it only when it is about to sleep.
package final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var isOwnerAsleep = false
    }

    private let state = Mutex(State())
    private let wake: @Sendable () -> Void

    /// `wake` ends the owning thread's wait, on whatever it waits.
    package init(wake: @escaping @Sendable () -> Void) {
        self.wake = wake
    }

    package func post(_ element: Element) {
        let mustWake = state.withLock { state in
            state.elements.append(element)
            defer { state.isOwnerAsleep = false }
            return state.isOwnerAsleep
        }
        if mustWake { wake() }
    }

    /// Swaps the waiting elements with `batch`, which must be empty: its capacity is used again.
    package func take(into batch: inout [Element]) {
        precondition(batch.isEmpty, "the batch still holds \(batch.count) elements; empty it first")
        state.withLock { swap(&$0.elements, &batch) }
    }

    /// Says that the owner is going to wait: from now on the next `post` signals.
    /// - Returns: false when something has come meanwhile: take it instead of waiting.
    package func prepareToSleep() -> Bool {
        state.withLock { state in
            state.isOwnerAsleep = state.elements.isEmpty
            return state.isOwnerAsleep
        }
    }
}
