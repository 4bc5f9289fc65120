import Concurrency
import Foundation
package import Layers
package import Messages
package import RPC
import Synchronization

/// Serves `nephele.v1.Trainer`: trains adapters of models, one job at a time, on threads that come after all others.
///
/// A model is read when a job begins, and let go when it ends: a trainer without a job takes next to no memory.
package struct TrainerService: RPCService {
    package struct Options: Sendable {
        /// The folder in which text-models find adapters: the same for all trainers.
        package var folder: String
        package var threads: Int
        /// How the models' own weights are held.
        package var precision = Precision.auto
        /// Steps from one checkpoint to the next.
        package var checkpointEvery = 50

        package init(folder: String, threads: Int) { (self.folder, self.threads) = (folder, threads) }
    }

    private let models: [String: String]
    private let options: Options
    private let folder: TrainerFolder
    private let gauge: LoadGauge
    private let turn = Turn()

    /// - Parameter models: directories by names.
    package init(models: [String: String], _ options: Options, gauge: LoadGauge) {
        (self.models, self.options, self.gauge) = (models, options, gauge)
        folder = TrainerFolder(options.folder)
    }

    /// What the instance says of itself.
    package var description: ServiceDescription {
        var description = ServiceDescription(service: "trainer")
        description.models = models.keys.sorted().map { name in
            var model = ModelDescription(name: name)
            model.modality = "text"
            return model
        }
        description.capacity = 1
        return description
    }

    package func register(with router: inout RPCRouter) {
        router.unary(Wire.Trainer.storeSamples) { request, _ in
            let piece = request.message
            return ServerReply(
                Wire.StoreSamplesReply(
                    size: try folder.store(piece.bytes, at: piece.offset, isHeldOut: piece.isHeldOut, of: piece.job)))
        }
        router.serverStreaming(Wire.Trainer.train) { request, writer, context in
            try await train(request.message, writer, context)
        }
    }

    private func train(
        _ request: Wire.TrainRequest, _ writer: ReplyWriter<Wire.TrainUpdate>, _ context: ServerContext
    ) async throws {
        guard let directory = models[request.model] else {
            throw RPCError(
                .notFound, "this trainer has \(models.keys.sorted().joined(separator: ", "))",
                reason: "model_not_found",
                field: "model")
        }
        let run = try TrainingRun(
            request, model: directory, folder, precision: options.precision, checkpointEvery: options.checkpointEvery)
        guard turn.take() else {
            throw RPCError(
                .resourceExhausted, "the trainer has a job already", reason: "trainer_busy", retryAfter: .seconds(1),
                notStarted: true)
        }
        gauge.addOutstanding(1)
        defer {
            gauge.addOutstanding(-1)
            turn.giveBack()
        }
        let adapter = try await onThread { [threads = options.threads] in
            try run.run(threads: threads, until: { context.isCancelled }) { update in
                try writer.offer(update, bound: .max)
            }
        }
        try await writer.write(Wire.TrainUpdate(adapter: adapter))
    }

    /// Does something on a thread that blocks nobody, behind everybody else's.
    private func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { done in
            do {
                _ = try DedicatedThread(name: "training", rank: .idle) { done.resume(with: Result { try body() }) }
            } catch {
                done.resume(throwing: RPCError(.resourceExhausted, "\(error)", notStarted: true))
            }
        }
    }

    /// Held by one job.
    private final class Turn: Sendable {
        private let isTaken = Mutex(false)

        func take() -> Bool {
            isTaken.withLock { isTaken in
                defer { isTaken = true }
                return !isTaken
            }
        }

        func giveBack() { isTaken.withLock { $0 = false } }
    }
}
