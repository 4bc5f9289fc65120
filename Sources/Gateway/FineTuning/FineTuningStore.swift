import Accounts
import Foundation
import Messages
import RPC

/// What is kept of fine-tuning: jobs, whose logs are their events, the adapters of epochs' ends, and the models that came out.
struct FineTuningStore: Sendable {
    let jobs: StateDocuments
    let checkpoints: StateDocuments
    let models: StateDocuments
    let files: FileStore

    /// What is asked of an open job.
    enum Mark: UInt32, Sendable { case cancel = 1, pause }

    /// Adapters of epochs' ends that are kept.
    static let checkpointLimit = 3
    /// How long models that came out are kept where nobody deletes them.
    static var expiry: Int64 { StateDocuments.now + 10 * 365 * 86_400 }

    /// The job as its client sees it.
    ///
    /// - Throws: `APIError`, 404 where there is none, or it is another key's.
    func job(_ id: String, _ account: Account?) async throws -> FineTuningJob {
        try Self.job(try await jobs.document(id, of: account))
    }

    static func job(_ document: Wire.StateDocument) throws -> FineTuningJob {
        var job = try StoredJob(document).job
        guard document.isOpen else { return job }
        switch Mark(rawValue: document.outcome) {
        case .cancel: job.status = .cancelled
        case .pause: job.status = .paused
        // It goes on when a trainer has room.
        case nil where job.status == .paused: job.status = .queued
        case nil: break
        }
        return job
    }

    /// Keeps the adapter of an epoch's end, and no more than the latest few.
    func keep(_ checkpoint: FineTuningCheckpoint, of job: Wire.StateDocument) async throws {
        try await checkpoints.put([
            Wire.StateDocument(
                kind: checkpoints.kind, id: checkpoint.id, key: job.key, parent: job.id,
                body: Array(try JSONResponse.encoded(checkpoint)), expires: job.expires)
        ])
        for old in try await self.checkpoints(of: job).dropLast(Self.checkpointLimit) {
            _ = try await StateDocuments.told {
                try await checkpoints.source.delete(.init(kind: checkpoints.kind, id: old.id))
            }
        }
    }

    /// In the order of their steps.
    func checkpoints(of job: Wire.StateDocument) async throws -> [FineTuningCheckpoint] {
        let request = Wire.ListStateRequest(kind: checkpoints.kind, key: job.key, parent: job.id, limit: 1_000)
        return try await StateDocuments.told { try await checkpoints.source.list(request) }.documents
            .map { try JSONDecoder().decode(FineTuningCheckpoint.self, from: Data($0.body)) }
            .sorted { $0.step_number < $1.step_number }
    }
}
