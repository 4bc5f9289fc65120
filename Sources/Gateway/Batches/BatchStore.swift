import Accounts
import Messages
import RPC

/// What is kept of batches: each is a document, and each of its lines is one.
struct BatchStore: Sendable {
    let batches: StateDocuments
    let lines: StateDocuments
    let files: FileStore

    /// What lines may ask.
    static let endpoints = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"]
    /// Seconds in which a batch ends.
    static let window: Int64 = 86_400
    /// Says of an open batch that it is to be cancelled.
    static let cancelMark: UInt32 = 1
    static let lineLimit = 50_000

    /// The batch as its client sees it.
    ///
    /// - Throws: `APIError`, 404 where there is none, or it is another key's.
    func batch(_ id: String, _ account: Account?) async throws -> BatchObject {
        let document = try await batches.document(id, of: account)
        var batch = try StoredBatch(document).batch
        guard document.isOpen else { return batch }
        if document.outcome == Self.cancelMark {
            batch.status = .cancelling
            batch.cancelling_at = batch.cancelling_at ?? StateDocuments.now
        }
        let counts = try await counts(of: id)
        (batch.request_counts.completed, batch.request_counts.failed) = (counts.completed, counts.failed)
        return batch
    }

    /// How the lines of a batch stand.
    func counts(of id: String) async throws -> (open: Int, completed: Int, failed: Int) {
        let request = Wire.TallyStateRequest(kind: lines.kind, parent: id)
        let tally = try await StateDocuments.told { try await lines.source.tally(request) }
        let counts = Dictionary(zip(tally.outcomes.map(Int.init), tally.counts.map(Int.init))) { $1 }
        let ended = counts.values.reduce(0, +) - counts[0, default: 0]
        let completed = counts[Int(BatchLine.Outcome.completed.rawValue), default: 0]
        return (counts[0, default: 0], completed, ended - completed)
    }
}
