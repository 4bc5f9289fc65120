import Concurrency
import Layers
import RPC
import Synchronization
import TextGeneration
import TextModels

/// When a later shard lets its layers go, and how they come back: what it keeps of sequences goes with them, and is given to
/// it again.
package struct ShardUnload: Sendable {
    /// For how long nobody has called then.
    package var after: Duration
    /// Whether they go at once when they have been looked at.
    var startsAway = false
    /// Loads the layers as they were, on the engine's thread.
    var load: @Sendable () throws -> any TextModel
    /// Is told when they have gone (true), and when they are there again (false).
    var told: @Sendable (_ isUnloaded: Bool) -> Void
}

/// Runs a `ShardCore`, one call after the other.
final class TextShardEngine: Sendable {
    private struct Job: Sendable {
        enum Work: Sendable {
            case forward(ShardCall, [String: LowRankAdapter], CheckedContinuation<ShardAnswer, any Error>)
            case release([UInt64], CheckedContinuation<Void, Never>)
            /// Only has the layers loaded.
            case wake(CheckedContinuation<Void, any Error>)
        }

        var owner: String
        var work: Work
        var context: ServerContext?
    }

    let shape: DecoderShape
    let layers: Range<Int>
    private let queue = BoundedQueue<Job>(capacity: 1_024)
    private let gauge: LoadGauge
    private let thread: DedicatedThread

    /// - Parameters:
    ///   - model: the layers.
    ///   - make: makes the core, also of layers that come again.
    /// - Throws: what `make` throws, and when the system gives no thread.
    init(
        _ model: any TextModel, unload: ShardUnload?, resident: ResidentModel?, gauge: LoadGauge,
        make: @escaping @Sendable (any TextModel) throws(TextModelError) -> ShardCore
    ) throws {
        (shape, layers, self.gauge) = (model.shape, model.layers, gauge)
        let queue = queue
        // The thread's alone: nothing else may hold the layers.
        let first = Mutex<ShardCore?>(try make(model))
        thread = try DedicatedThread(name: "text-shard", rank: .computing) {
            var core = first.withLock { $0.take() }
            var limit = unload?.startsAway == true ? Duration.zero : unload?.after
            while true {
                guard let job = queue.take(until: core == nil ? nil : limit.map { .now + $0 }) else {
                    if queue.isClosed { return }
                    core = nil
                    limit = unload?.after
                    resident?.set(nil)
                    HeapMemory.giveBack()
                    unload?.told(true)
                    continue
                }
                do {
                    if core == nil, case .release = job.work {
                    } else if core == nil, let unload {
                        let model = try unload.load()
                        core = try make(model)
                        resident?.set(model)
                        unload.told(false)
                    }
                    Self.run(job, &core, gauge)
                } catch {
                    Self.fail(job, error)
                }
            }
        }
    }

    deinit { queue.close() }

    /// - Parameter core: nil for layers that were let go, which have no sequences.
    private static func run(_ job: Job, _ core: inout ShardCore?, _ gauge: LoadGauge) {
        switch job.work {
        case .wake(let done): done.resume()
        case .release(let sequences, let done):
            core?.release(sequences, owner: job.owner)
            done.resume()
        case .forward(let call, let adapters, let done):
            guard job.context?.isCancelled != true else {
                done.resume(throwing: RPCError(.cancelled, "the caller is gone", notStarted: true))
                return
            }
            gauge.beginStep()
            let answer = Result { () throws(TextModelError) in
                guard let answer = try core?.forward(call, owner: job.owner, adapters: adapters) else {
                    throw TextModelError(.resourceExhausted, "the layers are not loaded")
                }
                return answer
            }
            gauge.endStep()
            done.resume(with: answer.mapError { RPCError(textModel: $0) })
        }
    }

    /// The layers cannot come back.
    private static func fail(_ job: Job, _ error: any Error) {
        var error =
            (error as? TextModelError).map { RPCError(textModel: $0) } ?? RPCError(converting: error)
        // Another replica has the same files: the call must not go round.
        if error.code == .unavailable { error.code = .internalError }
        switch job.work {
        case .wake(let done): done.resume(throwing: error)
        case .release(_, let done): done.resume()
        case .forward(_, _, let done): done.resume(throwing: error)
        }
    }

    /// Has the layers loaded where they were let go.
    func wake(_ context: ServerContext) async throws {
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            offer(Job(owner: "", work: .wake(done), context: context)) { done.resume(throwing: $0) }
        }
    }

    /// - Throws: `RPCError`: RESOURCE_EXHAUSTED when the queue or the cache is full.
    func forward(
        _ call: ShardCall, owner: String, _ adapters: [String: LowRankAdapter], _ context: ServerContext
    ) async throws -> ShardAnswer {
        gauge.addOutstanding(call.rows.rowCount)
        defer { gauge.addOutstanding(-call.rows.rowCount) }
        return try await withCheckedThrowingContinuation { done in
            offer(Job(owner: owner, work: .forward(call, adapters, done), context: context)) {
                done.resume(throwing: $0)
            }
        }
    }

    func release(_ sequences: [UInt64], owner: String) async throws {
        await withCheckedContinuation { done in
            // What is not released is the first to go when pages are needed.
            offer(Job(owner: owner, work: .release(sequences, done))) { _ in done.resume() }
        }
    }

    private func offer(_ job: Job, refused: (RPCError) -> Void) {
        switch queue.offer(job) {
        case .accepted: break
        case .full:
            refused(
                RPCError(
                    .resourceExhausted, "\(queue.capacity) calls wait already", reason: "queue_full",
                    retryAfter: .seconds(1), notStarted: true))
        case .closed: refused(RPCError(.unavailable, "the shard has stopped", notStarted: true))
        }
    }
}
