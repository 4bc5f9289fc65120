internal import CLinux
internal import Glibc
internal import Synchronization

/// A thread of its own for work that blocks or spins: the Swift concurrency pool never does.
package final class DedicatedThread: Sendable {
    /// Which threads come first where there are more than processors.
    package enum Rank: Int32, Sendable {
        /// Carries messages: hardly any work, and others wait for it.
        case serving = 0
        /// Computes for as long as it is let: whoever serves goes before it, so that a machine that is busy to its last
        /// processor still answers, above all those that it has to turn away.
        case computing = 5
        /// Has time: it computes where nobody else does. Threads that it starts come as late, or later.
        case idle = 14
    }

    private struct State {
        var isFinished = false
    }

    private let finished = ThreadSignal()
    private let state = Mutex(State())

    /// Starts the thread. `name` is cut to 15 bytes, Linux's limit.
    /// - Throws: `ConcurrencyError` when the system gives no thread.
    package init(name: String, rank: Rank = .serving, _ body: @escaping @Sendable () -> Void) throws {
        let start = Unmanaged.passRetained(ThreadStart(name: name, rank: rank, body: body, owner: self))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
                _ = nephele_name_thread(start.name)
                start.rank.take()
                start.body()
                start.owner.finish()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw ConcurrencyError(
                message: "thread \(name) could not start (error \(code)); raise the limit of threads (ulimit -u)")
        }
    }

    private func finish() {
        state.withLock { $0.isFinished = true }
        finished.signal()
    }

    /// Blocks until the body has returned. Never from the thread itself, nor from async code.
    package func join() {
        while !state.withLock({ $0.isFinished }) { finished.wait(until: nil) }
        finished.signal()  // the next joiner, if any
    }
}

private final class ThreadStart: Sendable {
    let name: String
    let rank: DedicatedThread.Rank
    let body: @Sendable () -> Void
    let owner: DedicatedThread

    init(
        name: String, rank: DedicatedThread.Rank, body: @escaping @Sendable () -> Void, owner: DedicatedThread
    ) {
        (self.name, self.rank) = (name, rank)
        self.body = body
        self.owner = owner
    }
}

extension DedicatedThread.Rank {
    /// Gives it to the thread that runs. Where the system refuses, all stay equal.
    func take() {
        if self != .serving { _ = nephele_add_niceness(rawValue) }
    }
}

/// The system refused something that a thread or a queue needs.
package struct ConcurrencyError: Error, CustomStringConvertible {
    package let message: String

    package init(message: String) {
        self.message = message
    }

    package var description: String { message }
}
