import Glibc
import Synchronization

/// A fixed set of threads that divide the range of one task at a time.
///
/// A task is a C function with a context: no closures, no reference counting, no allocation. Threads claim
/// several chunks each through an atomic counter, so that a delayed thread delays only the chunk it holds. An
/// idle thread spins for at most 50 µs, then sleeps.
package final class WorkerPool: @unchecked Sendable {  // all state is atomic or guarded by `mutex`
    /// Computes the half-open range of a task's work.
    package typealias Task = @convention(c) (_ context: UnsafeRawPointer?, _ begin: Int, _ end: Int) -> Void

    private struct Job {
        var task: Task
        var context: UnsafeRawPointer?
        var count: Int
        var chunk: Int
    }

    /// Threads that compute, the caller's included.
    package let threadCount: Int

    private let generation = Atomic<Int>(0)
    private let next = Atomic<Int>(0)
    private let running = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    private var job: Job?
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wake: UnsafeMutablePointer<pthread_cond_t>
    private var threads: [pthread_t] = []
    private let callers = Mutex<Void>(())

    /// - Parameter threadCount: threads in all, at least 1.
    package init(threadCount: Int) {
        precondition(threadCount >= 1, "a worker pool needs at least one thread, not \(threadCount)")
        self.threadCount = threadCount
        mutex = .allocate(capacity: 1)
        wake = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wake, nil)
        for _ in 1..<max(threadCount, 1) {
            var thread = pthread_t()
            let context = Unmanaged.passUnretained(self).toOpaque()
            let status = pthread_create(
                &thread, nil,
                { context in
                    guard let context else { return nil }
                    Unmanaged<WorkerPool>.fromOpaque(context).takeUnretainedValue().work()
                    return nil
                }, context)
            if status == 0 { threads.append(thread) }
        }
    }

    deinit {
        stopping.store(true, ordering: .sequentiallyConsistent)
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(mutex)
        for thread in threads { pthread_join(thread, nil) }
        pthread_cond_destroy(wake)
        pthread_mutex_destroy(mutex)
        wake.deallocate()
        mutex.deallocate()
    }

    /// Computes [0, count) of `task` on all threads and returns when all of it is done. Concurrent callers wait
    /// for one another.
    ///
    /// - Parameter grain: the least work that is worth a chunk of its own.
    package func run(_ task: @escaping Task, context: UnsafeRawPointer?, count: Int, grain: Int = 1) {
        if count <= 0 { return }
        if threads.isEmpty || count <= grain {
            task(context, 0, count)
            return
        }
        callers.withLock { _ in
            let chunk = max(grain, (count + threadCount * 4 - 1) / (threadCount * 4))
            job = Job(task: task, context: context, count: count, chunk: chunk)
            next.store(0, ordering: .relaxed)
            running.store(threads.count, ordering: .relaxed)
            pthread_mutex_lock(mutex)
            generation.add(1, ordering: .sequentiallyConsistent)
            pthread_cond_broadcast(wake)
            pthread_mutex_unlock(mutex)
            claim()
            var spins = 0
            while running.load(ordering: .acquiring) > 0 {
                spins += 1
                if spins > 2_000 { sched_yield() }
            }
        }
    }

    private func claim() {
        guard let job else { return }
        while true {
            let begin = next.add(job.chunk, ordering: .relaxed).oldValue
            if begin >= job.count { return }
            job.task(job.context, begin, min(begin + job.chunk, job.count))
        }
    }

    private func work() {
        var seen = 0
        while true {
            if !waitForWork(after: seen) { return }
            seen += 1
            claim()
            running.subtract(1, ordering: .releasing)
        }
    }

    /// Returns false when the pool ends.
    private func waitForWork(after seen: Int) -> Bool {
        let deadline = Self.nanoseconds() + 50_000
        while Self.nanoseconds() < deadline {
            for _ in 0..<64 where generation.load(ordering: .acquiring) != seen { return true }
            if stopping.load(ordering: .relaxed) { return false }
        }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while generation.load(ordering: .acquiring) == seen {
            if stopping.load(ordering: .relaxed) { return false }
            pthread_cond_wait(wake, mutex)
        }
        return true
    }

    private static func nanoseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
