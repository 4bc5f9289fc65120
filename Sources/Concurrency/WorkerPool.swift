import Glibc
import Synchronization

/// A fixed set of threads that divide the range of one task at a time.
///
/// A task is a C function with a context: no closures, no reference counting, no allocation. Each thread has a share of
/// the range and claims it chunk by chunk, so that it works on what follows what it has just done; then it claims
/// from the others' shares, so that a delayed thread delays only the chunk it holds. An idle thread spins for at most
/// 50 µs, then sleeps.
package final class WorkerPool: Sendable {
    /// Computes the half-open range of a task's work.
    package typealias Task = @convention(c) (_ context: UnsafeRawPointer?, _ begin: Int, _ end: Int) -> Void

    /// Whether what is left of a task is not wanted any more. Each thread asks every few milliseconds.
    package typealias Interruption = @Sendable () -> Bool

    private let team: WorkerTeam
    private let callers = Mutex<Void>(())

    /// - Parameter threadCount: threads in all, the caller's included; at least 1.
    package init(threadCount: Int) {
        precondition(threadCount >= 1, "a worker pool needs at least one thread, not \(threadCount)")
        team = WorkerTeam(capacity: threadCount)
        team.start(threadCount - 1)
    }

    deinit { team.stop() }

    /// Threads that compute, the caller's included.
    package var threadCount: Int { team.threadCount }

    /// Computes [0, count) of `task` on all threads and returns when all of it is done. Concurrent callers wait
    /// for one another.
    ///
    /// - Parameters:
    ///   - grain: the least work that is worth a chunk of its own.
    ///   - isInterrupted: once it says so, the rest of the range is left out.
    package func run(
        _ task: @escaping Task, context: UnsafeRawPointer?, count: Int, grain: Int = 1,
        unless isInterrupted: Interruption? = nil
    ) {
        if count <= 0 { return }
        if count <= grain || team.threadCount == 1 && isInterrupted == nil {
            if isInterrupted?() != true { task(context, 0, count) }
            return
        }
        callers.withLock { _ in
            team.run(task, context: context, count: count, grain: grain, unless: isInterrupted)
        }
    }
}

/// What a pool's threads share. Each of them holds it, and the pool does: when the pool goes, it stops them.
private final class WorkerTeam: @unchecked Sendable {  // all state is atomic or guarded by `mutex`
    private struct Job {
        var task: WorkerPool.Task
        var context: UnsafeRawPointer?
        var count: Int
        var chunk: Int
        /// Chunks of one thread's share.
        var share: Int
        /// The least chunk, and what may end the work early.
        var grain: Int
        var isInterrupted: WorkerPool.Interruption?
    }

    /// Nanoseconds of an interruptible chunk, beyond which chunks do not grow.
    private static let slice = 5_000_000

    /// A thread that is started, and its place in the team.
    private final class Start: Sendable {
        let team: WorkerTeam
        let index: Int

        init(_ team: WorkerTeam, _ index: Int) { (self.team, self.index) = (team, index) }
    }

    private let generation = Atomic<Int>(0)
    /// Chunks claimed of each thread's share; each counter in a cache line of its own.
    private var claimed: UnsafeMutablePointer<Atomic<Int>>
    private static let counterStride = 64 / MemoryLayout<Atomic<Int>>.stride
    private let capacity: Int
    private let running = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    private var job: Job?
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wake: UnsafeMutablePointer<pthread_cond_t>
    private var threads: [pthread_t] = []

    init(capacity: Int) {
        self.capacity = capacity
        claimed = .allocate(capacity: capacity * Self.counterStride)
        for index in 0..<capacity * Self.counterStride { (claimed + index).initialize(to: Atomic(0)) }
        mutex = .allocate(capacity: 1)
        wake = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wake, nil)
    }

    deinit {
        pthread_cond_destroy(wake)
        pthread_mutex_destroy(mutex)
        wake.deallocate()
        mutex.deallocate()
        claimed.deinitialize(count: capacity * Self.counterStride)
        claimed.deallocate()
    }

    var threadCount: Int { threads.count + 1 }

    /// Starts as many threads as the system gives. Once, before anything runs.
    func start(_ count: Int) {
        for _ in 0..<count {
            var thread = pthread_t()
            let own = Unmanaged.passRetained(Start(self, threads.count + 1))
            let status = pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                    DedicatedThread.Rank.computing.take()
                    start.team.work(as: start.index)
                    return nil
                }, own.toOpaque())
            if status == 0 { threads.append(thread) } else { own.release() }
        }
    }

    /// Ends the threads; returns when they have gone.
    func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(mutex)
        for thread in threads { pthread_join(thread, nil) }
        threads = []
    }

    func run(
        _ task: @escaping WorkerPool.Task, context: UnsafeRawPointer?, count: Int, grain: Int,
        unless isInterrupted: WorkerPool.Interruption?
    ) {
        let chunk = max(grain, (count + threadCount * 4 - 1) / (threadCount * 4))
        let chunks = (count + chunk - 1) / chunk
        job = Job(
            task: task, context: context, count: count, chunk: chunk, share: (chunks + threadCount - 1) / threadCount,
            grain: grain, isInterrupted: isInterrupted)
        for thread in 0..<threadCount { counter(thread).pointee.store(0, ordering: .relaxed) }
        running.store(threads.count, ordering: .relaxed)
        pthread_mutex_lock(mutex)
        generation.add(1, ordering: .sequentiallyConsistent)
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(mutex)
        claim(as: 0)
        var spins = 0
        while running.load(ordering: .acquiring) > 0 {
            spins += 1
            if spins > 2_000 { sched_yield() }
        }
    }

    private func counter(_ thread: Int) -> UnsafeMutablePointer<Atomic<Int>> {
        claimed + thread * Self.counterStride
    }

    private func claim(as index: Int) {
        guard let job else { return }
        if let isInterrupted = job.isInterrupted { return claim(as: index, job, unless: isInterrupted) }
        let count = threadCount
        for offset in 0..<count {
            let owner = (index + offset) % count
            while true {
                let place = counter(owner).pointee.add(1, ordering: .relaxed).oldValue
                let begin = (owner * job.share + place) * job.chunk
                if place >= job.share || begin >= job.count { break }
                job.task(job.context, begin, min(begin + job.chunk, job.count))
            }
        }
    }

    /// As `claim`, by chunks that grow only as long as they are short; counters count units of work here.
    private func claim(as index: Int, _ job: Job, unless isInterrupted: WorkerPool.Interruption) {
        let count = threadCount
        let share = job.share * job.chunk
        var chunk = max(job.grain, job.chunk / 64)
        for offset in 0..<count {
            let owner = (index + offset) % count
            while !isInterrupted() {
                let place = counter(owner).pointee.add(chunk, ordering: .relaxed).oldValue
                let begin = owner * share + place
                if place >= share || begin >= job.count { break }
                let start = Self.nanoseconds()
                job.task(job.context, begin, min(begin + chunk, (owner + 1) * share, job.count))
                if Self.nanoseconds() - start < Self.slice, chunk < job.chunk { chunk = min(2 * chunk, job.chunk) }
            }
        }
    }

    private func work(as index: Int) {
        var seen = 0
        while true {
            if !waitForWork(after: seen) { return }
            seen += 1
            claim(as: index)
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
