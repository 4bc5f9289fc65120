import Accounts
import Messages
import RPC

/// What is kept of batches: each is a document, and each of its lines is one.
struct BatchStore: Sendable {
    let batches: StateDocuments
    let lines: StateDocuments
    let files: FileStore

    /// What lines may ask.
    static let endpoints = [
        "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages", "/v1/moderations",
    ]
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
        let counts = try await outcomes(of: id)
        let ended = counts.values.reduce(0, +) - counts[0, default: 0]
        let completed = counts[BatchLine.Outcome.completed.rawValue, default: 0]
        return (counts[0, default: 0], completed, ended - completed)
    }

    /// How many lines of a batch have ended how; 0 are those that have not.
    func outcomes(of id: String) async throws -> [UInt32: Int] {
        let request = Wire.TallyStateRequest(kind: lines.kind, parent: id)
        let tally = try await StateDocuments.told { try await lines.source.tally(request) }
        return Dictionary(zip(tally.outcomes.map { UInt32($0) }, tally.counts.map { Int($0) })) { $1 }
    }

    /// Keeps a batch that is to be begun.
    func begin(_ batch: BatchObject, _ keyDigest: String?, _ account: Account?) async throws {
        try await batches.put([
            Wire.StateDocument(
                kind: batches.kind, id: batch.id, key: account?.id,
                body: try StoredBatch(batch, keyDigest: keyDigest).body(), isOpen: true, created: batch.created_at,
                expires: batch.created_at + StateDocuments.lifetime)
        ])
    }

    /// Has a batch end before its lines are answered.
    ///
    /// - Throws: `APIError`, 404 where there is none, 409 where it has ended.
    func cancel(_ id: String, _ account: Account?) async throws -> BatchObject {
        let batch = try await batch(id, account)
        guard [.validating, .in_progress, .finalizing, .cancelling].contains(batch.status) else {
            throw APIError(
                status: .conflict, message: "The batch is \(batch.status.rawValue); it cannot be cancelled any more.",
                type: "invalid_request_error", code: "batch_ended")
        }
        // Whoever works on the batch sees it before the next line.
        _ = try await batches.update(id) { ($0.outcome, $0.requiresOpen) = (Self.cancelMark, true) }
        return try await self.batch(id, account)
    }

    /// Calls `body` with the lines of a batch in their order.
    ///
    /// - Parameter key: the account's, whose the batch is.
    func eachLine(
        of id: String, _ key: Int64?, _ body: (Wire.StateDocument) async throws -> Void
    ) async throws {
        var after: Int?
        while true {
            let request = Wire.ListStateRequest(
                kind: lines.kind, key: key, parent: id, after: after, latestFirst: false, limit: 100)
            let page = try await StateDocuments.told { try await lines.source.list(request) }.documents
            for document in page {
                try Task.checkCancellation()
                try await body(document)
            }
            guard let last = page.last else { return }
            after = last.number
        }
    }
}
