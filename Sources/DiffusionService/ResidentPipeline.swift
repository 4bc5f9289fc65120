import Concurrency
package import DiffusionModels
import RPC
import Synchronization

/// A pipeline that is let go when nobody draws for long, and comes back for the next drawing. Whoever asks meanwhile waits.
package final class ResidentPipeline: Sendable {
    /// When it is let go, and how it comes back.
    package struct Unload: Sendable {
        /// For how long nobody has drawn then.
        package var after: Duration
        /// Whether it goes at once when it has been looked at.
        package var startsAway: Bool
        /// Loads it as it was, on a thread of its own.
        ///
        /// - Throws: `RPCError`, which those get that wait.
        package var load: @Sendable () throws -> DiffusionPipeline
        /// Is told when it has gone (true), and when it is there again (false).
        package var told: @Sendable (_ isUnloaded: Bool) -> Void

        package init(
            after: Duration, startsAway: Bool = false, load: @escaping @Sendable () throws -> DiffusionPipeline,
            told: @escaping @Sendable (_ isUnloaded: Bool) -> Void = { _ in }
        ) {
            (self.after, self.startsAway, self.load, self.told) = (after, startsAway, load, told)
        }
    }

    private let shelf: Shelf
    /// nil where the pipeline stays.
    private let thread: DedicatedThread?

    /// One that stays.
    package init(_ pipeline: DiffusionPipeline) { (shelf, thread) = (Shelf(pipeline), nil) }

    /// - Throws: when the system gives no thread.
    package init(_ pipeline: DiffusionPipeline, unload: Unload) throws {
        let shelf = Shelf(pipeline)
        self.shelf = shelf
        thread = try DedicatedThread(name: "diffusion-loader", rank: .computing) { shelf.run(unload) }
    }

    deinit { shelf.close() }

    /// Runs `body` with the pipeline, which stays until it has ended.
    ///
    /// - Throws: `RPCError` where it cannot come back; whatever `body` throws.
    func use<Result>(_ body: (DiffusionPipeline) async throws -> Result) async throws -> Result {
        let pipeline = try await shelf.taken()
        defer { shelf.giveBack() }
        return try await body(pipeline)
    }
}

/// Where the pipeline is, for those that draw and for the thread that lets it go and loads it.
private final class Shelf: Sendable {
    private typealias Wish = CheckedContinuation<DiffusionPipeline, any Error>

    private struct State {
        var pipeline: DiffusionPipeline?
        var users = 0
        /// From when on nobody has asked.
        var idleSince = ContinuousClock.now
    }

    private let state: Mutex<State>
    private let wishes = BoundedQueue<Wish>(capacity: 1_024)

    init(_ pipeline: DiffusionPipeline) { state = Mutex(State(pipeline: pipeline)) }

    func close() { wishes.close() }

    /// The pipeline, counted as used.
    ///
    /// - Throws: `RPCError` where it cannot come back.
    func taken() async throws -> DiffusionPipeline {
        if let own = ifThere() { return own }
        return try await withCheckedThrowingContinuation { wish in
            switch wishes.offer(wish) {
            case .accepted: break
            case .full:
                wish.resume(
                    throwing: RPCError(
                        .resourceExhausted, "\(wishes.capacity) drawings wait for the model already",
                        reason: "queue_full", retryAfter: .seconds(1), notStarted: true))
            case .closed:
                wish.resume(throwing: RPCError(.unavailable, "the engine has stopped", notStarted: true))
            }
        }
    }

    func giveBack() {
        state.withLock { state in
            state.users -= 1
            state.idleSince = .now
        }
    }

    private func ifThere() -> DiffusionPipeline? {
        state.withLock { state in
            if state.pipeline != nil { state.users += 1 }
            return state.pipeline
        }
    }

    // MARK: On the thread

    func run(_ unload: ResidentPipeline.Unload) {
        if unload.startsAway, letGo(after: .zero) { unload.told(true) }
        while !wishes.isClosed {
            let wait = timeToGo(after: unload.after)
            if let wish = wishes.take(until: wait.map { .now + $0 }) {
                answer(wish, unload)
            } else if letGo(after: unload.after) {
                HeapMemory.giveBack()
                unload.told(true)
            }
        }
    }

    /// Until the pipeline may go, at the earliest; nil where it is away.
    private func timeToGo(after idle: Duration) -> Duration? {
        state.withLock { state in
            if state.pipeline == nil { return nil }
            return state.users > 0 ? idle : max(.zero, idle - (ContinuousClock.now - state.idleSince))
        }
    }

    /// - Returns: whether it has gone.
    private func letGo(after idle: Duration) -> Bool {
        state.withLock { state in
            guard state.pipeline != nil, state.users == 0, .now - state.idleSince >= idle else { return false }
            state.pipeline = nil
            return true
        }
    }

    private func answer(_ wish: Wish, _ unload: ResidentPipeline.Unload) {
        if let own = ifThere() {
            wish.resume(returning: own)
            return
        }
        do {
            let pipeline = try unload.load()
            state.withLock { state in
                state.pipeline = pipeline
                state.users += 1
            }
            unload.told(false)
            wish.resume(returning: pipeline)
        } catch {
            wish.resume(throwing: RPCError(converting: error))
        }
    }
}
