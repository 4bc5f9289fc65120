import Foundation
import JSON
import Messages
import RPC

extension BatchWork {
    /// Brings a batch that was claimed a step further.
    func advance(_ document: Wire.StateDocument) async {
        await working(on: document) { log in
            var stored = try StoredBatch(document)
            let isCancelled = document.outcome == BatchStore.cancelMark
            let isLate = StateDocuments.now >= stored.batch.expires_at
            if stored.batch.status == .validating, !isCancelled {
                return try await begin(&stored, document, log)
            }
            if isCancelled || isLate {
                try await endLines(of: document, as: isCancelled ? .cancelled : .expired)
            }
            guard try await store.counts(of: document.id).open == 0 else {
                return await log.release(for: Self.shortPause)
            }
            try await finish(&stored, document, isCancelled ? .cancelled : isLate ? .expired : .completed, log)
        }
    }

    private func begin(_ stored: inout StoredBatch, _ document: Wire.StateDocument, _ log: WorkLog) async throws {
        var reader = BatchReader(endpoint: stored.batch.endpoint)
        try await eachLine(of: stored.batch.input_file_id) { line, number in
            reader.check(line, number)
            return reader.problems.count < BatchReader.problemLimit
        }
        reader.end()
        if !reader.problems.isEmpty {
            stored.batch.status = .failed
            stored.batch.failed_at = StateDocuments.now
            stored.batch.errors = .init(data: reader.problems)
            await log.end(
                body: try stored.body(), outcome: 0, expires: StateDocuments.now + StateDocuments.lifetime)
            return
        }
        var page: [Wire.StateDocument] = []
        var size = 0
        let lines = store.lines
        try await eachLine(of: stored.batch.input_file_id) { bytes, number in
            guard let line = BatchReader.line(bytes) else { return true }
            page.append(
                Wire.StateDocument(
                    kind: lines.kind, id: "\(document.id)/\(number)", key: document.key, parent: document.id,
                    body: line.body, isOpen: true, expires: document.expires))
            size += bytes.count
            if page.count >= 500 || size > FileStore.pieceSize {
                try await lines.put(page)
                (page, size) = ([], 0)
            }
            return true
        }
        try await lines.put(page)
        stored.batch.status = .in_progress
        stored.batch.in_progress_at = StateDocuments.now
        stored.batch.request_counts.total = reader.count
        let body = try stored.body()
        _ = try await store.batches.update(document.id) { [worker] in
            ($0.worker, $0.body, $0.requiresOpen) = (worker, body, true)
            $0.lease = .milliseconds(1)
        }
    }

    /// Goes through the lines of a file.
    ///
    /// - Parameter body: is given a line without its end, and its number from 1; says whether to go on.
    private func eachLine(
        of file: String, _ body: ([UInt8], Int) async throws -> Bool
    ) async throws {
        var (rest, number, piece) = ([UInt8](), 0, 0)
        while true {
            let pieces = try await store.files.pieces(of: file, from: piece)
            if pieces.isEmpty { break }
            piece += pieces.count
            for bytes in pieces {
                try Task.checkCancellation()
                var start = bytes.startIndex
                while let end = bytes[start...].firstIndex(of: 10) {
                    number += 1
                    guard try await body(rest + bytes[start..<end], number) else { return }
                    rest = []
                    start = end + 1
                }
                rest += bytes[start...]
                // A line that is too long is seen to be so before it is whole.
                guard rest.count <= BatchReader.sizeLimit else {
                    _ = try await body(rest, number + 1)
                    return
                }
            }
        }
        if !rest.isEmpty { _ = try await body(rest, number + 1) }
    }

    private func endLines(of batch: Wire.StateDocument, as outcome: BatchLine.Outcome) async throws {
        let code = outcome == .cancelled ? "batch_cancelled" : "batch_expired"
        let message =
            outcome == .cancelled
            ? "The batch was cancelled before this line was answered."
            : "The batch's time ended before this line was answered."
        try await store.eachLine(of: batch.id, batch.key) { document in
            guard document.isOpen else { return }
            var line = BatchLine(document)
            line.request = nil
            line.error = .object(JSONObject([("code", .string(code)), ("message", .string(message))]))
            let body = line.body
            _ = try await store.lines.update(document.id) {
                ($0.body, $0.isOpen, $0.outcome, $0.requiresOpen) = (body, false, outcome.rawValue, true)
            }
        }
    }

    /// Writes down what was answered, and ends the batch.
    private func finish(
        _ stored: inout StoredBatch, _ document: Wire.StateDocument, _ status: BatchObject.Status, _ log: WorkLog
    ) async throws {
        let stem = "file-" + document.id.dropFirst("batch_".count)
        var output = try await store.files.writer(id: stem + "-output", of: document.key)
        var errors = try await store.files.writer(id: stem + "-errors", of: document.key)
        var (completed, failed) = (0, 0)
        try await store.eachLine(of: document.id, document.key) { line in
            let text = BatchLine(line).output(id: "batch_req_" + line.id.dropFirst("batch_".count))
            if line.outcome == BatchLine.Outcome.completed.rawValue {
                completed += 1
                try await output.write(text)
            } else {
                failed += 1
                try await errors.write(text)
            }
        }
        let now = StateDocuments.now
        stored.batch.finalizing_at = now
        stored.batch.request_counts = .init(total: completed + failed, completed: completed, failed: failed)
        let lifetime = StateDocuments.lifetime
        if completed > 0 {
            stored.batch.output_file_id = try await output.end(
                name: document.id + "_output.jsonl", purpose: "batch_output", lifetime: lifetime
            ).id
        } else {
            await output.giveUp()
        }
        if failed > 0 {
            stored.batch.error_file_id = try await errors.end(
                name: document.id + "_errors.jsonl", purpose: "batch_output", lifetime: lifetime
            ).id
        } else {
            await errors.giveUp()
        }
        stored.batch.status = status
        switch status {
        case .cancelled:
            stored.batch.cancelling_at = stored.batch.cancelling_at ?? now
            stored.batch.cancelled_at = now
        case .expired: stored.batch.expired_at = now
        default: stored.batch.completed_at = now
        }
        await log.end(body: try stored.body(), outcome: 0, expires: now + StateDocuments.lifetime)
    }
}
