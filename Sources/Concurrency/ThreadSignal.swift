internal import Glibc

/// Wakes one blocked thread. A signal given while nobody waits is kept (one, not a count).
package final class ThreadSignal: @unchecked Sendable {  // every field is used under `mutex`
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var isSignalled = false

    package init() {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    package func signal() {
        pthread_mutex_lock(mutex)
        isSignalled = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Blocks until signalled or until `deadline` has passed; takes the signal. Not from async code.
    /// - Returns: whether it was signalled.
    @discardableResult
    package func wait(until deadline: MonotonicInstant?) -> Bool {
        var limit = deadline?.timeSpecification ?? timespec()
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !isSignalled {
            let code =
                deadline == nil
                ? pthread_cond_wait(condition, mutex) : pthread_cond_timedwait(condition, mutex, &limit)
            if code == ETIMEDOUT { break }
        }
        defer { isSignalled = false }
        return isSignalled
    }
}
