import Foundation
import Hummingbird
import HummingbirdCore
import JSON
import Logging
import Messages
import NIOCore
import RPC
import Synchronization

/// Answers the lines of batches, each as a request of its own, while engines have room that nobody else needs.
struct BatchWork: Sendable {
    let store: BatchStore
    /// All routes of the gateway, which asks itself.
    let responder: any HTTPResponder<GatewayContext>
    let fleet: Fleet
    /// What this gateway is known by to the others.
    let worker: String

    /// Sequences of an engine up to which lines fill it.
    private static let engineShare = 16
    static let shortPause: Duration = .milliseconds(300)
    private static let longestPause = 30

    /// Lines that may begin now: none while any request waits for an engine.
    private var room: Int {
        (fleet.textModel?.readyInstances ?? []).reduce(0) { sum, instance in
            let engine = instance.load.engine
            return engine?.waiting ?? 0 > 0 ? sum : sum + max(0, Self.engineShare - (engine?.running ?? 0))
        }
    }

    private var largestRoom: Int { Self.engineShare * (fleet.textModel?.readyInstances.count ?? 0) }

    /// Takes on lines.
    ///
    /// - Parameter running: lines that are under way here.
    /// - Throws: `RPCError`.
    func claimLines(running: Int) async throws -> [Wire.StateDocument] {
        let limit = min(room, largestRoom - running)
        guard limit > 0 else { return [] }
        return try await store.lines.claim(limit: limit, by: worker)
    }

    /// Takes on batches that are to be begun, looked at, or ended.
    ///
    /// - Throws: `RPCError`.
    func claimBatches() async throws -> [Wire.StateDocument] { try await store.batches.claim(limit: 4, by: worker) }

    /// Works on a document that was claimed, and leaves it to others where that fails.
    func working(
        on document: Wire.StateDocument, _ body: @escaping @Sendable (WorkLog) async throws -> Void
    ) async {
        await WorkLog.hold(document, in: store.batches.source, of: worker) { log in
            do { try await body(log) } catch {
                let isCancelled = Task.isCancelled
                if !isCancelled {
                    Logger(label: "nephele-gateway").error("work on the \(document.kind) \(document.id): \(error)")
                }
                await log.release(for: isCancelled ? .zero : .seconds(2))
            }
        }
    }

    // MARK: Lines

    /// Answers a line that was claimed.
    func answer(_ document: Wire.StateDocument) async {
        await working(on: document) { log in try await answer(document, log) }
    }

    private func answer(_ document: Wire.StateDocument, _ log: WorkLog) async throws {
        var line = BatchLine(document)
        let reply = try await StateDocuments.told {
            try await store.batches.source.find(.init(kind: store.batches.kind, id: document.parent))
        }
        // The batch ends its own lines when it is cancelled.
        guard let batchDocument = reply.document, batchDocument.outcome != BatchStore.cancelMark else {
            return await log.release(for: .seconds(Self.longestPause))
        }
        let stored = try StoredBatch(batchDocument)
        let left = max(1, stored.batch.expires_at - StateDocuments.now)
        var head = HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: stored.batch.endpoint)
        head.headerFields[.contentType] = "application/json"
        head.headerFields[own: FieldName.timeout] = "\(min(left, 86_400) * 1_000)"
        let body = ByteBuffer(bytes: (line.request ?? .null).bytes)
        let context = GatewayContext(keyDigest: stored.keyDigest, logger: Logger(label: "nephele-gateway"))
        let response = try await responder.respond(
            to: Request(head: head, body: RequestBody(buffer: body)), context: context)
        let writer = Collector()
        try await response.body.write(writer)
        let status = response.status.code
        if status == 429 || status == 503 {
            let pause = response.headers[.retryAfter].flatMap { Int($0) } ?? 1
            return await log.release(for: .seconds(min(pause, Self.longestPause)))
        }
        line.request = nil
        line.response = .object(
            JSONObject([
                ("status_code", .number(JSONNumber("\(status)"))),
                ("request_id", .string(response.headers[own: FieldName.requestID] ?? "")),
                ("body", (try? JSONParser.parse(writer.bytes)) ?? .null),
            ]))
        let outcome: BatchLine.Outcome = status < 400 ? .completed : .failed
        await log.end(body: line.body, outcome: outcome.rawValue, expires: document.expires)
    }

    /// Collects a whole answer.
    private final class Collector: ResponseBodyWriter, Sendable {
        private let collected = Mutex<[UInt8]>([])
        var bytes: [UInt8] { collected.withLock { $0 } }

        func write(_ buffer: ByteBuffer) { collected.withLock { $0 += buffer.readableBytesView } }
        func finish(_ trailingHeaders: HTTPFields?) {}
    }
}
