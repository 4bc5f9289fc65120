import Synchronization

/// Tells the gateway's own worker that there may be something to do.
final class WorkSignal: Sendable {
    private struct State {
        var isSet = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func signal() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            state.isSet = state.waiter == nil
            return state.waiter
        }
        waiter?.resume()
    }

    /// Returns at the next signal, or after that time. One task waits at a time.
    func wait(atMost time: Duration) async {
        let timer = Task {
            try? await Task.sleep(for: time)
            if !Task.isCancelled { signal() }
        }
        defer { timer.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isSet = state.withLock { state in
                    defer { state.isSet = false }
                    if !state.isSet, !Task.isCancelled { state.waiter = continuation }
                    return state.isSet || Task.isCancelled
                }
                if isSet { continuation.resume() }
            }
        } onCancel: {
            signal()
        }
    }
}
