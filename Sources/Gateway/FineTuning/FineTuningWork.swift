import Logging
import Messages
import RPC

/// Has jobs trained by the trainers, and what comes out served.
///
/// A job is this gateway's as long as it renews the lease. When the gateway dies another one takes the job on, asks a trainer
/// for the same, and is told of all steps again; when the trainer dies, this one asks another trainer.
struct FineTuningWork: Sendable {
    let store: FineTuningStore
    let models: FineTunedModels
    let fleet: Fleet
    /// What this gateway is known by to the others.
    let worker: String

    /// Calls of trainers without a new step before a job fails: what kills trainers would kill the next one too.
    private static let attemptLimit = 5
    private static let markInterval: Duration = .milliseconds(300)
    private static let pause: Duration = .seconds(2)

    /// Takes on jobs.
    ///
    /// - Throws: `RPCError`.
    func claim() async throws -> [Wire.StateDocument] {
        fleet.trainer == nil ? [] : try await store.jobs.claim(limit: 4, by: worker)
    }

    /// Brings a job that was claimed as far as it goes.
    func advance(_ document: Wire.StateDocument) async {
        await WorkLog.hold(document, in: store.jobs.source, of: worker) { log in
            do { try await run(document, log) } catch {
                if !Task.isCancelled {
                    Logger(label: "nephele-gateway").error("work on the fine-tuning job \(document.id): \(error)")
                }
                await log.release(for: Task.isCancelled ? .zero : Self.pause)
            }
        }
    }

    private func run(_ document: Wire.StateDocument, _ log: WorkLog) async throws {
        let progress = try FineTuningProgress(document, store, log, worker: worker)
        try await progress.readLog()
        if let mark = FineTuningStore.Mark(rawValue: document.outcome) { return try await progress.end(mark) }
        guard let trainer = fleet.trainer, isServed(await progress.stored.base, by: trainer) else {
            try await progress.wait("No trainer has the model now; the job waits for one.")
            return await log.release(for: Self.pause)
        }
        guard await progress.stored.attempts < Self.attemptLimit else {
            return try await progress.fail(
                .init(
                    code: "trainer_lost",
                    message:
                        "\(Self.attemptLimit) trainers were lost or gave up under the job without a step; their logs say "
                        + "why. \(await progress.lastFault)"))
        }
        do {
            switch try await outcome(progress, trainer) {
            case .marked(let mark): try await progress.end(mark)
            case .trained(let adapter):
                try await progress.succeed(adapter) { checkpoint in
                    try await models.serve(
                        checkpoint.fine_tuned_model_checkpoint, base: await progress.stored.base,
                        path: checkpoint.path ?? "", of: document)
                }
            }
        } catch let error as RPCError {
            try await recover(from: error, progress, log)
        } catch let error as APIError where error.status == .notFound && error.code == "model_not_found" {
            // A gateway that has just begun may not have found the text-models yet, or they come back.
            try await progress.wait(
                "The adapter is trained; no text-model serves its model now, and the job waits for one.", isTried: false
            )
            await log.release(for: Self.pause)
        } catch let error as APIError where error.status.code < 500 && error.status.code != 429 {
            try await progress.fail(
                .init(
                    code: error.code ?? "adapter_not_loaded",
                    message:
                        "The adapter is trained, but it cannot be served: \(error.message) Trainers and text-models need "
                        + "the same --adapter-folder."))
        }
    }

    private func isServed(_ model: String, by trainer: RPCClient) -> Bool {
        trainer.readyInstances.contains { $0.description.models.contains { $0.name == model } }
    }

    private enum Outcome: Sendable {
        case trained(Wire.TrainedAdapter)
        case marked(FineTuningStore.Mark)
    }

    /// What comes first: the end of the training, or a client's wish that it stops.
    private func outcome(_ progress: FineTuningProgress, _ trainer: RPCClient) async throws -> Outcome {
        try await withThrowingTaskGroup(of: Outcome.self) { group in
            group.addTask { .trained(try await train(progress, trainer)) }
            group.addTask { .marked(try await mark(of: progress.id)) }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }

    private func mark(of id: String) async throws -> FineTuningStore.Mark {
        while true {
            try await Task.sleep(for: Self.markInterval)
            let request = Wire.FindStateRequest(kind: store.jobs.kind, id: id)
            // A state that cannot be reached for a moment stops nothing.
            guard let reply = try? await store.jobs.source.find(request) else { continue }
            guard let document = reply.document else { return .cancel }
            if let mark = FineTuningStore.Mark(rawValue: document.outcome) { return mark }
        }
    }

    private func train(_ progress: FineTuningProgress, _ trainer: RPCClient) async throws -> Wire.TrainedAdapter {
        let stored = await progress.stored, job = stored.job
        func has(_ model: String) -> @Sendable (ServiceDescription) -> Bool {
            { $0.models.contains { $0.name == model } }
        }
        let options = CallOptions(filter: has(stored.base)), numbers = job.method.hyperparameters
        var request = Wire.TrainRequest(
            job: job.id, model: stored.base, method: job.method.type.trainerName,
            startingAdapter: stored.startingAdapter,
            epochs: numbers.n_epochs, batch: numbers.batch_size,
            learningRate: job.method.type.learningRate * numbers.learning_rate_multiplier, beta: numbers.beta ?? 0.1,
            desirableWeight: numbers.desirable_weight ?? 1, undesirableWeight: numbers.undesirable_weight ?? 1,
            rank: numbers.rank ?? 16, seed: UInt64(job.seed))
        request.samplesSize = try await size(of: job.training_file)
        request.heldOutSize = if let file = job.validation_file { try await size(of: file) } else { 0 }
        try await progress.begin()
        do { return try await follow(request, progress, trainer, options) } catch let error as RPCError
            where error.reason == "samples_missing"
        {
            try await send(job.training_file, isHeldOut: false, of: job.id, to: trainer, options)
            if let file = job.validation_file {
                try await send(file, isHeldOut: true, of: job.id, to: trainer, options)
            }
        }
        do { return try await follow(request, progress, trainer, options) } catch var error as RPCError
            where error.reason == "samples_missing"
        {
            error.reason = "folder_not_shared"
            error.message =
                "A trainer does not find the samples that were sent: trainers need one --adapter-folder in common."
            throw error
        }
    }

    private func follow(
        _ request: Wire.TrainRequest, _ progress: FineTuningProgress, _ trainer: RPCClient, _ options: CallOptions
    ) async throws -> Wire.TrainedAdapter {
        for try await reply in try await trainer.stream(Wire.Trainer.train, request, options) {
            if let adapter = reply.message.adapter { return adapter }
            if let plan = reply.message.plan { try await progress.take(plan) }
            if let step = reply.message.step { try await progress.take(step) }
        }
        throw RPCError(.unavailable, "the trainer ended without a result")
    }

    private func size(of file: String) async throws -> Int {
        let reply = try await store.files.files.source.find(.init(kind: store.files.files.kind, id: file))
        guard let document = reply.document else {
            throw RPCError(
                .failedPrecondition, "the file \(file) is gone", reason: "invalid_training_file", field: "training_file"
            )
        }
        return try FileStore.object(document).bytes
    }

    private func send(
        _ file: String, isHeldOut: Bool, of job: String, to trainer: RPCClient, _ options: CallOptions
    ) async throws {
        var (number, offset) = (0, 0)
        while true {
            let pieces = try await store.files.pieces(of: file, from: number)
            if pieces.isEmpty { return }
            number += pieces.count
            for bytes in pieces {
                let piece = Wire.StoreSamplesRequest(job: job, isHeldOut: isHeldOut, offset: offset, bytes: bytes)
                _ = try await trainer.call(Wire.Trainer.storeSamples, piece, options)
                offset += bytes.count
            }
        }
    }

    /// Ends the job where it is at fault, and leaves it to a later try where a trainer is.
    private func recover(from error: RPCError, _ progress: FineTuningProgress, _ log: WorkLog) async throws {
        switch error.code {
        case .invalidArgument, .failedPrecondition, .notFound, .unimplemented, .internalError, .outOfRange:
            try await progress.fail(
                .init(
                    code: error.reason.isEmpty ? "training_failed" : error.reason, message: error.message,
                    param: error.field.isEmpty ? nil : error.field))
        case .resourceExhausted where error.notStarted:
            try await progress.wait("All trainers are busy; the job waits for its turn.", isTried: false)
            await log.release(for: Self.pause / 2)
        case .aborted:
            // Another gateway's trainer has not heard yet that nobody waits for it.
            try await progress.wait(nil, isTried: false)
            await log.release(for: Self.pause / 2)
        default:
            try Task.checkCancellation()
            await progress.note(fault: error.message)
            try await progress.wait("The trainer was lost or gave up; another one goes on from the last checkpoint.")
            await log.release(for: .milliseconds(500))
        }
    }
}
