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

    /// For a sender that can do the owner's work itself, as long as the owner sleeps. Then it must call `handBack`.
    /// - Returns: whether the owner was about to sleep; meanwhile `post` does not wake it.
    package func claim() -> Bool {
        state.withLock { state in
            defer { state.isOwnerAsleep = false }
            return state.isOwnerAsleep
        }
    }

    /// Ends a claim.
    /// - Parameter mustWake: the owner is needed after all, as it is when something was posted.
    package func handBack(mustWake: Bool) {
        let mustWake = state.withLock { state in
            guard !mustWake, state.elements.isEmpty else { return true }
            state.isOwnerAsleep = true
            return false
        }
        if mustWake { wake() }
    }

    /// Swaps the waiting elements with `batch`, which must be empty: its capacity is used again.
    package func take(into batch: inout [Element]) {
        precondition(batch.isEmpty, "the batch still holds \(batch.count) elements; empty it first")
        state.withLock { state in
            swap(&state.elements, &batch)
            state.isOwnerAsleep = false
        }
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
