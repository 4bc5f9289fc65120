internal import Synchronization

/// Runs tasks on a thread that has a loop of its own, for code so light that changing threads would cost more.
///
/// What prefers it (`withTaskExecutorPreference`) must not block and must not compute: the loop waits for it.
package final class LoopExecutor: TaskExecutor {
    /// A piece of a task, ready to run.
    package struct Job: Sendable {
        fileprivate let job: UnownedJob
        fileprivate let executor: LoopExecutor

        /// On the loop's thread; once.
        package func run() {
            job.runSynchronously(on: executor.asUnownedTaskExecutor())
        }
    }

    private let post: @Sendable (Job) -> Void
    private let isClosed = Mutex(false)

    /// `post` hands a job to the loop; every job handed over must run.
    package init(post: @escaping @Sendable (Job) -> Void) {
        self.post = post
    }

    /// The loop ends: it runs what was posted before, and the Swift pool what comes later.
    package func close() {
        isClosed.withLock { $0 = true }
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isPosted = isClosed.withLock { isClosed in
            if !isClosed { post(Job(job: job, executor: self)) }
            return !isClosed
        }
        if !isPosted { globalConcurrentExecutor.enqueue(job) }
    }
}
