import Concurrency
import RPC
import Synchronization
import TextModels

/// Whether a request can be answered in time, told at once on the thread that asks: the engine's own loop looks at its
/// queue only between steps.
final class Forecast: Sendable {
    private struct State {
        var estimator = WaitEstimator()
        /// Sequences that run and that wait in the engine, and what work the latter are.
        var running = 0
        var waiting = 0
        var waitingWork = 0
        /// Those that the engine has not seen yet.
        var offered = 0
        var offeredWork = 0
    }

    private let state = Mutex(State())
    private let sequenceLimit: Int
    private let cachePositions: Int
    /// More time than it has been of late: steps grow longer as answers do, and others want the processor too; and an
    /// answer that comes too late is work for nothing.
    private static let caution = 1.4

    init(_ options: EngineCore.Options) {
        (sequenceLimit, cachePositions) = (options.sequenceLimit, options.cachePositions)
    }

    func publish(_ estimator: WaitEstimator, running: Int, waiting: Int, waitingWork: Int) {
        state.withLock { state in
            state.estimator = estimator
            (state.running, state.waiting, state.waitingWork) = (running, waiting, waitingWork)
        }
    }

    /// The engine has seen a request.
    func taken(_ work: Int) {
        state.withLock { state in
            state.offered -= 1
            state.offeredWork -= work
        }
    }

    /// Counts a request that is about to be offered, unless it would have to wait and its answer would come too late.
    ///
    /// - Returns: rows that it is counted for, until it is `taken`.
    /// - Throws: `RPCError` RESOURCE_EXHAUSTED that says when to try again.
    func admit(_ request: GenerationRequest, until deadline: MonotonicInstant?) throws -> Int {
        try state.withLock { state in
            let answer = min(request.maxTokens, state.estimator.answerLength)
            let work = (request.prompt.count + answer) * request.n
            // So many of its kind run together; more where they share what begins alike.
            var batch = max(1, min(sequenceLimit, cachePositions / max(1, request.prompt.count + answer)))
            if state.waiting > 0 { batch = max(batch, state.running) }
            // A call that has moved here is not turned away any more.
            if let deadline, request.resume.isEmpty,
                state.running + state.waiting + state.offered >= batch
            {
                let before = state.waitingWork + state.offeredWork + request.prompt.count
                if let time = state.estimator.time(behind: before, batch: batch, tokens: answer) {
                    try Self.check(time * Self.caution, deadline - .now)
                }
            }
            state.offered += 1
            state.offeredWork += work
            return work
        }
    }

    private static func check(_ time: Duration, _ left: Duration) throws {
        guard time > left else { return }
        throw RPCError(
            .resourceExhausted,
            "so many requests wait that this one would end in \(time.components.seconds + 1) s, after its deadline",
            reason: "too_late", retryAfter: .seconds((time - left).components.seconds + 1), notStarted: true)
    }
}
