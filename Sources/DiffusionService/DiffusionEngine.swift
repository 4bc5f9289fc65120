import Concurrency
import DiffusionModels
import Messages
package import RPC

/// Runs drawings on a thread of its own, gives each the same share of its time, and sends their progress to the callers.
package final class DiffusionEngine: Sendable {
    package struct Options: Sendable {
        /// Drawings that take turns, at most.
        package var runningLimit = 4
        /// Drawings that wait, at most.
        package var queueLimit = 256

        package init() {}
    }

    /// A drawing before it has a caller.
    struct Assignment: Sendable {
        var job: DiffusionJob
        var seeds: [UInt64]
        /// Whether it has lost an instance: it is announced before it is computed, and sends a checkpoint each step.
        var isQuarantined: Bool
        var previews: PreviewSchedule
    }

    /// A drawing with its caller.
    struct Drawing: Sendable {
        var job: DiffusionJob
        var seeds: [UInt64]
        var isQuarantined: Bool
        var previews: PreviewSchedule
        var isAnnounced = false
        /// When the last checkpoint was sent, or the work began.
        var savedAt = ContinuousClock.now
        /// The engine's time that it has had; a newcomer begins with the least that another one has had.
        var spent: Duration = .zero
        var writer: ReplyWriter<Wire.DrawUpdate>
        var context: ServerContext
        var done: CheckedContinuation<Void, any Error>

        /// Updates that may wait for the reader. Every one fits: one a step, one a preview and one a picture, and one that
        /// says that it starts.
        var updateBound: Int { job.steps + (previews.count + 1) * seeds.count + 1 }
        /// Denoising steps of all its pictures that are still to be done.
        var outstanding: Int { (job.steps - job.completedSteps) * seeds.count }
    }

    private let queue: BoundedQueue<Drawing>
    private let thread: DedicatedThread
    private let forecast: DrawingForecast

    /// - Throws: when the system gives no thread.
    package init(options: Options = Options(), gauge: LoadGauge) throws {
        let queue = BoundedQueue<Drawing>(capacity: options.queueLimit)
        self.queue = queue
        let forecast = DrawingForecast()
        self.forecast = forecast
        thread = try DedicatedThread(name: "diffusion-engine", rank: .computing) {
            var loop = DiffusionEngineLoop(runningLimit: options.runningLimit, gauge: gauge, forecast: forecast)
            loop.run(queue)
        }
    }

    deinit { queue.close() }

    /// Draws until every picture has been handed over or the caller is gone.
    ///
    /// - Throws: `RPCError`: RESOURCE_EXHAUSTED when the queue is full, CANCELLED when the caller is gone,
    ///   DEADLINE_EXCEEDED at once for what cannot be done in time.
    func draw(
        _ assignment: Assignment, to writer: ReplyWriter<Wire.DrawUpdate>, _ context: ServerContext
    ) async throws {
        try forecast.check(assignment.job, until: context.deadline)
        try await withCheckedThrowingContinuation { done in
            let drawing = Drawing(
                job: assignment.job, seeds: assignment.seeds, isQuarantined: assignment.isQuarantined,
                previews: assignment.previews, writer: writer, context: context, done: done)
            switch queue.offer(drawing) {
            case .accepted: break
            case .full:
                done.resume(
                    throwing: RPCError(
                        .resourceExhausted, "\(queue.capacity) drawings wait already", reason: "queue_full",
                        retryAfter: .seconds(1), notStarted: true))
            case .closed:
                done.resume(throwing: RPCError(.unavailable, "the engine has stopped", notStarted: true))
            }
        }
    }
}
