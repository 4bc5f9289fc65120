import Foundation
import Messages
import RPC
import StateKeeping

/// A job that is worked on: what is known of it, its events, and how it ends.
actor FineTuningProgress {
    nonisolated let id: String
    private(set) var stored: StoredJob
    /// What the last trainer said that gave up.
    private(set) var lastFault = ""
    private let document: Wire.StateDocument
    private let store: FineTuningStore
    private let log: WorkLog
    private let worker: String
    /// The last step that the log has.
    private var lastStep = 0
    private var lastMessage = ""
    /// All of them, for the table of results.
    private var steps: [Int: Wire.TrainStep] = [:]
    private var savedAt = ContinuousClock.now

    private static let saveInterval: Duration = .seconds(2)

    init(_ document: Wire.StateDocument, _ store: FineTuningStore, _ log: WorkLog, worker: String) throws {
        (self.document, self.store, self.log, self.worker) = (document, store, log, worker)
        (id, stored) = (document.id, try StoredJob(document))
    }

    /// What whoever had the job before has written down.
    func readLog() async throws {
        var number = 0
        while true {
            let request = Wire.FindStateRequest(kind: store.jobs.kind, id: id, firstEntry: number)
            let entries = try await store.jobs.source.find(request).entries
            if entries.isEmpty { return }
            number += entries.count
            for bytes in entries {
                let event = try WorkLog.decode(Wire.TrainingEvent.self, bytes)
                lastMessage = event.message
                if let step = event.step { lastStep = max(lastStep, step.step) }
            }
        }
    }

    private func tell(_ message: String, level: String = "info", step: Wire.TrainStep? = nil) async {
        lastMessage = message
        await log.append(
            Wire.TrainingEvent(created: StateDocuments.now, level: level, message: message, step: step))
    }

    private func save() async throws {
        savedAt = .now
        let body = try stored.body()
        let isMade = try await store.jobs.update(id) { [worker] in
            ($0.worker, $0.body, $0.requiresOpen) = (worker, body, true)
            $0.lease = WorkLog.lease
        }
        guard isMade else { throw CancellationError() }
    }

    // MARK: While it is trained

    /// A trainer is about to be asked.
    func begin() async throws {
        stored.attempts += 1
        if stored.job.status != .running { stored.job.status = .validating_files }
        try await save()
    }

    func note(fault: String) { lastFault = fault }

    /// - Parameters:
    ///   - message: is told once.
    ///   - isTried: whether a trainer has had its chance.
    func wait(_ message: String?, isTried: Bool = true) async throws {
        if !isTried { stored.attempts = max(0, stored.attempts - 1) }
        if stored.job.status != .running { stored.job.status = .queued }
        if let message, message != lastMessage { await tell(message, level: "warn") }
        try await save()
    }

    func take(_ plan: Wire.TrainPlan) async throws {
        let isResumed = plan.firstStep > 0
        stored.job.status = .running
        await tell(
            isResumed
                ? "Training goes on behind step \(plan.firstStep) of \(plan.steps)."
                : "Files are validated: \(plan.samples) samples, \(plan.tokens) tokens; training begins, \(plan.steps) steps."
        )
        try await save()
    }

    func take(_ step: Wire.TrainStep) async throws {
        steps[step.step] = step
        if !step.adapter.isEmpty {
            try await store.keep(
                FineTuningCheckpoint(
                    id: "ftckpt_\(id.dropFirst("ftjob-".count))_\(step.step)", created_at: StateDocuments.now,
                    fine_tuned_model_checkpoint: stored.name(ofStep: step.step, of: step.steps), fine_tuning_job_id: id,
                    metrics: .init(step: step.step, train_loss: step.loss, valid_loss: step.heldOutLoss),
                    step_number: step.step, path: step.adapter), of: document)
        }
        guard step.step > lastStep else { return }
        (lastStep, stored.attempts) = (step.step, 0)
        let loss = String(format: "%.4f", step.loss)
        let heldOut = step.heldOutLoss.map { String(format: ", validation loss=%.4f", $0) } ?? ""
        await tell("Step \(step.step)/\(step.steps): training loss=\(loss)\(heldOut)", step: step)
        stored.job.estimated_finish = StateDocuments.now + Int64(step.left / .seconds(1))
        if .now - savedAt > Self.saveInterval { try await save() }
    }

    // MARK: The end

    func end(_ mark: FineTuningStore.Mark) async throws {
        stored.job.estimated_finish = nil
        switch mark {
        case .cancel:
            await tell("The job was cancelled.")
            (stored.job.status, stored.job.finished_at) = (.cancelled, StateDocuments.now)
        case .pause:
            await tell("The job is paused; what is trained is kept.")
            (stored.job.status, stored.attempts) = (.paused, 0)
        }
        let isPaused = mark == .pause
        await log.end(
            body: try stored.body(), outcome: isPaused ? nil : 0,
            expires: StateDocuments.now + StateDocuments.lifetime)
        // Its client may have had it go on meanwhile.
        let now = try await store.jobs.source.find(.init(kind: store.jobs.kind, id: id)).document
        if isPaused, now?.outcome == 0 { _ = try await store.jobs.update(id) { $0.isOpen = true } }
    }

    func fail(_ problem: FineTuningJob.Problem) async throws {
        await tell(problem.message, level: "error")
        (stored.job.status, stored.job.error) = (.failed, problem)
        (stored.job.finished_at, stored.job.estimated_finish) = (StateDocuments.now, nil)
        await log.end(body: try stored.body(), outcome: 0, expires: StateDocuments.now + StateDocuments.lifetime)
    }

    /// - Parameter serve: makes a model of an epoch's adapter; the last one is the job's result.
    func succeed(
        _ adapter: Wire.TrainedAdapter, serve: (FineTuningCheckpoint) async throws -> Void
    ) async throws {
        for checkpoint in try await store.checkpoints(of: document) { try await serve(checkpoint) }
        stored.job.result_files = [try await writeResults()]
        stored.job.fine_tuned_model = stored.name
        (stored.job.status, stored.job.trained_tokens) = (.succeeded, adapter.tokens)
        (stored.job.finished_at, stored.job.estimated_finish) = (StateDocuments.now, nil)
        await tell("New fine-tuned model created: \(stored.name)")
        await tell("The job has successfully completed.")
        await log.end(body: try stored.body(), outcome: 0, expires: FineTuningStore.expiry)
    }

    /// The loss of each step, as OpenAI's tables have it.
    private func writeResults() async throws -> String {
        var lines = "step,train_loss,valid_loss\n"
        for step in steps.values.sorted(by: { $0.step < $1.step }) {
            lines += "\(step.step),\(step.loss),\(step.heldOutLoss.map { "\($0)" } ?? "")\n"
        }
        var writer = try await store.files.writer(
            id: "file-" + id.dropFirst("ftjob-".count) + "-results", of: document.key)
        try await writer.write(Array(lines.utf8))
        return try await writer.end(
            name: "step_metrics.csv", purpose: "fine-tune-results", lifetime: StateDocuments.lifetime
        ).id
    }
}
