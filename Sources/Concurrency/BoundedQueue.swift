internal import Synchronization

/// Links threads and async code. Never blocks a producer: a full queue refuses.
///
/// One consumer at a time: either a thread (`take`) or a task (`next`).
package final class BoundedQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element?] = []
        var head = 0
        var isClosed = false
        var waiter: CheckedContinuation<Element?, Never>?

        var count: Int { elements.count - head }

        mutating func pop() -> Element? {
            guard head < elements.count else { return nil }
            let element = elements[head]
            elements[head] = nil
            head += 1
            if head == elements.count {
                elements.removeAll(keepingCapacity: true)
                head = 0
            } else if head >= 1024 {
                elements.removeFirst(head)
                head = 0
            }
            return element
        }
    }

    /// What became of an offered element.
    package enum Offer: Sendable, Equatable {
        case accepted
        case full
        case closed
    }

    package let capacity: Int
    private let state = Mutex(State())
    private let signal = ThreadSignal()

    package init(capacity: Int) {
        precondition(capacity > 0, "a queue with capacity \(capacity) accepts nothing; give at least 1")
        self.capacity = capacity
    }

    package var count: Int { state.withLock { $0.count } }

    package var isClosed: Bool { state.withLock { $0.isClosed } }

    package func offer(_ element: Element) -> Offer {
        let (offer, waiter) = state.withLock { state -> (Offer, CheckedContinuation<Element?, Never>?) in
            if state.isClosed { return (.closed, nil) }
            if let waiter = state.waiter {
                state.waiter = nil
                return (.accepted, waiter)
            }
            guard state.count < capacity else { return (.full, nil) }
            state.elements.append(element)
            return (.accepted, nil)
        }
        if let waiter {
            waiter.resume(returning: element)
        } else if offer == .accepted {
            signal.signal()
        }
        return offer
    }

    /// No more elements; those that wait can still be taken.
    package func close() {
        let waiter = state.withLock { state in
            state.isClosed = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
        signal.signal()
    }

    /// Blocks the calling thread until an element comes. Not from async code.
    /// - Returns: `nil` when the queue is closed and empty, or `deadline` has passed.
    package func take(until deadline: MonotonicInstant? = nil) -> Element? {
        while true {
            let (element, isClosed) = state.withLock { ($0.pop(), $0.isClosed) }
            if element != nil || isClosed { return element }
            if !signal.wait(until: deadline), deadline != nil { return state.withLock { $0.pop() } }
        }
    }

    /// Everything that waits, without waiting.
    package func takeAll() -> [Element] {
        state.withLock { state in
            defer {
                state.elements.removeAll(keepingCapacity: true)
                state.head = 0
            }
            return state.elements[state.head...].compactMap { $0 }
        }
    }

    /// Suspends until an element comes.
    /// - Returns: `nil` when the queue is closed and empty, or the task was cancelled.
    package func next() async -> Element? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready: Element?? = state.withLock { state in
                    precondition(state.waiter == nil, "two tasks take from one queue; it has one consumer")
                    if let element = state.pop() { return .some(element) }
                    if state.isClosed || Task.isCancelled { return .some(nil) }
                    state.waiter = continuation
                    return .none
                }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(returning: nil)
        }
    }
}
