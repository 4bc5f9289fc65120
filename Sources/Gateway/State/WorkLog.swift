import Logging
import Messages
import RPC
import StateKeeping

/// Work on a document: the lease of it, and its log, which others read while it grows and go on from when this gateway dies.
///
/// Entries that come while others are being written go together with the next. Once the lease is another's, or the work has
/// ended, nothing more is written.
actor WorkLog {
    private let source: any StateSource
    private let kind: String
    private let id: String
    private let worker: String
    private var written: Int
    private var pending: [[UInt8]] = []
    private var writing: Task<Void, Never>?
    /// Whether the work is another's now, or has been ended elsewhere.
    private var isLost = false
    /// Whether this worker has done with it.
    private var isDone = false
    private var onLoss: (@Sendable () -> Void)?

    /// For how long nobody else takes on the work.
    static let lease: Duration = .seconds(4)
    private static let pause: Duration = .milliseconds(250)
    /// Writes that fail in a row before the work is left to others.
    private static let failureLimit = 40

    private init(_ document: Wire.StateDocument, in source: any StateSource, of worker: String) {
        (kind, id, written) = (document.kind, document.id, document.entries)
        (self.source, self.worker) = (source, worker)
    }

    /// Does something with a document that was claimed, keeping its lease. Where the lease is lost, or the task is cancelled,
    /// so is the work.
    static func hold(
        _ document: Wire.StateDocument, in source: any StateSource, of worker: String,
        _ body: @escaping @Sendable (WorkLog) async -> Void
    ) async {
        let log = WorkLog(document, in: source, of: worker)
        let lease = Task { await log.keepLease() }
        defer { lease.cancel() }
        // Calls to the services carry a request's identity, as those of clients do.
        let work = Task { await RequestTrace.$current.withValue(.new) { await body(log) } }
        await log.whenLost { work.cancel() }
        await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            work.cancel()
        }
    }

    private func whenLost(_ action: @escaping @Sendable () -> Void) {
        if isLost { action() }
        onLoss = action
    }

    func append(_ entry: some BusMessage) {
        guard !isLost else { return }
        pending.append(entry.encoded())
        if writing == nil { writing = Task { await drain() } }
    }

    /// Renews the lease until the task is cancelled.
    private func keepLease() async {
        while !Task.isCancelled, !isLost, !isDone {
            try? await Task.sleep(for: Self.lease / 4)
            if !Task.isCancelled, !isDone, writing == nil { await write { _ in } }
        }
    }

    private func drain() async {
        while !pending.isEmpty, !isLost {
            let entries = pending
            pending = []
            let first = written
            written += entries.count
            await write { ($0.entries, $0.firstEntry) = (entries, first) }
        }
        writing = nil
    }

    /// Ends the work, when all of the log is written.
    ///
    /// - Parameter outcome: nil for the one that it has.
    /// - Returns: whether it was this worker's to end.
    @discardableResult
    func end(body: [UInt8], outcome: UInt32?, expires: Int64) async -> Bool {
        await writing?.value
        isDone = true
        return await write {
            ($0.body, $0.outcome, $0.expires, $0.isOpen) = (body, outcome, expires, false)
            $0.lease = .zero
        }
    }

    /// Leaves the work to others, after a while at the earliest.
    func release(for pause: Duration) async {
        await writing?.value
        isDone = true
        await write { $0.lease = max(pause, .milliseconds(1)) }
    }

    /// - Returns: whether the change was made.
    @discardableResult
    private func write(_ fill: (inout Wire.UpdateStateRequest) -> Void) async -> Bool {
        guard !isLost else { return false }
        var request = Wire.UpdateStateRequest(kind: kind, id: id, worker: worker)
        (request.lease, request.requiresOpen) = (Self.lease, true)
        fill(&request)
        for _ in 0..<Self.failureLimit where !isLost {
            do {
                // What is cancelled still says so.
                let update = Task { [request] in try await source.update(request).isMade }
                let isMade = try await update.value
                if !isMade { lose() }
                return isMade
            } catch {
                // It is not known whether the change was made: where it was, the log is longer than the next try says.
                try? await Task.sleep(for: Self.pause)
            }
        }
        Logger(label: "nephele-gateway").error("the \(kind) \(id) cannot be written down; others may go on")
        lose()
        return false
    }

    private func lose() {
        isLost = true
        // A lease that was being renewed when the work ended is no loss.
        if !isDone { onLoss?() }
        onLoss = nil
    }

    /// - Throws: `APIError` for bytes that no gateway has written.
    static func decode<Message: BusMessage>(_ type: Message.Type, _ bytes: [UInt8]) throws -> Message {
        do { return try Message(decoding: bytes) } catch {
            throw APIError(
                status: .internalServerError, message: "What is kept of the answer cannot be read.",
                type: "server_error", code: "state_unreadable")
        }
    }
}

extension AnswerDelta {
    init(_ part: Wire.AnswerPart) {
        let kind: Part =
            switch part.part {
            case 0: .content
            case 1: .reasoning
            default: .call(Int(part.part) - 2)
            }
        self.init(
            Wire.GenerateDelta(text: part.text, finishReason: part.finishReason), part: kind,
            call: part.callName.map { Call(id: part.callID, name: $0) })
    }

    /// For the log of an answer.
    var logged: Wire.AnswerPart {
        let kind: UInt32 =
            switch part {
            case .content: 0
            case .reasoning: 1
            case .call(let number): UInt32(number) + 2
            }
        return Wire.AnswerPart(
            part: kind, text: self.text, finishReason: self.finishReason, callID: call?.id ?? "", callName: call?.name)
    }
}
